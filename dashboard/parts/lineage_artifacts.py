"""What runs logged compared with DVC's files: the button that starts it, and how far it is."""

from __future__ import annotations

import streamlit as st

from core.lineage.types import Graph
from dashboard.services import comparing_artifacts


def compare_artifacts(graph: Graph) -> None:
    """Offered while some artifacts have not been compared; goes on when the tab is closed."""
    reading = comparing_artifacts.reading()
    if reading is not None and reading.running:
        _watch()
    elif graph.uncompared:
        if reading is not None and (reading.error or reading.unread):
            st.warning(
                reading.error or f"{reading.unread:,} artifacts could not be read.", icon=":material/warning:"
            )
        st.button(
            "Compare them now",
            icon=":material/fingerprint:",
            key="compare_artifacts",
            help="Reads every artifact of runs without a stage's tag once, and joins a run to the stage whose "
            "output it equals byte for byte. On the command line: lineage hash.",
            on_click=comparing_artifacts.start_reading,
        )


@st.fragment(run_every=1.0)
def _watch() -> None:
    reading = comparing_artifacts.reading()
    if reading is None or not reading.running:
        st.rerun()
    part = reading.done / reading.total if reading.total else 0.0
    st.progress(part, text=f"Comparing artifacts: {reading.done:,} of {reading.total:,} runs are read.")
