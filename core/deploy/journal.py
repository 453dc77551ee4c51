"""The journal of operations: at most one runs per endpoint, a rollback goes first, a late promote is fenced."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from core.deploy import database as db
from core.deploy import journal_rows as rows
from core.deploy import journal_writes as writes
from core.deploy import processes
from core.deploy.database import DeployDatabase, at, now_text, of_key
from core.deploy.journal_writes import Message
from core.deploy.store import change_live, read_endpoints, reopen_served, write_endpoint
from core.deploy.types import (
    Endpoint,
    EndpointKey,
    Operation,
    OperationKind,
    OperationState,
    Process,
    SlotName,
    Step,
)
from core.errors import Conflict, NotFound

_ops = db.operations
_OPERATION = sa.select(_ops).where(_ops.c.id == sa.bindparam("of_id"))
_STEPS = sa.select(db.steps).where(db.steps.c.operation_id == sa.bindparam("of_id")).order_by(db.steps.c.n)
_OF_ENDPOINT = sa.select(_ops).where(*of_key(_ops)).order_by(_ops.c.epoch.desc())
_NEWEST = _OF_ENDPOINT.limit(1)
_RUNNING = sa.select(_ops).where(_ops.c.state == OperationState.RUNNING)
_BEGIN = sa.insert(_ops).returning(_ops)
_NEW_EPOCH = sa.update(db.endpoints).where(*of_key(db.endpoints))
_TELL = sa.insert(db.outbox)
JUST_NOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What someone wants; ``expects`` is the live version that they saw, 0 for none, None when they did not look.

    ``once``: refused when a rollback has just ended, because a second click would go back a second time.
    """

    key: EndpointKey
    kind: OperationKind
    to_version: int
    actor: str
    reason: str
    expects: int | None = None
    idempotency_key: str | None = None
    once: bool = False


