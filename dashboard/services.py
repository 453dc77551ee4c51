"""Cached doors into core: the only place that uses st.cache_*. Reads may be cached, writes never.

Short times to live keep a page quick while someone clicks about; a write calls :func:`forget`, so that the
next read is fresh.
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from core.settings import FILE_NAME
from core.workspace import Workspace, open_workspace


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
