"""What happened to a watched model beside its numbers: what served when, on which data it was trained, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import NotFound
from core.ledger.alert_events import DriftAlertRaised
from core.ledger.events import Deployed, Promoted, RolledBack

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.lineage.types import Graph, Node

KINDS = (Promoted.kind, Deployed.kind, RolledBack.kind, DriftAlertRaised.kind)
"""The kinds of records that are marked."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment to mark on a chart; ``data`` is the short hash of the training data of the version that came live."""

    at: datetime
    kind: str
    text: str
    version: int | None = None
    data: str = ""


def marks(records: Iterable[Record], environment: str, graph: Graph | None, file: Path) -> tuple[Mark, ...]:
    """The marks of one model and environment, oldest first; ``file`` names the training data in the graph."""
    found = []
    for record in records:
        if record.environment != environment or record.kind not in KINDS:
            continue
        if record.kind == DriftAlertRaised.kind:
            found.append(Mark(record.at, "alert", str(record.payload["summary"])))
            continue
        version = int(record.payload["to_version"])
        data = trained_on(graph, record.model, version, file) if graph else ()
        verb = "back to " if record.kind == RolledBack.kind else ""
        digest = str(data[0].attributes.get("hash", ""))[:8] if data else ""
        found.append(Mark(record.at, "deployment", f"{verb}v{version}", version, digest))
    return tuple(found)


def trained_on(graph: Graph, model: str, version: int, file: Path) -> Sequence[Node]:
    """The data that a version came from, what ``file`` (a path, dvc: or mlflow:) names first; () when unknown."""
    from core.lineage.find import find_version
    from core.lineage.types import NodeKind
    from core.lineage.walk import Direction, reach

    try:
        start = find_version(graph, model, version)
    except NotFound:
        return ()
    distance = reach(graph, (start,), Direction.UP)
    nodes = [graph.by_id[node] for node in distance]
    data = [node for node in nodes if node.kind in (NodeKind.DATA, NodeKind.DATASET)]
    wanted = file.as_posix()

    def is_it(node: Node) -> bool:
        path, digest = str(node.attributes.get("path") or ""), str(node.attributes.get("hash") or "")
        if wanted.startswith("dvc:"):
            return digest.startswith(wanted.removeprefix("dvc:"))
        if wanted.startswith("mlflow:"):
            name, _, prefix = wanted.removeprefix("mlflow:").partition("@")
            return node.kind is NodeKind.DATASET and node.name == name and digest.startswith(prefix)
        return bool(path) and (wanted == path or wanted.endswith(f"/{path}"))

    return sorted(data, key=lambda node: (not is_it(node), distance[node.id]))
