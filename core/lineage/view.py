"""Which part of the graph a person sees: what is in focus, how far around it, as of which revision."""

from __future__ import annotations

from collections.abc import Iterable

from core.lineage.groups import collapse
from core.lineage.questions import neighbourhood
from core.lineage.types import Graph, Node, NodeId, NodeKind
from core.lineage.walk import Direction, reach

FOCUS_KINDS = (
    NodeKind.VERSION,
    NodeKind.DATA,
    NodeKind.MODEL_FILE,
    NodeKind.DATASET,
    NodeKind.STAGE,
    NodeKind.RUN,
)


def default_focus(graph: Graph, model: str | None = None) -> NodeId | None:
    """What a visitor most likely came for: a version in production, first one whose pipeline is known.

    Without any, the newest version, else the newest data.
    """
    versions = [node for node in graph.of_kind(NodeKind.VERSION) if model in (None, node.attributes["model"])]
    live = [
        node
        for node in graph.of_kind(NodeKind.DEPLOYMENT)
        if node.attributes.get("live") and model in (None, node.attributes["model"])
    ]
    live.sort(key=lambda node: (node.attributes["environment"] != "production", node.attributes["model"]))
    serving = [edge.source for node in live for edge in graph.incoming[node.id]]
    if serving:
        return min(serving, key=lambda version: not _has_stage(graph, version))
    if versions:
        return max(versions, key=lambda node: str(node.attributes.get("at", ""))).id
    files = [node for node in graph.of_kind(NodeKind.DATA, NodeKind.STAGE) if node.attributes.get("current")]
    return files[-1].id if files else (graph.nodes[0].id if graph.nodes else None)


def focus_choices(graph: Graph) -> tuple[Node, ...]:
    """What may be put in focus: versions by model, newest first; then data now and earlier; runs and stages."""
    return tuple(sorted((node for node in graph.nodes if node.kind in FOCUS_KINDS), key=_choice_order))


def around(graph: Graph, focus: NodeId, hops: int, *, grouped: bool) -> Graph:
    """The neighbourhood of ``focus``, with foreach and matrix groups as one node each when ``grouped``."""
    near = neighbourhood(graph, (focus,), hops)
    return collapse(near, keep=(focus,)) if grouped else near


def without(graph: Graph, kinds: Iterable[NodeKind], keep: NodeId) -> Graph:
    """The graph without nodes of these kinds; ``keep`` stays."""
    unwanted = set(kinds)
    return graph.only(node.id for node in graph.nodes if node.kind not in unwanted or node.id == keep)


def whole(graph: Graph, *, grouped: bool, keep: NodeId | None = None) -> Graph:
    """Everything; ``keep`` stays out of groups."""
    return collapse(graph, keep=(keep,) if keep else ()) if grouped else graph


def at_revision(graph: Graph, revision: str) -> Graph:
    """What was in force at a commit, branch, tag or experiment, and what was made of it since.

    Files, stage executions and model files of other revisions are left out, and so is what hangs on them only.
    """
    commits = graph.revisions.resolve(revision)
    there = {node for node, held in graph.held.items() if not held.isdisjoint(commits)}
    elsewhere = graph.held.keys() - there
    rest = graph.only(node.id for node in graph.nodes if node.id not in elsewhere)
    after = reach(rest, there, Direction.DOWN)
    before = {edge.source for node in after for edge in rest.incoming.get(node, ())}
    return rest.only(after.keys() | before)


def revision_names(graph: Graph) -> tuple[str, ...]:
    """Names for a picker: ``HEAD``, then branches, tags and experiments."""
    names = sorted(graph.revisions.names)
    return tuple(sorted(names, key=lambda name: name != "HEAD"))


def _has_stage(graph: Graph, version: NodeId) -> bool:
    before = reach(graph, (version,), Direction.UP)
    return any(graph.by_id[node].kind is NodeKind.STAGE for node in before)


def _choice_order(node: Node) -> tuple[int, object, object]:
    place = FOCUS_KINDS.index(node.kind)
    attributes = node.attributes
    if node.kind is NodeKind.VERSION:
        return place, attributes["model"], -attributes["version"]
    if node.kind is NodeKind.RUN:
        return place, "", _backwards(str(attributes.get("at", "")))
    return place, (not attributes.get("current"), node.name), _backwards(str(attributes.get("at", "")))


def _backwards(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)
