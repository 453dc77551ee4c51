"""Status marks on a page."""

from __future__ import annotations

import streamlit as st

from core.registry.requests import Judgement
from dashboard.palette import DARK, LIGHT, Palette, mark


def status_badge(word: str, help: str | None = None) -> None:
    """A badge with the icon, colour and word of a status."""
    shown = mark(word)
    st.badge(shown.word, icon=shown.icon, color=shown.color, help=help)


def inline_badge(word: str) -> str:
    """The same badge as Markdown, to begin a sentence that may wrap."""
    shown = mark(word)
    return f":{shown.color}-badge[{shown.icon} {shown.word}]"


def request_word(found: Judgement) -> str:
    """The status word of a request, the same wherever it is shown."""
    return "DONE" if found.request.used_by else found.state.replace("changes requested", "changes wanted")


def current_palette() -> Palette:
    """The colours of the mode that the reader's browser is in."""
    return DARK if st.context.theme.type == "dark" else LIGHT
