"""A table as files, one click each: CSV, Markdown and LaTeX, written only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.compare.export import to_csv, to_latex, to_markdown

PASTED_ROWS = 1000

Table = tuple[Sequence[str], Sequence[Sequence[object]]]


def export_buttons(name: str, rows: int, table: Callable[[int | None], Table]) -> None:
    """Downloads of ``table(most)`` as files called ``name``; what is meant for pasting ends after 1,000 rows."""
    for label, write, suffix, mime, most in (
        ("CSV", to_csv, "csv", "text/csv", None),
        ("Markdown", to_markdown, "md", "text/markdown", PASTED_ROWS),
        ("LaTeX", to_latex, "tex", "text/x-tex", PASTED_ROWS),
    ):
        held = f"The first {most:,} rows" if most and rows > most else "The table"
        st.download_button(
            label,
            lambda write=write, most=most: write(*table(most)).encode(),
            f"{name}.{suffix}",
            mime,
            key=f"export {suffix}",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            help=f"{held} as {label}. A chart's own camera saves it as PNG.",
        )
