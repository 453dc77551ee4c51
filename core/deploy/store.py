"""The desired state: which slots exist, what is live, what served when."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.deploy import database as db
from core.deploy.database import DeployDatabase, at, instant, now_text, of_key
from core.deploy.types import Artifact, Endpoint, EndpointKey, Process, Served, Slot, SlotName
from core.errors import Conflict

_LISTENING = (20_000, 32_000)
_CHOICE = random.SystemRandom()
_ENDPOINTS = sa.select(db.endpoints).order_by(db.endpoints.c.model, db.endpoints.c.environment)
_SLOTS = sa.select(db.slots)
_ENDPOINT, _SLOTS_OF = _ENDPOINTS.where(*of_key(db.endpoints)), _SLOTS.where(*of_key(db.slots))
_CHANGE_ENDPOINT = sa.update(db.endpoints).where(*of_key(db.endpoints))
_ONE_SLOT = (*of_key(db.slots), db.slots.c.slot == sa.bindparam("of_slot"))
_CHANGE_SLOT, _FORGET_SLOT = sa.update(db.slots).where(*_ONE_SLOT), sa.delete(db.slots).where(*_ONE_SLOT)
_SERVED = sa.select(db.served).where(*of_key(db.served)).order_by(db.served.c.id.desc())
_END_SERVED = sa.update(db.served).where(*of_key(db.served), db.served.c.until.is_(None))
_BEGIN_SERVED = sa.insert(db.served)


class Store:
    """Endpoints and slots of one workspace."""

    def __init__(self, database: DeployDatabase) -> None:
        self._database = database

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every endpoint, by model and environment; none while nothing was deployed."""
        with self._database.reading() as connection:
            if connection is None:
                return ()
            return read_endpoints(connection)

    def endpoint(self, key: EndpointKey) -> Endpoint | None:
        """One endpoint; None when it never existed."""
        with self._database.reading() as connection:
            found = () if connection is None else read_endpoints(connection, key)
        return found[0] if found else None

    def ensure_endpoint(self, key: EndpointKey, port: int | None, actor: str) -> Endpoint:
        """The endpoint, made on a free loopback port when it is new."""
        with self._database.writing() as connection:
            found = read_endpoints(connection, key)
            if not found:
                taken = set(connection.execute(sa.select(db.endpoints.c.port)).scalars())
                values = {"port": port or _free_port(taken), "weights": {}, "epoch": 0}
                values |= {"changed_at": now_text(), "changed_by": actor}
                connection.execute(sa.insert(db.endpoints).values(**_where(key), **values))
                found = read_endpoints(connection, key)
        return found[0]

    def move(self, key: EndpointKey, port: int) -> None:
        """Have the endpoint listen on another port; what it serves is untouched."""
        with self._database.writing() as connection:
            connection.execute(_CHANGE_ENDPOINT, at(key) | {"port": port})

    def put_slot(self, key: EndpointKey, slot: Slot) -> None:
        """Record what a slot holds and which process serves it."""
        with self._database.writing() as connection:
            connection.execute(_FORGET_SLOT, at(key) | {"of_slot": str(slot.name)})
            connection.execute(sa.insert(db.slots).values(**_where(key), **_slot_values(slot)))

    def replace_process(self, key: EndpointKey, before: Slot, after: Slot) -> bool:
        """Record that a slot runs as another process; False when it holds something else by now."""
        with self._database.writing() as connection:
            found = read_endpoints(connection, key)
            if not found or found[0].slot(before.name) != before:
                return False
            process = after.process
            values = {"pid": process and process.pid, "create_time": process and process.create_time}
            values |= {"started_at": after.started_at.isoformat(), "restarts": after.restarts}
            connection.execute(_CHANGE_SLOT, at(key) | {"of_slot": str(before.name)} | values)
            return True

    def clear_slot(self, key: EndpointKey, name: SlotName) -> None:
        """Forget what a slot held."""
        with self._database.writing() as connection:
            connection.execute(_FORGET_SLOT, at(key) | {"of_slot": str(name)})

    def remember(self, key: EndpointKey, stretches: Sequence[tuple[Served, Artifact]]) -> None:
        """Record stretches of service that another witness vouches for, oldest first."""
        with self._database.writing() as connection:
            _insert_served(connection, key, stretches)

    def adopt(self, key: EndpointKey, stretches: Sequence[tuple[Served, Artifact]], actor: str) -> Endpoint:
        """Make the last of ``stretches`` live and the one before it the way back; nothing runs yet.

        Raises Conflict when something is live already.
        """
        with self._database.writing() as connection:
            endpoint = read_endpoints(connection, key)[0]
            if endpoint.live is not None:
                raise Conflict(f"{key} is served already.", "Look at what is live now.")
            _insert_served(connection, key, stretches)
            names = dict(zip(SlotName, reversed(stretches), strict=False))
            for name, (served, artifact) in names.items():
                slot = Slot(
                    name=name,
                    version=served.version,
                    artifact=artifact,
                    process=None,
                    started_at=datetime.now(UTC),
                )
                connection.execute(sa.insert(db.slots).values(**_where(key), **_slot_values(slot)))
            previous = SlotName.B if SlotName.B in names else None
            changed = replace(
                endpoint,
                live=SlotName.A,
                previous=previous,
                weights={SlotName.A: 100},
                epoch=endpoint.epoch + 1,
            )
            write_endpoint(connection, changed, actor)
            return read_endpoints(connection, key)[0]

    def served(self, key: EndpointKey) -> tuple[Served, ...]:
        """What was live when, newest first."""
        with self._database.reading() as connection:
            if connection is None:
                return ()
            return tuple(_served(row) for row in connection.execute(_SERVED, at(key)))

    def golden(self, sha256: str) -> list[Any] | None:
        """What the files with this digest answered to their input example at first; None when not kept."""
        query = sa.select(db.golden.c.answer).where(db.golden.c.sha256 == sha256)
        with self._database.reading() as connection:
            return None if connection is None else connection.execute(query).scalar()

    def keep_golden(self, sha256: str, answer: list[Any]) -> None:
        """Keep the first answer; a later one never replaces it."""
        with self._database.writing() as connection:
            known = connection.execute(sa.select(db.golden.c.sha256).where(db.golden.c.sha256 == sha256))
            if known.first() is None:
                values = {"sha256": sha256, "answer": answer, "recorded_at": now_text()}
                connection.execute(sa.insert(db.golden).values(values))

    def artifact_of(self, key: EndpointKey, version: int) -> Artifact | None:
        """The files that ``version`` was last served from here; None when it never was."""
        query = _SERVED.where(db.served.c.version == version).limit(1)
        with self._database.reading() as connection:
            row = None if connection is None else connection.execute(query, at(key)).first()
        if row is None:
            return None
        return Artifact(directory=Path(row.directory), sha256=row.sha256, size_bytes=row.size_bytes)


