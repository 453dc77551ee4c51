"""The Audit page's doors into core: the chain, what was recorded lately, and who may do what."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.audit.access_review import Access
    from core.audit.coverage import Line
    from core.ledger.types import Head, Record, Verification


def chain_head() -> Head:
    """How many events there are, and the newest hash."""
    return workspace().ledger.head()


def verify_chain(anchor: tuple[str, bytes] | None) -> tuple[Verification, float]:
    """What a check of the whole chain found, and how many seconds it took; ``anchor`` is a file's name and content.

    Raises BadInput for a file that is no anchor, and Unavailable.
    """
    from core.ledger.anchors import parse_anchor

    kept = parse_anchor(anchor[1], anchor[0]) if anchor else None
    started = time.perf_counter()
    found = workspace().ledger.verify(kept)
    return found, time.perf_counter() - started


def anchor_file() -> str:
    """The head of the chain as an anchor file."""
    from core.ledger.anchors import anchor_text

    return anchor_text(workspace().ledger.anchor())


def audit_log(actor: Actor) -> Callable[[], bytes]:
    """Makes the whole log as lines that can be checked elsewhere, and records the export, when called."""
    ws = workspace()

    def make() -> bytes:
        from core.audit.log import take_log

        made = take_log(ws, actor)
        forget()
        return made

    return make


def newest_events(limit: int, model: str | None = None) -> tuple[Record, ...]:
    """The last events, newest first."""
    return workspace().ledger.newest(limit, model)


def models_on_record() -> tuple[str, ...]:
    """Every model that an event is about."""
    return _models_on_record(workspace())


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, hash_funcs={Workspace: id})
def _models_on_record(ws: Workspace) -> tuple[str, ...]:
    return ws.ledger.models()


def access_review() -> tuple[Access, ...]:
    """Who may approve, promote and roll back, and when each last did."""
    return _access_review(workspace())


@st.cache_data(ttl=60, max_entries=2, show_spinner=False, hash_funcs={Workspace: id})
def _access_review(ws: Workspace) -> tuple[Access, ...]:
    from core.audit.access_review import access_review

    return access_review(ws, datetime.now(UTC)).rows


def coverage() -> tuple[Line, ...]:
    """What the ledger records and what it does not."""
    from core.audit.coverage import COVERAGE

    return COVERAGE
