"""Which data, params, code and environment differ between two model versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.lineage.match import flatten
from core.lineage.questions import origin
from core.lineage.types import Graph, Node, NodeId, NodeKind


class Aspect(StrEnum):
    """What a difference is about."""

    DATA = "data"
    PARAMS = "params"
    CODE = "code"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; None on the side that does not have it."""

    aspect: Aspect
    key: str
    left: str | None
    right: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs, how much is ``identical`` in each aspect, and the joined graph.

    ``unknown`` names aspects of which one side records nothing: no difference there proves nothing.
    """

    left: Node
    right: Node
    changes: tuple[Change, ...]
    identical: Mapping[Aspect, int]
    unknown: tuple[Aspect, ...]
    graph: Graph
    sides: Mapping[NodeId, str]

    def as_dict(self) -> dict[str, Any]:
        """The difference as the command line prints it; each node says whose origin it belongs to."""
        differing: dict[str, dict[str, list[str | None]]] = {aspect.value: {} for aspect in Aspect}
        for change in self.changes:
            differing[change.aspect][change.key] = [change.left, change.right]
        plain = self.graph.as_dict()
        return {
            "left": self.left.id,
            "right": self.right.id,
            "differing": differing,
            "identical": {aspect.value: count for aspect, count in self.identical.items()},
            "unknown": [aspect.value for aspect in self.unknown],
            "nodes": [node | {"side": self.sides[node["id"]]} for node in plain["nodes"]],
            "edges": plain["edges"],
        }


def diff(
    graph: Graph,
    left: tuple[str, int],
    right: tuple[str, int],
    environments: Mapping[tuple[str, int], Mapping[str, str]] | None = None,
) -> Difference:
    """What differs between two versions (model, number); ``environments`` are package -> version each.

    Raises NotFound for an unknown version.
    """
    one, other = origin(graph, *left), origin(graph, *right)
    known = environments or {}
    pairs = {
        Aspect.DATA: (_data(one), _data(other)),
        Aspect.PARAMS: (_params(one), _params(other)),
        Aspect.CODE: (_code(one), _code(other)),
        Aspect.ENVIRONMENT: (known.get(left, {}), known.get(right, {})),
    }
    changes = [
        Change(aspect, key, before.get(key), after.get(key))
        for aspect, (before, after) in pairs.items()
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    identical = {
        aspect: sum(before[key] == after.get(key) for key in before)
        for aspect, (before, after) in pairs.items()
    }
    both = one.by_id.keys() & other.by_id.keys()
    sides = {node: "both" if node in both else "left" for node in one.by_id}
    sides |= {node: "right" for node in other.by_id if node not in both}
    return Difference(
        left=_version(one, left),
        right=_version(other, right),
        changes=tuple(changes),
        identical=identical,
        unknown=tuple(aspect for aspect, (before, after) in pairs.items() if not before or not after),
        graph=graph.only(sides),
        sides=sides,
    )


def _version(graph: Graph, name: tuple[str, int]) -> Node:
    return graph.by_id[NodeId(f"{NodeKind.VERSION}:{name[0]}/{name[1]}")]


def _data(graph: Graph) -> dict[str, str]:
    """Path -> content hashes; MLflow's data sets by name."""
    found: dict[str, set[str]] = {}
    for node in graph.of_kind(NodeKind.DATA, NodeKind.DATASET):
        name = node.name if node.attributes.get("path") or node.kind is NodeKind.DATASET else "training data"
        found.setdefault(name, set()).add(str(node.attributes.get("hash", "not recorded"))[:12])
    return {name: ", ".join(sorted(hashes)) for name, hashes in found.items()}


def _params(graph: Graph) -> dict[str, str]:
    """The runs' params, and what locks recorded under ``stage: key``."""
    found = {
        key: str(value)
        for run in graph.of_kind(NodeKind.RUN)
        for key, value in run.attributes.get("params", {}).items()
    }
    for node in graph.of_kind(NodeKind.PARAMS):
        stage = node.name.removeprefix("params of ")
        values = flatten(node.attributes["values"])
        found |= {f"{stage}: {key}": str(value) for key, value in values.items()}
    return found


def _code(graph: Graph) -> dict[str, str]:
    """Programs by content hash, the runs' commit, and each stage's command with the commit that first held its lock."""
    found = {node.name: str(node.attributes.get("hash", ""))[:12] for node in graph.of_kind(NodeKind.CODE)}
    for run in graph.of_kind(NodeKind.RUN):
        commits = [graph.by_id[edge.source] for edge in graph.incoming[run.id]]
        shas = sorted(str(node.attributes["commit"]) for node in commits if node.kind is NodeKind.COMMIT)
        if shas:
            found["commit of the run"] = ", ".join(sha[:12] for sha in shas)
    for stage in graph.of_kind(NodeKind.STAGE):
        found[f"command of {stage.name}"] = str(stage.attributes.get("command", ""))
        if "revision" in stage.attributes:
            found[f"commit of {stage.name}"] = str(stage.attributes["revision"])
    return found
