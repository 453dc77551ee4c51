"""The answer in one sentence, before any picture: what descends from this, or what made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.lineage.find import FILES, same_content
from core.lineage.questions import AffectedVersion, Impact, impact_of
from core.lineage.tree import WORDS
from core.lineage.types import Graph, Node, NodeId, NodeKind, Strength
from core.lineage.walk import Direction, certainty, reach

MOST_NAMED = 4
DATA = (NodeKind.DATA, NodeKind.DATASET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``sentence`` for people, whether it needs somebody (``urgent``: something serves), and the impact behind it."""

    sentence: str
    urgent: bool = False
    impact: Impact | None = None


def answer(graph: Graph, node_id: NodeId) -> Answer:
    """What a person who opens this node most likely wants to know."""
    node = graph.by_id[node_id]
    if node.kind is NodeKind.VERSION:
        return Answer(sentence=_origin(graph, node))
    if node.kind in (NodeKind.DEPLOYMENT, NodeKind.PREDICTION_LOG):
        versions = [other for other in _upstream(graph, node_id) if other.kind is NodeKind.VERSION]
        named = ", ".join(version.name for version in versions) or "a version that is not known"
        sentence = f"{WORDS[node.kind].capitalize()} {node.name} came from {named}."
        return Answer(sentence=_origin(graph, versions[0]) if len(versions) == 1 else sentence)
    starts = same_content(graph, (node_id,)) if node.kind in FILES else (node_id,)
    found = impact_of(graph, starts)
    return Answer(
        sentence=_descendants(node, found) + _released(found.releases),
        urgent=any(one.live for one in found.versions),
        impact=found,
    )


def _descendants(node: Node, found: Impact) -> str:
    came = "trained on" if node.kind in DATA else "made from"
    thing = f"{node.name} with this content" if node.kind in FILES else _called(node)
    total = len(found.versions)
    if not total:
        return f"No model version is known to have been {came} {thing}."
    live = [one for one in found.versions if one.live]
    versions = "1 version was" if total == 1 else f"{total} versions were"
    if not live:
        return f"{versions} {came} {thing}; none of them serves now."
    if len(live) == total:
        serving = "it serves" if total == 1 else "all of them serve"
    else:
        serving = f"{len(live)} of them {'serves' if len(live) == 1 else 'serve'}"
    return f"{versions} {came} {thing}; {serving} now: {_named(live)}."


def _released(releases: Sequence[Node]) -> str:
    if not releases:
        return ""
    told = [
        node.name + (f" ({', '.join(node.attributes['stages'])})" if node.attributes.get("stages") else "")
        for node in releases[:MOST_NAMED]
    ]
    more = f" and {len(releases) - MOST_NAMED} more" if len(releases) > MOST_NAMED else ""
    return f" GTO's tags release it as {', '.join(told)}{more}."


def _called(node: Node) -> str:
    return node.name if node.kind is NodeKind.PARAMS else f"{WORDS[node.kind]} {node.name}"


def _named(live: Sequence[AffectedVersion]) -> str:
    told = [
        f"{one.node.name} in {' and '.join(dict.fromkeys(_environment(place) for place in one.live))}"
        for one in live[:MOST_NAMED]
    ]
    return ", ".join(told) + (f" and {len(live) - MOST_NAMED} more" if len(live) > MOST_NAMED else "")


def _environment(place: Node) -> str:
    return str(place.attributes.get("environment", place.name))


def _origin(graph: Graph, version: Node) -> str:
    """``v8 was trained by stage train from raw.csv 3f2a91c; the weakest link is strong``."""
    before = _upstream(graph, version.id)
    stages = [node for node in before if node.kind is NodeKind.STAGE]
    runs = [node for node in before if node.kind is NodeKind.RUN]
    data = [node for node in before if node.kind is NodeKind.DATA and not _made(graph, node)]
    if not (stages or data):
        by = f"the run {runs[0].name}" if runs else "a run that is not known"
        return f"{version.name} came from {by}; no DVC stage or data is known for it."
    told = [f"{version.name} came from"]
    told.append(f"stage {stages[0].name}" if stages else f"run {runs[0].name}" if runs else "a run")
    if data:
        told.append("on " + ", ".join(_with_hash(node) for node in data[:MOST_NAMED]))
    if len(data) > MOST_NAMED:
        told.append(f"and {len(data) - MOST_NAMED} more")
    surely = certainty(graph, (version.id,), Direction.UP)
    weakest = min((surely[node.id] for node in (*stages[:1], *data)), default=Strength.EXACT)
    return f"{' '.join(told)} (evidence: {weakest.label})."


def _upstream(graph: Graph, node_id: NodeId) -> list[Node]:
    """Everything before a node, the nearest first."""
    distance = reach(graph, (node_id,), Direction.UP)
    return [graph.by_id[other] for other in sorted(distance, key=distance.__getitem__) if other != node_id]


def _made(graph: Graph, node: Node) -> bool:
    """Whether a stage made this file, or a folder that it lies in: then it is no source."""
    makers = (NodeKind.STAGE, NodeKind.DATA)
    return any(graph.by_id[edge.source].kind in makers for edge in graph.incoming[node.id])


def _with_hash(node: Node) -> str:
    digest: Any = node.attributes.get("hash")
    return f"{node.name} ({str(digest)[:7]})" if digest else node.name