def read_endpoints(connection: sa.Connection, key: EndpointKey | None = None) -> tuple[Endpoint, ...]:
    """Endpoints with their slots, in the given transaction."""
    if key is None:
        slots, rows = connection.execute(_SLOTS).all(), connection.execute(_ENDPOINTS)
    else:
        slots, rows = connection.execute(_SLOTS_OF, at(key)).all(), connection.execute(_ENDPOINT, at(key))
    return tuple(_endpoint(row, slots) for row in rows)


def change_live(
    connection: sa.Connection, endpoint: Endpoint, live: Slot, *, by: str, leaves_good: bool
) -> None:
    """Close the stretch that ends now and open that of ``live``, in the given transaction."""
    now = now_text()
    connection.execute(_END_SERVED, at(endpoint.key) | {"until": now, "good": leaves_good})
    values = {
        "version": live.version,
        "sha256": live.artifact.sha256,
        "directory": str(live.artifact.directory),
        "size_bytes": live.artifact.size_bytes,
    }
    values |= _where(endpoint.key) | {"since": now, "by": by, "good": True}
    connection.execute(_BEGIN_SERVED, values)


def _insert_served(
    connection: sa.Connection, key: EndpointKey, stretches: Sequence[tuple[Served, Artifact]]
) -> None:
    for served, artifact in stretches:
        values = {
            "version": served.version,
            "sha256": served.sha256,
            "directory": str(artifact.directory),
            "size_bytes": artifact.size_bytes,
            "since": served.since.isoformat(timespec="microseconds"),
            "until": served.until and served.until.isoformat(timespec="microseconds"),
            "by": served.by,
            "good": served.good,
        }
        connection.execute(sa.insert(db.served).values(**_where(key), **values))


