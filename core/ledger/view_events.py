"""The kinds of events about saved views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSaved(Event):
    """A page as somebody set it up, under a name for the team; ``query`` is its address after the ``?``."""

    kind: ClassVar[str] = "view_saved"
    name: str
    page: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRemoved(Event):
    """The view of this page and name is no longer offered."""

    kind: ClassVar[str] = "view_removed"
    name: str
    page: str
