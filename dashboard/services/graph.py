"""What the Lineage page reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.lineage.types import Graph


def lineage() -> Graph:
    """The joined graph of data, stages, runs, versions and deployments; stores that fail are in its notes."""
    return _lineage(workspace())


@st.cache_resource(
    ttl=60, max_entries=2, show_spinner="Joining data, runs and versions…", hash_funcs={Workspace: id}
)
def _lineage(ws: Workspace) -> Graph:
    from core.lineage.build import build

    return build(ws)


def forget_graph() -> None:
    """Drop the joined graph."""
    _lineage.clear()
