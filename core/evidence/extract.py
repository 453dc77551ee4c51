"""The part of the ledger that is about one version, in a form that can be checked without the rest.

Events about the version are there as they are stored; those between them are sealed: number and hash alone, so
that the chain stays whole and nothing of another model leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.ledger.exports import COLUMNS
from core.ledger.types import Record
from core.privacy import shown_metrics

if TYPE_CHECKING:
    from core.workspace import Workspace

_VERSION_FIELDS = ("version", "to_version", "from_version")
NOT_EVIDENCE = frozenset({"export_made"})
"""Left out, or one export would change the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """``records`` are about the version; ``lines`` are the JSON lines from the first of them to the last."""

    records: tuple[Record, ...]
    lines: tuple[str, ...]
    sealed: int


def extract(ws: Workspace, model: str, version: int) -> Extract:
    """The ledger about a version; empty when nothing was ever decided about it."""
    records = tuple(about(ws.ledger.records(model=model), version))
    if not records:
        return Extract(records=(), lines=(), sealed=0)
    open_rows = {record.seq for record in records if not _tells_small_counts(record)}
    last = records[-1].seq
    lines = []
    for row in ws.ledger.rows(after=records[0].seq - 1):
        if row[0] > last:
            break
        whole = dict(zip(COLUMNS, row, strict=True))
        shown = whole if row[0] in open_rows else {"seq": whole["seq"], "hash": whole["hash"]}
        lines.append(json.dumps(shown, ensure_ascii=False))
    return Extract(records=records, lines=tuple(lines), sealed=len(lines) - len(open_rows))


def about(records: Iterable[Record], version: int) -> Iterator[Record]:
    """Of a model's records in order, those about a version: by its number, its requests and its operations."""
    known: set[str] = set()
    for record in records:
        payload = record.payload
        ids = {str(payload[name]) for name in ("request_id", "operation_id") if payload.get(name)}
        if version in [payload.get(name) for name in _VERSION_FIELDS]:
            known |= ids
        elif not ids & known:
            continue
        if record.kind not in NOT_EVIDENCE:
            yield record


def _tells_small_counts(record: Record) -> bool:
    """Whether the stored row holds a metric that must not be shown; it is sealed then."""
    metrics = (record.payload.get("evidence") or {}).get("metrics") or {}
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    return shown_metrics(numbers) != numbers
