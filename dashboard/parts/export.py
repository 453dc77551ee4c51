"""The export menu of a table: CSV, Markdown and LaTeX, written only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.compare.export import to_csv, to_latex, to_markdown

PASTED_ROWS = 1000

Table = tuple[Sequence[str], Sequence[Sequence[object]]]


def export_menu(name: str, rows: int, table: Callable[[int | None], Table]) -> None:
    """Downloads of ``table(most)`` as files called ``name``; what is meant for pasting ends after 1,000 rows."""
    with st.popover("Export", icon=":material/download:"):
        for label, write, suffix, mime, most in (
            ("CSV", to_csv, "csv", "text/csv", None),
            ("Markdown", to_markdown, "md", "text/markdown", PASTED_ROWS),
            ("LaTeX", to_latex, "tex", "text/x-tex", PASTED_ROWS),
        ):
            st.download_button(
                label,
                lambda write=write, most=most: write(*table(most)).encode(),
                f"{name}.{suffix}",
                mime,
                key=f"export {suffix}",
                on_click="ignore",
                help=f"the first {most:,} rows" if most and rows > most else None,
            )
        st.caption("Charts: point at one; its camera saves a PNG.")
