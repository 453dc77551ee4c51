"""A graph while it is being put together."""

from __future__ import annotations

from typing import Any

from core.lineage.revisions import Revisions
from core.lineage.types import Edge, Evidence, Graph, Node, NodeId, NodeKind, Strength

_TELLING = (bool, int, float)
"""Of these zero and False say something; an empty text or list does not."""


class Draft:
    """Collects nodes and edges; of two edges between the same nodes the stronger one stays."""

    def __init__(self) -> None:
        self._nodes: dict[NodeId, Node] = {}
        self._edges: dict[tuple[NodeId, NodeId], Edge] = {}
        self._notes: dict[str, None] = {}
        self._held: dict[NodeId, frozenset[str]] = {}
        self._current: set[NodeId] = set()

    def node(self, kind: NodeKind, key: str, name: str, **attributes: Any) -> NodeId:
        """Add a node unless it is there; either way its id. Empty attributes are left out."""
        node_id = NodeId(f"{kind.value}:{key}")
        if node_id not in self._nodes:
            told = {key: value for key, value in attributes.items() if value or type(value) in _TELLING}
            self._nodes[node_id] = Node(node_id, kind, name, told)
        return node_id

    def edge(
        self,
        source: NodeId,
        target: NodeId,
        evidence: Evidence,
        strength: Strength = Strength.EXACT,
        note: str = "",
        *,
        trained: bool = True,
    ) -> None:
        """Say that ``target`` came from ``source``; a node never comes from itself."""
        if source == target:
            return
        known = self._edges.get((source, target))
        if known is None or strength > known.strength:
            self._edges[source, target] = Edge(source, target, evidence, strength, note, trained)

    def hold(self, node_id: NodeId, commits: frozenset[str], *, current: bool) -> None:
        """Say in which commits, and whether in the working tree, a lock holds the node."""
        self._held[node_id] = self._held.get(node_id, frozenset()) | commits
        if current:
            self._current.add(node_id)

    def note(self, sentence: str) -> None:
        """Say once what could not be read or joined."""
        self._notes[sentence] = None

    def __contains__(self, node_id: NodeId) -> bool:
        return node_id in self._nodes

    def finish(self, revisions: Revisions | None = None) -> Graph:
        """The graph; edges to nodes that never came are left out."""
        for node_id in self._current:
            node = self._nodes[node_id]
            told = {**node.attributes, "current": True}
            self._nodes[node_id] = Node(node.id, node.kind, node.name, told)
        edges = (e for e in self._edges.values() if e.source in self._nodes and e.target in self._nodes)
        return Graph(
            tuple(self._nodes.values()),
            tuple(edges),
            tuple(self._notes),
            self._held,
            revisions or Revisions(),
        )
