"""The one way a page acts: a button sets what is pending, a dialog shows it, one click carries it out once.

Streamlit may register a second click while a slow action still runs, so each dialog gets a key when it
opens; core refuses to act twice under one key.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

_SLOT = "pending"


@dataclass(frozen=True, slots=True)
class Pending:
    """An action that waits for its confirmation: which dialog, about what, under which idempotency key."""

    dialog: str
    subject: Any
    key: str


def ask(dialog: str, subject: Any) -> None:
    """Open ``dialog`` about ``subject`` at the end of this run (use as a button's ``on_click``)."""
    st.session_state[_SLOT] = Pending(dialog, subject, uuid.uuid4().hex)


def pending(dialog: str) -> Pending | None:
    """What waits for confirmation in ``dialog``, if anything."""
    waiting = st.session_state.get(_SLOT)
    return waiting if waiting is not None and waiting.dialog == dialog else None


def dismiss() -> None:
    """Forget what was pending (a dialog's ``on_dismiss``)."""
    st.session_state.pop(_SLOT, None)


def act_once(dialog: str, action: Callable[[Pending], None]) -> None:
    """Carry out ``action`` for what is pending and clear it first, so that a second click finds nothing."""
    waiting = pending(dialog)
    if waiting is None:
        return
    dismiss()
    action(waiting)
