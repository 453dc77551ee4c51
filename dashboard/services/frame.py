"""The workspace that every read starts from, and forgetting what was read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.settings import FILE_NAME
from core.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    pass


def workspace() -> Workspace:
    """The workspace that MODELDESK_WORKSPACE names (else the current folder); read anew when its file changes."""
    root = Path(os.environ.get("MODELDESK_WORKSPACE", ".")).resolve()
    file = root / FILE_NAME
    return _open(root, file.stat().st_mtime_ns if file.is_file() else 0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(root: Path, stamp: int) -> Workspace:
    return open_workspace(root)


def forget() -> None:
    """Drop every cached read; called after a write."""
    st.cache_data.clear()
    # The graph is kept as a resource: copying it on each rerun would cost more than drawing it.
    from dashboard.services import graph

    graph.forget_graph()
