"""What the Lineage page reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.lineage.difference import Difference
    from core.lineage.types import Graph, NodeId, NodeKind


def lineage() -> Graph:
    """The joined graph of data, stages, runs, versions and deployments; stores that fail are in its notes."""
    return _lineage(workspace())


@st.cache_resource(
    ttl=60, max_entries=2, show_spinner="Joining data, runs and versions…", hash_funcs={Workspace: id}
)
def _lineage(ws: Workspace) -> Graph:
    from core.lineage.build import build

    return build(ws)


def lineage_png(shown: Graph, colours: Mapping[NodeKind, str]) -> bytes:
    """A drawing of what is shown."""
    from core.lineage.png import to_png

    return to_png(shown, colours)


def lineage_difference(graph: Graph, left: NodeId, right: NodeId) -> Difference:
    """What differs between two versions: data, params, code, and the packages beside their files."""
    from core.lineage.difference import diff
    from core.lineage.environment import read_environments
    from core.lineage.questions import as_version

    one, other = as_version(left), as_version(right)
    return diff(graph, one, other, read_environments(workspace(), (one, other)))


def forget_graph() -> None:
    """Drop the joined graph."""
    _lineage.clear()