def _slot_values(slot: Slot) -> dict[str, Any]:
    return {
        "slot": str(slot.name),
        "version": slot.version,
        "directory": str(slot.artifact.directory),
        "sha256": slot.artifact.sha256,
        "size_bytes": slot.artifact.size_bytes,
        "pid": slot.process.pid if slot.process else None,
        "create_time": slot.process.create_time if slot.process else None,
        "started_at": slot.started_at.isoformat(),
        "restarts": slot.restarts,
    }


def reopen_served(connection: sa.Connection, key: EndpointKey) -> None:
    """Forget the newest stretch and let the one before go on, in the given transaction."""
    ids = [row.id for row in connection.execute(_SERVED.limit(2), at(key))]
    connection.execute(sa.delete(db.served).where(db.served.c.id == ids[0]))
    if len(ids) > 1:
        connection.execute(sa.update(db.served).where(db.served.c.id == ids[1]).values(until=None, good=True))


def write_endpoint(connection: sa.Connection, endpoint: Endpoint, by: str) -> None:
    """Store the endpoint's live, previous, weights and epoch, in the given transaction."""
    values: dict[str, Any] = {
        "live": endpoint.live and str(endpoint.live),
        "previous": endpoint.previous and str(endpoint.previous),
        "weights": {str(slot): weight for slot, weight in endpoint.weights.items()},
        "epoch": endpoint.epoch,
        "changed_at": now_text(),
        "changed_by": by,
    }
    connection.execute(_CHANGE_ENDPOINT, at(endpoint.key) | values)


def _endpoint(row: Any, slots: Sequence[Any]) -> Endpoint:
    key = EndpointKey(row.model, row.environment)
    own = [slot for slot in slots if (slot.model, slot.environment) == (row.model, row.environment)]
    return Endpoint(
        key=key,
        port=row.port,
        live=SlotName(row.live) if row.live else None,
        previous=SlotName(row.previous) if row.previous else None,
        weights={SlotName(slot): weight for slot, weight in row.weights.items()},
        epoch=row.epoch,
        changed_at=instant(row.changed_at),
        changed_by=row.changed_by,
        slots=tuple(sorted(map(_slot, own), key=lambda slot: slot.name)),
    )


def _slot(row: Any) -> Slot:
    process = None if row.pid is None else Process(pid=row.pid, create_time=row.create_time)
    artifact = Artifact(directory=Path(row.directory), sha256=row.sha256, size_bytes=row.size_bytes)
    return Slot(
        name=SlotName(row.slot),
        version=row.version,
        artifact=artifact,
        process=process,
        started_at=instant(row.started_at),
        restarts=row.restarts,
    )


def _served(row: Any) -> Served:
    return Served(
        version=row.version,
        sha256=row.sha256,
        since=instant(row.since),
        until=instant(row.until),
        by=row.by,
        good=row.good,
    )


def _where(key: EndpointKey) -> dict[str, str]:
    return {"model": key.model, "environment": key.environment}


def _free_port(taken: set[int]) -> int:
    """A port for good: not one that an outgoing connection may hold when the router is started again."""
    while True:
        port = _CHOICE.randrange(*_LISTENING)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in taken:
                return port
