"""The state kept beside the events: followed in the transaction that appends, loaded at the start, made anew.

What is stored names the event that it stands for, by number and hash, and the code that made it. When either is
not what it should be (a restored backup, rows of an older version), the events are folded instead: they alone count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from core.errors import IntegrityFailure
from core.ledger.canonical import GENESIS
from core.ledger.entries import fingerprint, loaded_tables, rows_of, stored_tables
from core.ledger.projections import PARTS, Tables, follow, project
from core.ledger.rows import record_of
from core.ledger.schema import HEAD, events, projection, version_of
from core.ledger.state import State
from core.ledger.types import Head, Problem, ProblemKind, Record
from core.ledger.verify import Row

_HEAD = (projection.c.part == "head", projection.c.key == "")


def stored_state(connection: sa.Connection) -> tuple[State, str] | None:
    """The state as it is stored and the hash of its last event; None when it stands for no event that is here."""
    head = stored_head(connection)
    if head is None:
        return None
    found = connection.execute(sa.select(events.c.hash).where(events.c.seq == head.events)).scalar()
    if found != head.hash:
        return None
    return State(seq=head.events, **loaded_tables(connection)), head.hash


def stored_head(connection: sa.Connection) -> Head | None:
    """The event up to which the state is stored; None when nothing is, or another version of the code made it."""
    if version_of(connection) != HEAD:
        return None
    text = connection.execute(sa.select(projection.c.value).where(*_HEAD)).scalar()
    made_by, events_, hash_ = json.loads(text) if text else ("", 0, "")
    return Head(events_, hash_) if made_by == fingerprint() else None


def follow_event(connection: sa.Connection, before: Head, record: Record) -> bool:
    """Bring the stored state from ``before`` to ``record``; False when it does not stand at ``before``."""
    if (stored_head(connection) or Head(0, GENESIS)) != before:
        return False
    follow(record, stored_tables(connection, record.seq))
    _set_head(connection, Head(record.seq, record.hash), first=before.events == 0)
    return True


def rebuild(connection: sa.Connection, records: Iterable[Record]) -> State:
    """Forget what is stored and store what follows from ``records``, which are all there are."""
    last = Head(0, GENESIS)

    def seen() -> Iterable[Record]:
        nonlocal last
        for record in records:
            last = Head(record.seq, record.hash)
            yield record

    state = project(seen())
    connection.execute(sa.delete(projection))
    rows = list(rows_of({name: getattr(state, name) for name in PARTS}))
    if rows:
        connection.execute(sa.insert(projection), rows)
    _set_head(connection, last, first=True)
    return state


class Telling:
    """Makes the state of rows that pass by on their way to somebody else; None where they cannot be read."""

    def __init__(self) -> None:
        self._tables: Tables = {name: {} for name in PARTS}
        self._seq, self._readable = 0, True

    def heard(self, row: Row) -> Row:
        """Take the row in and give it on."""
        try:
            if self._readable:
                follow(record_of(row), self._tables)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._readable = False
        self._seq = row[0]
        return row

    @property
    def state(self) -> State | None:
        """What the rows told."""
        return State(seq=self._seq, **self._tables) if self._readable else None


def state_problems(stored: State, told: State) -> tuple[Problem, ...]:
    """A problem where a part of the stored state is not what the events tell."""
    parts = [name for name in PARTS if not _same(getattr(stored, name), getattr(told, name))]
    if not parts:
        return ()
    named = ", ".join(part.replace("_", " ") for part in parts)
    detail = (
        f"The events are in order, but the state stored beside them is not what they tell ({named}): somebody "
        "changed it. `audit rebuild` makes it anew."
    )
    return (Problem(stored.seq, ProblemKind.STATE, detail),)


def _same(one: Any, other: Any) -> bool:
    try:
        return one.is_what(other)
    except IntegrityFailure:
        return False


def _set_head(connection: sa.Connection, head: Head, *, first: bool) -> None:
    text = json.dumps([fingerprint(), head.events, head.hash])
    if first:
        connection.execute(sa.delete(projection).where(*_HEAD))
        row = {"part": "head", "key": "", "seq": 0, "value": text}
        connection.execute(sa.insert(projection).values(row))
    else:
        connection.execute(sa.update(projection).where(*_HEAD).values(value=text))
