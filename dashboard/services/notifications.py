"""What was told to whom and whether it arrived; sending, which is never cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.notify.outbox import Delivery
    from core.notify.trial import Trial


def deliveries(limit: int = 500) -> tuple[Delivery, ...]:
    """The newest deliveries first."""
    return _deliveries(workspace(), limit)


@st.cache_data(ttl=10, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _deliveries(ws: Workspace, limit: int) -> tuple[Delivery, ...]:
    return ws.outbox.history(limit)


def deliver_now(actor: Actor) -> int:
    """Send what is due, at once; how many were tried. Raises Refused."""
    from core.notify.trial import deliver

    tried = deliver(workspace(), actor)
    forget()
    return len(tried)


def try_channels(actor: Actor) -> tuple[Trial, ...]:
    """A test message to every channel, and what each answered. Raises Refused and BadSettings."""
    from core.notify.trial import trial

    return trial(workspace(), actor)