class Journal:
    """Operations of one workspace."""

    def __init__(self, database: DeployDatabase) -> None:
        self._database = database

    def begin(self, intent: Intent) -> Operation:
        """Open an operation, or give back the one that already ran under the same key (``repeated``).

        Raises Conflict when another operation runs, or when live is not what was expected, and NotFound when
        nothing was ever deployed there.
        """
        with self._database.noting() as connection:
            if intent.idempotency_key and (earlier := _by_key(connection, intent.idempotency_key)):
                return replace(_same_or_conflict(earlier, intent), repeated=True)
            endpoint = next(iter(read_endpoints(connection, intent.key)), None)
            if endpoint is None:
                raise NotFound(f"Nothing was ever deployed at {intent.key}.", "Deploy a version there first.")
            newest = connection.execute(_NEWEST, at(intent.key)).first()
            if newest is not None:
                _make_way(connection, newest, intent)
            if newest is not None and intent.once:
                _refuse_again(newest)
            _check_expected(connection, endpoint, intent)
            owner = processes.this_process()
            row = {
                "id": uuid.uuid4().hex[:12],
                "model": intent.key.model,
                "environment": intent.key.environment,
                "kind": str(intent.kind),
                "state": str(OperationState.RUNNING),
                "idempotency_key": intent.idempotency_key,
                "epoch": endpoint.epoch + 1,
                "from_version": endpoint.live_version,
                "to_version": intent.to_version,
                "actor": intent.actor,
                "reason": intent.reason,
                "owner_pid": owner.pid,
                "owner_birth": owner.create_time,
                "started_at": now_text(),
            }
            connection.execute(_NEW_EPOCH, at(intent.key) | {"epoch": endpoint.epoch + 1})
            return rows.operation(connection.execute(_BEGIN, row).one())

    def decide(
        self,
        operation: Operation,
        *,
        live: SlotName,
        previous: SlotName | None,
        weights: Mapping[SlotName, int],
        messages: tuple[Message, ...] = (),
    ) -> Endpoint:
        """Record the new desired state; after this the switch is a fact that any process can complete.

        Raises Conflict when a rollback took over meanwhile (the epoch moved): nothing is changed then.
        """
        with self._database.writing() as connection:
            endpoint = read_endpoints(connection, operation.key)[0]
            row = connection.execute(_OPERATION, {"of_id": operation.id}).one()
            if endpoint.epoch != operation.epoch or row.state != OperationState.RUNNING:
                raise Conflict(
                    f"A rollback of {operation.key} took over while this {operation.kind} was under way.",
                    f"v{endpoint.live_version} is live; this operation changed nothing.",
                )
            changed = replace(endpoint, live=live, previous=previous, weights=weights)
            if live != endpoint.live:
                good = operation.kind is not OperationKind.ROLLBACK
                slot = changed.slot(live)
                change_live(connection, endpoint, slot, by=operation.actor, leaves_good=good)
            write_endpoint(connection, changed, operation.actor)
            if messages:
                told = [writes.message_row(operation, message) for message in messages]
                connection.execute(_TELL, told)
            return changed

    def withdraw(self, operation: Operation, before: Endpoint) -> None:
        """Undo :meth:`decide` of a running operation whose switch did not hold; its messages are not sent."""
        with self._database.writing() as connection:
            endpoint = read_endpoints(connection, operation.key)[0]
            if endpoint.epoch != operation.epoch:
                return
            if endpoint.live != before.live:
                reopen_served(connection, operation.key)
            write_endpoint(connection, replace(before, epoch=operation.epoch), operation.actor)
            connection.execute(sa.delete(db.outbox).where(db.outbox.c.operation_id == operation.id))

    def tell(self, operation: Operation, message: Message) -> None:
        """Put a message of an operation into the outbox."""
        with self._database.writing() as connection:
            connection.execute(_TELL, writes.message_row(operation, message))

    def step(self, operation: Operation, *steps: Step) -> None:
        """Write lines of the operation's log; a step that was RUNNING is replaced by its end."""
        with self._database.noting() as connection:
            writes.write_steps(connection, operation.id, steps)

    def finish(
        self, operation: Operation, state: OperationState, message: str, steps: tuple[Step, ...] = ()
    ) -> Operation:
        """End a running operation with its last ``steps``; one that was pre-empted keeps that state."""
        with self._database.noting() as connection:
            writes.write_steps(connection, operation.id, steps)
            writes.end(connection, operation.id, state, message)
        return self.operation(operation.id)

    def finish_verified(
        self, operation: Operation, message: str, seconds: Mapping[str, float], steps: tuple[Step, ...]
    ) -> Operation:
        """End an operation whose switch was seen to hold: what was measured goes into its ledger event as well."""
        with self._database.noting() as connection:
            writes.write_steps(connection, operation.id, steps)
            writes.end(connection, operation.id, OperationState.DONE, message, verified=True, **seconds)
            writes.complete_messages(connection, operation.id, verified=True, seconds=dict(seconds))
        return self.operation(operation.id)

    def running(self) -> tuple[Operation, ...]:
        """Operations under way, without their steps."""
        with self._database.reading() as connection:
            return () if connection is None else tuple(map(rows.operation, connection.execute(_RUNNING)))

    def abort_orphans(self) -> tuple[Operation, ...]:
        """Mark operations whose process is gone as ABORTED; gives back those as they are now."""
        if not self.running():
            return ()
        with self._database.writing() as connection:
            orphans = [row for row in connection.execute(_RUNNING).all() if not _owner_alive(row)]
            for row in orphans:
                _abort(connection, row)
        return tuple(self.operation(row.id) for row in orphans)

    def complete(self, operation: Operation, message: str) -> None:
        """Say of an ABORTED operation whose switch was recorded that it was brought to its end and verified."""
        with self._database.writing() as connection:
            aborted = sa.and_(_ops.c.id == operation.id, _ops.c.state == OperationState.ABORTED)
            values = {"state": str(OperationState.DONE), "message": message, "verified": True}
            connection.execute(sa.update(_ops).where(aborted).values(values))
            writes.complete_messages(connection, operation.id, verified=True)

    def switched(self, operation: Operation) -> bool:
        """True when the operation's new state was recorded and no later decision has replaced it."""
        told = sa.select(db.outbox.c.id).where(db.outbox.c.operation_id == operation.id).limit(1)
        with self._database.reading() as connection:
            endpoint = read_endpoints(connection, operation.key)[0]
            return endpoint.epoch == operation.epoch and connection.execute(told).first() is not None

    def operation(self, operation_id: str) -> Operation:
        """One operation with its steps."""
        with self._database.reading() as connection:
            row = connection.execute(_OPERATION, {"of_id": operation_id}).one()
            steps = tuple(rows.step(line) for line in connection.execute(_STEPS, {"of_id": operation_id}))
        return replace(rows.operation(row), steps=steps)

    def under_key(self, idempotency_key: str) -> Operation | None:
        """The operation that ran, or runs, under an idempotency key."""
        with self._database.reading() as connection:
            row = None if connection is None else _by_key(connection, idempotency_key)
        return replace(self.operation(row.id), repeated=True) if row else None

    def operations(self, key: EndpointKey | None = None, limit: int = 50) -> tuple[Operation, ...]:
        """Operations, newest first, without their steps; of one endpoint by epoch, which no clock can turn back."""
        query = _OF_ENDPOINT if key else sa.select(_ops).order_by(_ops.c.started_at.desc())
        with self._database.reading() as connection:
            if connection is None:
                return ()
            found = connection.execute(query.limit(limit), at(key) if key else {})
            return tuple(map(rows.operation, found))

    def refuse_again(self, key: EndpointKey) -> None:
        """Raise Conflict when a rollback of the endpoint has just ended: one more would go back further."""
        with self._database.reading() as connection:
            newest = None if connection is None else connection.execute(_NEWEST, at(key)).first()
        if newest is not None:
            _refuse_again(newest)


