"""What the ledger gives back: records, the head of the chain, and what a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.access import Actor
from core.ledger.events import Event, restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the ledger. ``hash`` covers every other field; ``prev_hash`` is the hash of row ``seq - 1``."""

    seq: int
    at: datetime
    actor: Actor
    kind: str
    model: str
    environment: str
    key: str | None
    payload: Mapping[str, Any]
    prev_hash: str
    hash: str

    @property
    def event(self) -> Event:
        """The event as its own type."""
        return restore(self.kind, self.model, self.environment, self.payload)

    @property
    def reason(self) -> str:
        """Why, in the actor's words."""
        return str(self.payload.get("reason", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """When somebody last caused an event of a kind in a place."""

    kind: str
    model: str
    environment: str
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row: how many there are, and the hash that stands for all of them."""

    events: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A head written down elsewhere; it later shows a cut tail or a rebuilt chain."""

    events: int
    hash: str
    at: datetime


class ProblemKind(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    SWAPPED = "swapped"
    REMOVED = "removed"
    BROKEN_LINK = "broken link"
    CUT_TAIL = "cut tail"
    REBUILT = "rebuilt"
    UNREADABLE = "unreadable"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: the row it is about, its kind and a sentence."""

    seq: int
    kind: ProblemKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The outcome of checking a chain. ``notices`` are odd but no proof of tampering (a clock set back)."""

    events: int
    head: str
    problems: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    anchored: bool = False

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.problems

    @property
    def sentence(self) -> str:
        """The outcome for people."""
        anchor = "and match the anchor" if self.anchored else "(no anchor given: a cut tail would not show)"
        if self.ok:
            return f"All {self.events:,} events are in order {anchor}."
        first = self.problems[0]
        more = f" {len(self.problems) - 1} more." if len(self.problems) > 1 else ""
        return f"The ledger was tampered with or damaged. {first.detail}{more}"
