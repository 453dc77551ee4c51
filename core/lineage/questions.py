"""What people ask the lineage: where from, where to, who is hit, what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.lineage.find import find, find_data, find_version
from core.lineage.types import Graph, Node, NodeId, NodeKind, Strength
from core.lineage.walk import Direction, between, certainty, reach


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedVersion:
    """A version that descends from the data in question, as surely as ``strength`` says.

    ``deployments`` are where it serves or served; ``live`` those that serve now.
    """

    node: Node
    strength: Strength
    deployments: tuple[Node, ...] = ()

    @property
    def live(self) -> tuple[Node, ...]:
        """The deployments that serve now."""
        return tuple(node for node in self.deployments if node.attributes.get("live"))

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who approved any of its deployments, in order, each once."""
        people = (person for node in self.deployments for person in node.attributes.get("approved_by", ()))
        return tuple(dict.fromkeys(people))

    def as_dict(self) -> dict[str, Any]:
        """The version as the command line prints it."""
        return {
            "id": self.node.id,
            "model": self.node.attributes["model"],
            "version": self.node.attributes["version"],
            "strength": self.strength.label,
            "live": [node.attributes["environment"] for node in self.live],
            "approved_by": list(self.approved_by),
            "deployments": [node.id for node in self.deployments],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What descends from some data: ``versions`` surely or likely, live ones first; ``possible`` by name only.

    ``releases`` are those of GTO's tags.
    """

    data: tuple[Node, ...]
    versions: tuple[AffectedVersion, ...]
    possible: tuple[AffectedVersion, ...]
    graph: Graph
    releases: tuple[Node, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as the command line prints it."""
        deployments = [node for version in self.versions for node in version.deployments]
        deployments.sort(key=lambda node: not node.attributes.get("live"))
        return {
            "data": [node.id for node in self.data],
            "versions": [version.as_dict() for version in self.versions],
            "possible": [version.as_dict() for version in self.possible],
            "deployments": [node.as_dict() for node in deployments],
            "releases": [node.as_dict() for node in self.releases],
            **self.graph.as_dict(),
        }


def upstream(graph: Graph, reference: str, hops: int | None = None) -> Graph:
    """Everything that ``reference`` came from, itself included."""
    return graph.only(reach(graph, find(graph, reference), Direction.UP, hops))


def downstream(graph: Graph, reference: str, hops: int | None = None) -> Graph:
    """Everything that came from ``reference``, itself included."""
    return graph.only(reach(graph, find(graph, reference), Direction.DOWN, hops))


def neighbourhood(graph: Graph, starts: Collection[NodeId], hops: int) -> Graph:
    """What the nodes came from and what came from them, ``hops`` edges each way; no siblings."""
    up = reach(graph, starts, Direction.UP, hops)
    down = reach(graph, starts, Direction.DOWN, hops)
    return graph.only(up.keys() | down.keys())


def impact(graph: Graph, reference: str) -> Impact:
    """Every version and deployment descended from the data with this hash, hash prefix or path[@revision].

    Data that a run only evaluated on does not count: its versions were not trained on it.
    """
    return impact_of(graph, find_data(graph, reference))


def impact_of(graph: Graph, data: Sequence[NodeId]) -> Impact:
    """The same for nodes that are known already."""
    sure = certainty(graph, data, Direction.DOWN, training_only=True)
    affected = [
        AffectedVersion(node=node, strength=sure[node.id], deployments=_deployments(graph, node.id))
        for node in graph.of_kind(NodeKind.VERSION)
        if node.id in sure
    ]
    affected.sort(key=_urgency)
    ends = {node for version in affected for node in (version.node.id, *_ids(version.deployments))}
    releases = tuple(node for node in graph.of_kind(NodeKind.RELEASE) if node.id in sure)
    ends.update(_ids(releases))
    return Impact(
        data=tuple(graph.by_id[node] for node in data),
        versions=tuple(version for version in affected if version.strength > Strength.WEAK),
        possible=tuple(version for version in affected if version.strength is Strength.WEAK),
        graph=graph.only(between(graph, data, ends) | set(data)),
        releases=releases,
    )


def origin(graph: Graph, model: str, version: int) -> Graph:
    """What exactly produced a model version: all that it came from. Raises NotFound."""
    return graph.only(reach(graph, (find_version(graph, model, version),), Direction.UP))


def path(graph: Graph, start: str, end: str) -> Graph:
    """All nodes on the ways from ``start`` to ``end``, whichever of the two came first; empty without a way."""
    one, other = find(graph, start), find(graph, end)
    if set(one) & set(other):
        raise BadInput(f"'{start}' and '{end}' are the same thing.", "Name two different ones.")
    return graph.only(between(graph, one, other) or between(graph, other, one))


def as_version(reference: str) -> tuple[str, int]:
    """``version:MODEL/3``, ``MODEL/3`` or ``MODEL/v3`` as a model's name and a number; raises BadInput."""
    model, _, number = reference.removeprefix("version:").rpartition("/")
    digits = number.removeprefix("v")
    if not model or not digits.isdecimal():
        raise BadInput(f"'{reference}' is not a model version.", "Write it as MODEL/3.")
    return model, int(digits)


def _deployments(graph: Graph, version: NodeId) -> tuple[Node, ...]:
    found = [graph.by_id[edge.target] for edge in graph.outgoing[version]]
    found = [node for node in found if node.kind is NodeKind.DEPLOYMENT]
    return tuple(sorted(found, key=lambda node: not node.attributes.get("live")))


def _urgency(version: AffectedVersion) -> tuple[bool, bool, str, int]:
    environments = {str(node.attributes.get("environment")) for node in version.live}
    attributes: Mapping[str, Any] = version.node.attributes
    return not environments, "production" not in environments, attributes["model"], -attributes["version"]


def _ids(nodes: Sequence[Node]) -> tuple[NodeId, ...]:
    return tuple(node.id for node in nodes)
