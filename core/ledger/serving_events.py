"""The kinds of events about what serves that nobody decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingChanged(Event):
    """What answers changed without a decision: live fell over to the warm previous version, or is back."""

    kind: ClassVar[str] = "serving_changed"
    health: str
    live_version: int | None
    answering_version: int | None = None
