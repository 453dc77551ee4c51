"""A report to take away: one small menu with a page for people who print and Markdown for those who paste."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.reports.types import Report


def report_downloads(label: str, name: str, make: Callable[[], Report]) -> None:
    """A menu with the report as HTML and as Markdown; it is made when one of them is chosen."""
    with st.popover(label, icon=":material/summarize:"):
        st.download_button(
            "Page (HTML)",
            lambda: make().html(),
            file_name=f"{name}.html",
            mime="text/html",
            icon=":material/web:",
            key=f"report-{name}-html",
            on_click="ignore",
        )
        st.download_button(
            "Text (Markdown)",
            lambda: make().markdown(),
            file_name=f"{name}.md",
            mime="text/markdown",
            icon=":material/notes:",
            key=f"report-{name}-md",
            on_click="ignore",
        )
