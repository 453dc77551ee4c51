"""The lineage graph: what there is, what it came from, and how surely we know that.

A node is a thing with an identity that does not change: a data file *with this content*, one execution of a
stage (not the stage's name), one run, one model version. Two contents of one path are two nodes; that is
what keeps "which models were trained on this?" from answering "all of them".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, NewType

from core.lineage.revisions import Revisions

NodeId = NewType("NodeId", str)


class NodeKind(StrEnum):
    """What a node stands for, in the order in which things usually happen."""

    DATA = "data"
    PARAMS = "params"
    COMMIT = "commit"
    CODE = "code"
    STAGE = "stage"
    MODEL_FILE = "model_file"
    DATASET = "dataset"
    RUN = "run"
    LOGGED_MODEL = "logged_model"
    RELEASE = "release"
    VERSION = "version"
    DEPLOYMENT = "deployment"
    PREDICTION_LOG = "prediction_log"


class Evidence(StrEnum):
    """Why an edge is believed, best first."""

    LOCK = "dvc.lock"
    MLFLOW = "mlflow"
    LEDGER = "ledger"
    GIT_TAG = "git tag"
    RUN_TAG = "run tag"
    CONTENT_HASH = "content hash"
    COMMIT_AND_PARAMS = "commit window + params"
    ALIAS = "alias"
    SETTINGS = "settings"
    NAME = "name"


class Strength(IntEnum):
    """How far an edge may be trusted; a chain of edges is as strong as its weakest."""

    WEAK = 1
    LIKELY = 2
    STRONG = 3
    EXACT = 4

    @property
    def label(self) -> str:
        """The word shown to people and written to JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Node:
    """A thing in the graph; ``attributes`` are plain JSON values, never the keys id, kind or name."""

    id: NodeId
    kind: NodeKind
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The node as the command line prints it."""
        return {"id": self.id, "kind": self.kind.value, "name": self.name, **self.attributes}


@dataclass(frozen=True, slots=True)
class Edge:
    """``target`` came from ``source``.

    ``note`` says in a few words what was compared. ``trained`` is False where the source only evaluated the
    target: such an edge is lineage, but no training.
    """

    source: NodeId
    target: NodeId
    evidence: Evidence
    strength: Strength
    note: str = ""
    trained: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The edge as the command line prints it."""
        return {
            "from": self.source,
            "to": self.target,
            "evidence": self.evidence.value,
            "strength": self.strength.label,
            "note": self.note,
        }


@dataclass(frozen=True)
class Graph:
    """Nodes and the edges between them; ``notes`` name what could not be read or joined, ``incomplete`` says that
    a store which should answer did not.

    ``held`` are the commits whose lock holds a file's content or a stage's execution; ``uncompared`` counts what
    runs logged and nobody has compared with DVC's files yet.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    notes: tuple[str, ...] = ()
    held: Mapping[NodeId, frozenset[str]] = field(default_factory=dict)
    revisions: Revisions = field(default_factory=Revisions)
    uncompared: int = 0
    incomplete: bool = False

    @cached_property
    def by_id(self) -> dict[NodeId, Node]:
        """The nodes by their id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def outgoing(self) -> dict[NodeId, list[Edge]]:
        """Edges that leave each node; every node has an entry."""
        table: dict[NodeId, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            table[edge.source].append(edge)
        return table

    @cached_property
    def incoming(self) -> dict[NodeId, list[Edge]]:
        """Edges that enter each node; every node has an entry."""
        table: dict[NodeId, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            table[edge.target].append(edge)
        return table

    def of_kind(self, *kinds: NodeKind) -> tuple[Node, ...]:
        """The nodes of these kinds, in the graph's order."""
        return tuple(node for node in self.nodes if node.kind in kinds)

    def only(self, ids: Iterable[NodeId]) -> Graph:
        """The part of the graph between these nodes."""
        keep = set(ids)
        return Graph(
            tuple(node for node in self.nodes if node.id in keep),
            tuple(edge for edge in self.edges if edge.source in keep and edge.target in keep),
            self.notes,
            {node: commits for node, commits in self.held.items() if node in keep},
            self.revisions,
        )

    def as_dict(self) -> dict[str, Any]:
        """Nodes and edges as the command line prints them."""
        return {
            "nodes": [node.as_dict() for node in self.nodes],
            "edges": [edge.as_dict() for edge in self.edges],
        }
