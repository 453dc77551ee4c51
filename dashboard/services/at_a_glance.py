"""What is live and what needs somebody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.attention import Overview


def overview(actor: Actor) -> Overview:
    """What is live, and what needs somebody; with MLflow down, what the ledger last recorded."""
    return _overview(workspace(), actor)


def inventory_tags() -> tuple[str, ...]:
    """The tags of a registered model that answer the model inventory's questions."""
    from core.registry.inventory import TAGS

    return tuple(TAGS.values())


@st.cache_data(ttl=20, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _overview(ws: Workspace, actor: Actor) -> Overview:
    from core.attention import overview

    return overview(ws, actor, datetime.now(UTC))