def _refuse_again(newest: Any) -> None:
    last = rows.operation(newest)
    if last.kind is not OperationKind.ROLLBACK or last.state is not OperationState.DONE:
        return
    ago = (datetime.now(UTC) - last.finished_at).total_seconds()
    if 0 <= ago < JUST_NOW_S:  # after a clock was set back, nobody knows how long ago it was
        raise Conflict(
            f"Already done by {last.actor} {ago:.0f} s ago: v{last.to_version} is live in {last.key}.",
            "To go back further, name the version.",
        )


def _make_way(connection: sa.Connection, row: Any, intent: Intent) -> None:
    """End the endpoint's ``row`` should it run and may be ended; only the newest operation can be running."""
    if row.state != OperationState.RUNNING:
        return
    if not _owner_alive(row):
        _abort(connection, row)
    elif intent.kind is OperationKind.ROLLBACK and row.kind != OperationKind.ROLLBACK:
        text = f"A rollback by {intent.actor} took over."
        writes.end(connection, row.id, OperationState.PREEMPTED, text)
    else:
        raise Conflict(
            f"{row.actor} started a {row.kind} of {intent.key} to v{row.to_version} {rows.ago(row.started_at)}.",
            "Wait for it to end; a rollback may interrupt a deployment.",
        )


def _check_expected(connection: sa.Connection, endpoint: Endpoint, intent: Intent) -> None:
    if intent.expects is None or intent.expects == (endpoint.live_version or 0):
        return
    done = sa.select(_ops).where(*of_key(_ops), _ops.c.state == OperationState.DONE)
    last = connection.execute(done.order_by(_ops.c.finished_at.desc()), at(intent.key)).first()
    who = ""
    if last is not None:
        verb = "rolled back" if last.kind == OperationKind.ROLLBACK else "deployed"
        who = f" {verb} by {last.actor} {rows.ago(last.finished_at)}"
    live = f"v{endpoint.live_version} is live" if endpoint.live_version else "nothing is live"
    expected = f"v{intent.expects}" if intent.expects else "nothing"
    if last is not None and intent.to_version == last.to_version == endpoint.live_version:
        raise Conflict(f"Already done: {live},{who}.", "Nothing more to do.")
    raise Conflict(
        f"{live} in {intent.key.environment}{',' if who else ''}{who}; {expected} was expected.",
        "Nothing was changed. Look at what is live now and decide again.",
    )


def _same_or_conflict(row: Any, intent: Intent) -> Operation:
    earlier = rows.operation(row)
    if (earlier.key, earlier.kind, earlier.to_version) != (intent.key, intent.kind, intent.to_version):
        raise Conflict(
            f"The idempotency key was used before for a {earlier.kind} of {earlier.key} to v{earlier.to_version}.",
            "Use a new key for a new operation.",
        )
    return earlier


def _by_key(connection: sa.Connection, key: str) -> Any:
    return connection.execute(sa.select(_ops).where(_ops.c.idempotency_key == key)).first()


def _abort(connection: sa.Connection, row: Any) -> None:
    writes.end(connection, row.id, OperationState.ABORTED, "The process that ran it ended before it did.")


def _owner_alive(row: Any) -> bool:
    return processes.alive(Process(pid=row.owner_pid, create_time=row.owner_birth))
