"""The ledger: append, read, check. It only grows, and each row carries the hash of the row before."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from core.access import Actor
from core.errors import Conflict
from core.ledger.canonical import GENESIS, canonical_json, instant, instant_text, record_hash
from core.ledger.database import WAIT_S, Database, lock_id
from core.ledger.events import Event
from core.ledger.locks import file_lock
from core.ledger.projections import project
from core.ledger.schema import events
from core.ledger.state import State
from core.ledger.types import Anchor, Head, Record, Verification
from core.ledger.verify import Row, verify_rows

_COLUMNS = tuple(events.c)


class Ledger:
    """The append-only record of decisions at a SQLAlchemy URL (SQLite or PostgreSQL)."""

    rehearses = False

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = Database(url)
        self._clock = clock
        self._state, self._last = State(), GENESIS
        self._folding = threading.Lock()

    def now(self) -> datetime:
        """The time that this ledger writes; whatever a decision's time matters to asks here."""
        return self._clock()

    def append(self, event: Event, actor: Actor, key: str | None = None) -> Record:
        """Add ``event``; with a ``key`` that is already there, the first record under it comes back instead.

        Nothing is half-written: the row is there, or Unavailable is raised.
        """
        with self.database.writing() as connection:
            if key is not None and (first := _by_key(connection, key)):
                return first
            last = connection.execute(
                sa.select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)
            ).first()
            row = _row(event, actor, key, self._clock(), last)
            connection.execute(sa.insert(events).values(dict(zip(events.c.keys(), row, strict=True))))
        return _record(row)

    def records(
        self,
        model: str | None = None,
        kinds: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = 0,
    ) -> tuple[Record, ...]:
        """Records in order: of a model, of some kinds, between two times (inclusive), after a row number."""
        query = sa.select(*_COLUMNS).where(events.c.seq > after).order_by(events.c.seq)
        if model is not None:
            query = query.where(events.c.model == model)
        if kinds:
            query = query.where(events.c.kind.in_(kinds))
        if since is not None:
            query = query.where(events.c.at >= instant_text(since))
        if until is not None:
            query = query.where(events.c.at <= instant_text(until))
        with self.database.reading() as connection:
            return () if connection is None else tuple(map(_record, connection.execute(query)))

    def by_key(self, key: str) -> Record | None:
        """The record that was appended under an idempotency key."""
        with self.database.reading() as connection:
            return None if connection is None else _by_key(connection, key)

    def state(self, until: datetime | None = None) -> State:
        """What follows from all records, or from those up to a time; only new ones are read each time."""
        if until is not None:
            return project(self.records(until=until))
        with self._folding:
            news = self.records(after=max(self._state.seq - 1, 0))
            if self._state.seq and (not news or news[0].hash != self._last):
                # Another ledger lies at this place by now (restored or replaced): begin anew.
                self._state, news = State(), self.records()
            elif self._state.seq:
                news = news[1:]
            self._state = project(news, self._state)
            self._last = news[-1].hash if news else self._last
            return self._state

    def head(self) -> Head:
        """How many events there are and the newest hash."""
        newest = sa.select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)
        with self.database.reading() as connection:
            row = None if connection is None else connection.execute(newest).first()
        return Head(row.seq, row.hash) if row else Head(0, GENESIS)

    def anchor(self) -> Anchor:
        """The head to be kept elsewhere."""
        head = self.head()
        return Anchor(events=head.events, hash=head.hash, at=self._clock())

    def verify(self, anchor: Anchor | None = None) -> Verification:
        """Recompute every hash and link; with an ``anchor``, a cut tail and a rebuilt chain show too."""
        return verify_rows(self.rows(), anchor)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every row as it is stored, in order, after a row number: what the hashes were computed from."""
        with self.database.reading() as connection:
            if connection is not None:
                query = sa.select(*_COLUMNS).where(events.c.seq > after).order_by(events.c.seq)
                yield from map(tuple, connection.execution_options(yield_per=5000).execute(query))

    @contextmanager
    def exclusive(self, name: str, wait_s: float = WAIT_S) -> Iterator[None]:
        """Only one process at a time, on any machine that shares this ledger, acts under ``name``.

        On SQLite (one machine) a lock file beside the database, on PostgreSQL an advisory lock; both end with
        their process. Raises Conflict after ``wait_s``.
        """
        if self.database.is_sqlite:
            folder = self.database.file.with_name(f"{self.database.file.name}.locks")
            with file_lock(folder / f"{lock_id(name) & (2**64 - 1):016x}", wait_s):
                yield
            return
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"SET lock_timeout = {int(wait_s * 1000)}"))
            try:
                connection.execute(sa.text("SELECT pg_advisory_lock(:id)"), {"id": lock_id(name)})
            except sa.exc.OperationalError as error:
                raise Conflict(f"'{name}' is being changed by someone else.", "Try again.") from error
            try:
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:id)"), {"id": lock_id(name)})
                connection.execute(sa.text("SET lock_timeout = DEFAULT"))


def _row(event: Event, actor: Actor, key: str | None, at: datetime, last: Any) -> tuple[Any, ...]:
    who = {"name": actor.name, "display_name": actor.display_name, "source": actor.source, "demo": actor.demo}
    body = (
        last.seq + 1 if last else 1,
        instant_text(at),
        event.kind,
        event.model,
        event.environment,
        canonical_json(who),
        key,
        canonical_json(event.payload()),
        last.hash if last else GENESIS,
    )
    return (*body, record_hash(body))


def _record(row: Any) -> Record:
    seq, at, kind, model, environment, actor, key, payload, prev_hash, digest = row
    return Record(
        seq=seq,
        at=instant(at),
        actor=Actor(**json.loads(actor)),
        kind=kind,
        model=model,
        environment=environment,
        key=key,
        payload=json.loads(payload),
        prev_hash=prev_hash,
        hash=digest,
    )


def _by_key(connection: sa.Connection, key: str) -> Record | None:
    row = connection.execute(sa.select(*_COLUMNS).where(events.c.key == key)).first()
    return _record(row) if row else None
