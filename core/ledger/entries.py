"""The parts of the ledger's state as they are stored beside the events: text that is read when it is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.errors import IntegrityFailure
from core.ledger import alert_events, events, projections, state, types, version_events
from core.ledger.events import PolicyPublished
from core.ledger.projections import Tables
from core.ledger.schema import projection
from core.ledger.state import Deputy, Freeze, OpenAlert, Request, Service
from core.ledger.types import Record

_SHAPES: dict[str, Any] = {
    "services": tuple[Service, ...],
    "freezes": Freeze,
    "requests": Request,
    "named": Deputy,
    "published": tuple[datetime, PolicyPublished],
    "unfinished": Record,
    "reviews_due": Record,
    "alerts": OpenAlert,
    "moved_outside": Record,
    "archived": Record,
}


@cache
def fingerprint() -> str:
    """Changes when the code that makes the state does: what another version stored is then made anew."""
    digest = hashlib.sha256()
    for module in (alert_events, events, projections, state, types, version_events):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


@cache
def _adapter(name: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_SHAPES[name])


def _written(name: str, value: Any) -> str:
    return _adapter(name).dump_json(value, warnings=False).decode()


def _read(name: str, text: str) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(name).validate_json(text)
    except ValidationError as error:
        raise IntegrityFailure(
            f"The stored state of the ledger is damaged ({name}).",
            "`audit rebuild` makes it anew from the events.",
        ) from error


def _key(stored: str) -> Any:
    found = json.loads(stored)
    return tuple(found) if isinstance(found, list) else found


@dataclass(frozen=True, slots=True)
class _Text:
    """An entry that nobody has asked for yet."""

    text: str


class Entries(MutableMapping[Any, Any]):
    """One part of the state in memory; what came from the database is read on first use."""

    def __init__(self, name: str, values: dict[Any, Any]) -> None:
        self._name, self._values = name, values

    def __getitem__(self, key: Any) -> Any:
        value = self._values[key]
        if isinstance(value, _Text):
            value = self._values[key] = _read(self._name, value.text)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def is_what(self, told: Mapping[Any, Any]) -> bool:
        """Whether these are the same entries in the same order; what is unread is compared as text, which is quick.

        Raises IntegrityFailure for an entry that cannot be read.
        """
        return list(self) == list(told) and all(self._is(key, value) for key, value in told.items())

    def _is(self, key: Any, value: Any) -> bool:
        own = self._values[key]
        return (isinstance(own, _Text) and own.text == _written(self._name, value)) or self[key] == value

    def copy(self) -> Entries:
        """A mapping of its own with the same entries, still unread where they were."""
        return Entries(self._name, dict(self._values))


class StoredEntries(MutableMapping[Any, Any]):
    """One part of the state in the database, within a transaction; ``seq`` is the event that is being followed."""

    def __init__(self, connection: sa.Connection, name: str, seq: int) -> None:
        self._connection, self._name, self._seq = connection, name, seq

    def __getitem__(self, key: Any) -> Any:
        query = sa.select(projection.c.value).where(*self._at(key))
        text = self._connection.execute(query).scalar()
        if text is None:
            raise KeyError(key)
        return _read(self._name, text)

    def __setitem__(self, key: Any, value: Any) -> None:
        text = _written(self._name, value)
        update = sa.update(projection).where(*self._at(key)).values(value=text)
        if not self._connection.execute(update).rowcount:
            row = {"part": self._name, "key": json.dumps(key), "seq": self._seq, "value": text}
            self._connection.execute(sa.insert(projection).values(row))

    def __delitem__(self, key: Any) -> None:
        if not self._connection.execute(sa.delete(projection).where(*self._at(key))).rowcount:
            raise KeyError(key)

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove an entry without reading it where it is absent."""
        found = self.get(key, default)
        self._connection.execute(sa.delete(projection).where(*self._at(key)))
        return found

    def __iter__(self) -> Iterator[Any]:
        query = sa.select(projection.c.key).where(projection.c.part == self._name).order_by(projection.c.seq)
        return map(_key, self._connection.execute(query).scalars())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _at(self, key: Any) -> tuple[sa.ColumnElement[bool], ...]:
        return projection.c.part == self._name, projection.c.key == json.dumps(key)


def stored_tables(connection: sa.Connection, seq: int) -> Tables:
    """The parts of the state in the database, to follow event ``seq`` in this transaction."""
    return {name: StoredEntries(connection, name, seq) for name in _SHAPES}


def loaded_tables(connection: sa.Connection) -> Tables:
    """The parts of the state as they are stored; nothing is interpreted yet."""
    columns = (projection.c.part, projection.c.key, projection.c.value)
    values: dict[str, dict[Any, Any]] = {name: {} for name in _SHAPES}
    for part, key, text in connection.execute(sa.select(*columns).order_by(projection.c.seq)):
        if part in values:
            values[part][_key(key)] = _Text(text)
    return {name: Entries(name, found) for name, found in values.items()}


def rows_of(tables: Mapping[str, Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    """Every entry of a whole state as a row; ``seq`` keeps their order."""
    for name, table in tables.items():
        for number, (key, value) in enumerate(table.items()):
            yield {"part": name, "key": json.dumps(key), "seq": number, "value": _written(name, value)}
