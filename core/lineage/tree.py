"""The graph as indented text: for terminals, and for people who cannot see a chart."""

from __future__ import annotations

from collections.abc import Iterator

from core.lineage.types import Edge, Graph, Node, NodeId, Strength
from core.lineage.walk import Direction

WORDS = {
    "data": "data",
    "params": "params",
    "commit": "commit",
    "code": "code",
    "stage": "stage",
    "model_file": "model file",
    "dataset": "MLflow data set",
    "run": "run",
    "logged_model": "logged model",
    "release": "GTO release",
    "version": "model version",
    "deployment": "deployment",
    "prediction_log": "prediction log",
}


def describe(node: Node) -> str:
    """A node in one line: kind, name, and what tells it apart."""
    told = [f"{WORDS[node.kind]} {node.name}"]
    attributes = node.attributes
    if attributes.get("hash"):
        told.append(str(attributes["hash"])[:8])
    if attributes.get("revision") and "repository" not in attributes:
        told.append(f"since {str(attributes['revision'])[:7]}")
    if attributes.get("stages"):
        told.append(", ".join(attributes["stages"]))
    if attributes.get("aliases"):
        told.append(", ".join(attributes["aliases"]))
    if "live" in attributes:
        told.append("live" if attributes["live"] else "ended")
    return " · ".join(told)


def tree(graph: Graph, start: NodeId, direction: Direction, limit: int = 2000) -> list[str]:
    """Lines from ``start`` outwards, two spaces a step; each says by what evidence it is joined.

    A node met again is named but not opened again, so that cycles and diamonds stay short.
    """
    lines: list[str] = []
    opened: set[NodeId] = set()
    for depth, node, edge in _visit(graph, start, direction, opened):
        if len(lines) >= limit:
            return [*lines, f"... more than {limit} lines"]
        because = f" [{edge.evidence.value}, {edge.strength.label}]" if edge else ""
        seen = node.id in opened and bool(_ways(graph, node.id, direction))
        lines.append(f"{'  ' * depth}{describe(node)}{because}{' (see above)' if seen else ''}")
        opened.add(node.id)
    return lines


def _visit(
    graph: Graph, start: NodeId, direction: Direction, opened: set[NodeId]
) -> Iterator[tuple[int, Node, Edge | None]]:
    pending: list[tuple[int, NodeId, Edge | None]] = [(0, start, None)]
    while pending:
        depth, node_id, edge = pending.pop()
        again = node_id in opened
        yield depth, graph.by_id[node_id], edge
        if not again:
            following = _ways(graph, node_id, direction)
            pending += [(depth + 1, other, way) for other, way in reversed(following)]


def _ways(graph: Graph, node: NodeId, direction: Direction) -> list[tuple[NodeId, Edge]]:
    """Neighbours and the edges to them, the surest first."""
    if direction is Direction.UP:
        found = [(edge.source, edge) for edge in graph.incoming[node]]
    else:
        found = [(edge.target, edge) for edge in graph.outgoing[node]]
    return sorted(found, key=lambda way: (-way[1].strength, graph.by_id[way[0]].name))


def weakest(graph: Graph) -> Strength:
    """The weakest evidence in a graph; EXACT when it has no edges."""
    return min((edge.strength for edge in graph.edges), default=Strength.EXACT)
