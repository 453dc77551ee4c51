"""The ledger: append, read, check. It only grows, and each row carries the hash of the row before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from core.access import Actor
from core.database import lock_id
from core.errors import Conflict
from core.ledger.canonical import GENESIS, instant_text
from core.ledger.database import LedgerDatabase
from core.ledger.events import Event
from core.ledger.projections import project
from core.ledger.rows import record_of, row_of, use_of
from core.ledger.schema import events
from core.ledger.state import State
from core.ledger.stored import Telling, follow_event, rebuild, state_problems, stored_state
from core.ledger.types import Anchor, Head, Record, Use, Verification
from core.ledger.verify import Row, verify_rows
from core.locks import file_lock

_COLUMNS = tuple(events.c)
_AFTER = sa.select(*_COLUMNS).where(events.c.seq > sa.bindparam("after")).order_by(events.c.seq)
_HEAD = sa.select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)


class Ledger:
    """The append-only record of decisions at a SQLAlchemy URL (SQLite or PostgreSQL)."""

    rehearses = False

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = LedgerDatabase(url)
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
            last = _head(connection)
            row = row_of(event, actor, key, self._clock(), last)
            connection.execute(sa.insert(events).values(dict(zip(events.c.keys(), row, strict=True))))
            record = record_of(row)
            if not follow_event(connection, last, record):
                rebuild(connection, _all_records(connection))
        return record

    def records(
        self,
        model: str | None = None,
        kinds: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        after: int = 0,
    ) -> tuple[Record, ...]:
        """Records in order: of a model, of some kinds, between two times (inclusive), after a row number."""
        query = _AFTER
        if model is not None:
            query = query.where(events.c.model == model)
        if kinds:
            query = query.where(events.c.kind.in_(kinds))
        if since is not None:
            query = query.where(events.c.at >= instant_text(since))
        if until is not None:
            query = query.where(events.c.at <= instant_text(until))
        with self.database.reading() as connection:
            if connection is None:
                return ()
            return tuple(map(record_of, connection.execute(query, {"after": after})))

    def newest(self, limit: int, model: str | None = None) -> tuple[Record, ...]:
        """The last records (about a model), newest first."""
        query = sa.select(*_COLUMNS).order_by(events.c.seq.desc()).limit(limit)
        if model is not None:
            query = query.where(events.c.model == model)
        with self.database.reading() as connection:
            return () if connection is None else tuple(map(record_of, connection.execute(query)))

    def models(self) -> tuple[str, ...]:
        """Every model that an event is about, by name, whether or not it is registered still."""
        query = sa.select(events.c.model).where(events.c.model != "").distinct().order_by(events.c.model)
        with self.database.reading() as connection:
            return () if connection is None else tuple(connection.scalars(query))

    def last_uses(self, kinds: Sequence[str]) -> tuple[Use, ...]:
        """When each actor last caused an event of each kind, per model and environment."""
        who = (events.c.kind, events.c.model, events.c.environment, events.c.actor)
        query = sa.select(*who, sa.func.max(events.c.at)).where(events.c.kind.in_(kinds)).group_by(*who)
        with self.database.reading() as connection:
            return () if connection is None else tuple(map(use_of, connection.execute(query)))

    def by_key(self, key: str) -> Record | None:
        """The record that was appended under an idempotency key."""
        with self.database.reading() as connection:
            return None if connection is None else _by_key(connection, key)

    def state(self, until: datetime | None = None) -> State:
        """What follows from all records, or from those up to a time; only new ones are read each time."""
        if until is not None:
            return project(self.records(until=until))
        with self._folding:
            news = self.records(after=max(self._state.seq - 1, 0)) if self._state.seq else ()
            if news and news[0].hash == self._last:
                self._state, self._last = project(news[1:], self._state), news[-1].hash
            else:
                # The first look, or another ledger lies at this place by now (restored or replaced).
                self._state, self._last = self._whole_state()
            return self._state

    def state_of(self, model: str) -> State:
        """What the events about a model, and those about none, tell: read and folded anew, whatever is stored."""
        query = sa.select(*_COLUMNS).where(events.c.model.in_((model, ""))).order_by(events.c.seq)
        with self.database.reading() as connection:
            return State() if connection is None else project(map(record_of, connection.execute(query)))

    def _whole_state(self) -> tuple[State, str]:
        """The state and the hash of its last event: as stored, and where that does not fit, from the events."""
        with self.database.reading() as connection:
            if connection is None:
                return State(), GENESIS
            state, last = stored_state(connection) or (State(), GENESIS)
            query = sa.select(*_COLUMNS).where(events.c.seq > state.seq).order_by(events.c.seq)
            news = tuple(map(record_of, connection.execute(query)))
            return (project(news, state), news[-1].hash) if news else (state, last)

    def rebuild(self) -> State:
        """Store the state anew from the events, which alone count; the result is the same. Raises Unavailable."""
        with self.database.writing() as connection:
            return rebuild(connection, _all_records(connection))

    def head(self) -> Head:
        """How many events there are and the newest hash."""
        with self.database.reading() as connection:
            return Head(0, GENESIS) if connection is None else _head(connection)

    def anchor(self) -> Anchor:
        """The head to be kept elsewhere."""
        head = self.head()
        return Anchor(events=head.events, hash=head.hash, at=self._clock())

    def verify(self, anchor: Anchor | None = None) -> Verification:
        """Recompute every hash and link, and whether the stored state is what follows from the events.

        With an ``anchor``, a cut tail and a rebuilt chain show too.
        """
        with self.database.reading() as connection:
            stored = stored_state(connection) if connection is not None else None
        told = Telling()
        found = verify_rows(map(told.heard, self.rows()), anchor)
        if stored is None or told.state is None or found.problems or told.state.seq != stored[0].seq:
            return found
        return replace(found, problems=state_problems(stored[0], told.state))

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every row as it is stored, in order, after a row number: what the hashes were computed from."""
        with self.database.reading() as connection:
            if connection is not None:
                query = sa.select(*_COLUMNS).where(events.c.seq > after).order_by(events.c.seq)
                yield from map(tuple, connection.execution_options(yield_per=5000).execute(query))

    @contextmanager
    def exclusive(self, name: str, wait_s: float = LedgerDatabase.wait_s) -> Iterator[None]:
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


def _by_key(connection: sa.Connection, key: str) -> Record | None:
    row = connection.execute(sa.select(*_COLUMNS).where(events.c.key == key)).first()
    return record_of(row) if row else None


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(_HEAD).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def _all_records(connection: sa.Connection) -> Iterator[Record]:
    query = sa.select(*_COLUMNS).order_by(events.c.seq)
    yield from map(record_of, connection.execute(query))
