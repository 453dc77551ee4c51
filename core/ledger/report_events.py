"""The kinds of events about checks that were made elsewhere and kept as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAttached(Event):
    """A check's report was kept with a run; ``sha256`` is of its canonical JSON."""

    kind: ClassVar[str] = "report_attached"
    run_id: str
    name: str
    verdict: str
    sha256: str
