"""Which part of the graph a person sees: what is in focus, how far around it, as of which revision."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from core.lineage.groups import collapse
from core.lineage.questions import neighbourhood
from core.lineage.tree import WORDS
from core.lineage.types import Edge, Graph, Node, NodeId, NodeKind
from core.lineage.walk import Direction, reach

FOCUS_KINDS = (
    NodeKind.VERSION,
    NodeKind.DATA,
    NodeKind.MODEL_FILE,
    NodeKind.DATASET,
    NodeKind.STAGE,
    NodeKind.RUN,
)

BOOKKEEPING = (
    NodeKind.COMMIT,
    NodeKind.PARAMS,
    NodeKind.CODE,
    NodeKind.LOGGED_MODEL,
    NodeKind.DATASET,
)
"""What a first look does without: it says how, not from what to what."""

FIRST_HOPS, MOST_HOPS, READABLE = 3, 10, 24


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


def bridged(graph: Graph, kinds: Iterable[NodeKind], keep: NodeId | None = None) -> Graph:
    """The graph without nodes of these kinds; what only they connected is joined directly. ``keep`` stays.

    A bridge is as sure as the weakest edge under it, and says over what it leads.
    """
    unwanted = set(kinds)
    hidden = {node.id for node in graph.nodes if node.kind in unwanted and node.id != keep}
    visible = graph.only(node.id for node in graph.nodes if node.id not in hidden)
    starts = dict.fromkeys(
        edge.source for node in hidden for edge in graph.incoming[node] if edge.source not in hidden
    )
    bridges = [bridge for start in starts for bridge in _bridges(graph, visible, start, hidden)]
    return replace(visible, edges=(*visible.edges, *bridges))


def _bridges(graph: Graph, visible: Graph, start: NodeId, hidden: Collection[NodeId]) -> Iterable[Edge]:
    """Edges from ``start`` over hidden nodes to visible ones that it does not reach otherwise."""
    found: dict[NodeId, Edge] = {}
    pending = [edge for edge in graph.outgoing[start] if edge.target in hidden]
    seen: set[NodeId] = set()
    while pending:
        edge = pending.pop()
        if edge.target in seen:
            continue
        seen.add(edge.target)
        via = graph.by_id[edge.target]
        for onward in graph.outgoing[edge.target]:
            weaker = min(edge, onward, key=lambda one: one.strength)
            joined = Edge(
                start,
                onward.target,
                weaker.evidence,
                weaker.strength,
                f"over {WORDS[via.kind]} {via.name}",
                edge.trained and onward.trained,
            )
            if onward.target in hidden:
                pending.append(joined)
            else:
                found.setdefault(onward.target, joined)
    known = reach(visible, (start,), Direction.DOWN) if found else {}
    return [edge for target, edge in found.items() if target not in known]


def fitting_hops(graph: Graph, focus: NodeId, *, grouped: bool) -> int:
    """How far to look at first: three steps each way, and further while the picture stays readable."""
    best = FIRST_HOPS
    for hops in range(FIRST_HOPS, MOST_HOPS + 1):
        if len(around(graph, focus, hops, grouped=grouped).nodes) > READABLE:
            break
        best = hops
    return best


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
