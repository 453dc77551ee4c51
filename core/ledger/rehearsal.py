"""A ledger for dry runs: every check is the real one, and nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa

from core.access import Actor
from core.errors import Refused
from core.ledger.canonical import canonical_json
from core.ledger.database import LedgerDatabase
from core.ledger.events import Event
from core.ledger.projections import project
from core.ledger.state import State
from core.ledger.store import Ledger
from core.ledger.types import Record


class _ReadOnly(LedgerDatabase):
    """Whatever else lies beside the ledger is not written in a dry run either."""

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Refused."""
        raise Refused("This is a dry run: nothing is written beside the ledger.", "Run it without --dry-run.")
        yield  # a context manager has one, even where it is never reached


class RehearsalLedger(Ledger):
    """The ledger at a URL to read from; what is appended lives in this process alone, at the end of it."""

    rehearses = True

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(url, clock)
        self.database = _ReadOnly(url)
        self._kept = Ledger(url, clock)
        self.would_add: list[Record] = []

    def append(self, event: Event, actor: Actor, key: str | None = None) -> Record:
        """The record that would be added."""
        if key is not None and (first := self.by_key(key)):
            return first
        record = Record(
            seq=self.head().events + len(self.would_add) + 1,
            at=self._clock(),
            actor=actor,
            kind=event.kind,
            model=event.model,
            environment=event.environment,
            key=key,
            payload=json.loads(canonical_json(event.payload())),
            prev_hash="",
            hash="",
        )
        self.would_add.append(record)
        return record

    def by_key(self, key: str) -> Record | None:
        """The record under an idempotency key, kept or rehearsed."""
        return self._kept.by_key(key) or next((one for one in self.would_add if one.key == key), None)

    def records(
        self,
        model: str | None = None,
        kinds: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = 0,
    ) -> tuple[Record, ...]:
        """The records that are kept, and those that would be."""
        kept = self._kept.records(model, kinds, since, until, after)
        return kept + tuple(
            one
            for one in self.would_add
            if one.seq > after
            and model in (None, one.model)
            and (not kinds or one.kind in kinds)
            and (since is None or since <= one.at)
            and (until is None or one.at <= until)
        )

    def state(self, until: datetime | None = None) -> State:
        """What would follow, with the rehearsed records counted in."""
        kept = self._kept.state(until)
        return project(self.would_add, kept) if self.would_add else kept

    def state_of(self, model: str) -> State:
        """The same for one model."""
        return project([one for one in self.would_add if one.model in (model, "")], super().state_of(model))

    @contextmanager
    def exclusive(self, name: str, wait_s: float = LedgerDatabase.wait_s) -> Iterator[None]:
        """No lock: nothing is changed."""
        yield
