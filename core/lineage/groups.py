"""Foreach and matrix stages drawn as one: thirty siblings say less than their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from core.lineage.pipelines import digest_of
from core.lineage.types import Edge, Graph, Node, NodeId, NodeKind

SMALLEST = 2
MANY_ALIKE = 5
MOST_NAMED = 50

PLURALS = {
    NodeKind.DATA: "data files",
    NodeKind.PARAMS: "param sets",
    NodeKind.COMMIT: "commits",
    NodeKind.CODE: "programs",
    NodeKind.STAGE: "stages",
    NodeKind.MODEL_FILE: "model files",
    NodeKind.DATASET: "data sets",
    NodeKind.RUN: "runs",
    NodeKind.LOGGED_MODEL: "logged models",
    NodeKind.RELEASE: "releases",
    NodeKind.VERSION: "versions",
    NodeKind.DEPLOYMENT: "deployments",
    NodeKind.PREDICTION_LOG: "prediction logs",
}


def collapse(graph: Graph, keep: Collection[NodeId] = ()) -> Graph:
    """The graph with the members of each group as one node, and likewise what only one group made or reads.

    Members are executions first recorded in the same commit. Five or more nodes of a kind that come from the
    same and lead to the same, such as the runs of a sweep, become one too. Nodes in ``keep`` stay by themselves.
    """
    merged = _stage_groups(graph, keep)
    merged |= _satellites(graph, keep, merged)
    merged |= _alike(graph, keep, merged)
    nodes = [node for node in graph.nodes if node.id not in merged]
    nodes += _group_nodes(graph, merged)
    edges: dict[tuple[NodeId, NodeId], Edge] = {}
    for edge in graph.edges:
        ends = merged.get(edge.source, edge.source), merged.get(edge.target, edge.target)
        known = edges.get(ends)
        if ends[0] != ends[1] and (known is None or edge.strength < known.strength):
            edges[ends] = Edge(*ends, edge.evidence, edge.strength, edge.note, edge.trained)
    return Graph(tuple(nodes), tuple(edges.values()), graph.notes, graph.held, graph.revisions)


def _stage_groups(graph: Graph, keep: Collection[NodeId]) -> dict[NodeId, NodeId]:
    """Member -> the id of its group's node."""
    families: dict[str, list[NodeId]] = {}
    for node in graph.of_kind(NodeKind.STAGE):
        attributes = node.attributes
        if attributes.get("group") and node.id not in keep:
            key = f"{attributes['project']}/{attributes['group']}@{attributes.get('revision', 'uncommitted')}"
            families.setdefault(f"{NodeKind.STAGE}:{key}", []).append(node.id)
    return _only_large(families)


def _satellites(
    graph: Graph, keep: Collection[NodeId], merged: Mapping[NodeId, NodeId]
) -> dict[NodeId, NodeId]:
    """Files, params and the like whose every neighbour belongs to the same groups."""
    families: dict[str, list[NodeId]] = {}
    for node in graph.nodes:
        if node.kind is NodeKind.STAGE or node.id in keep:
            continue
        before = {merged.get(edge.source, edge.source) for edge in graph.incoming[node.id]}
        after = {merged.get(edge.target, edge.target) for edge in graph.outgoing[node.id]}
        if (before | after) & set(merged.values()):
            key = f"{node.kind}:group {digest_of([sorted(before), sorted(after)])}"
            families.setdefault(key, []).append(node.id)
    return _only_large(families)


def _alike(graph: Graph, keep: Collection[NodeId], merged: Mapping[NodeId, NodeId]) -> dict[NodeId, NodeId]:
    """Nodes of a kind with the very same neighbours."""
    families: dict[str, list[NodeId]] = {}
    for node in graph.nodes:
        if node.id in merged or node.id in keep:
            continue
        before = sorted({edge.source for edge in graph.incoming[node.id]})
        after = sorted({edge.target for edge in graph.outgoing[node.id]})
        if before or after:
            families.setdefault(f"{node.kind}:alike {digest_of([before, after])}", []).append(node.id)
    return _only_large(families, MANY_ALIKE)


def _only_large(families: Mapping[str, Sequence[NodeId]], least: int = SMALLEST) -> dict[NodeId, NodeId]:
    large = {key: members for key, members in families.items() if len(members) >= least}
    return {member: NodeId(key) for key, members in large.items() for member in members}


def _group_nodes(graph: Graph, merged: Mapping[NodeId, NodeId]) -> Iterable[Node]:
    members: dict[NodeId, list[Node]] = {}
    for node_id, group in merged.items():
        members.setdefault(group, []).append(graph.by_id[node_id])
    for group, nodes in members.items():
        first = nodes[0]
        name = str(first.attributes.get("group") or PLURALS[first.kind])
        states = sorted({str(node.attributes["status"]) for node in nodes if "status" in node.attributes})
        told = {
            "members": [node.name for node in nodes[:MOST_NAMED]],
            "status": states[0] if len(states) == 1 else "mixed" if states else None,
            "current": any(node.attributes.get("current") for node in nodes) or None,
        }
        told = {key: value for key, value in told.items() if value is not None}
        yield Node(group, first.kind, f"{name} ({len(nodes)})", told)
