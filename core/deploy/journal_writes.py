"""Writes that several transitions of the journal share, each inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.deploy import database as db
from core.deploy.database import now_text
from core.deploy.types import Operation, OperationState, Step, StepState

_of_steps = db.steps.c.operation_id == sa.bindparam("of_id")
_DROP_RUNNING_STEP = sa.delete(db.steps).where(_of_steps, db.steps.c.state == StepState.RUNNING)
_LAST_STEP = sa.select(sa.func.coalesce(sa.func.max(db.steps.c.n), 0)).where(_of_steps)
_ADD_STEP = sa.insert(db.steps)
_END = sa.update(db.operations).where(
    db.operations.c.id == sa.bindparam("of_id"), db.operations.c.state == OperationState.RUNNING
)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be told elsewhere once the switch is recorded: a ledger event or an alias."""

    kind: str
    content: Mapping[str, Any]


def write_steps(connection: sa.Connection, operation_id: str, steps: tuple[Step, ...]) -> None:
    """Append lines to an operation's log; one that was RUNNING is replaced by them."""
    of_id = {"of_id": operation_id}
    connection.execute(_DROP_RUNNING_STEP, of_id)
    last = connection.execute(_LAST_STEP, of_id).scalar()
    for n, step in enumerate(steps, last + 1):
        values = {"name": step.name, "state": str(step.state), "started_at": step.started_at.isoformat()}
        values |= {"seconds": step.seconds, "detail": step.detail, "n": n, "operation_id": operation_id}
        connection.execute(_ADD_STEP, values)


def end(
    connection: sa.Connection, operation_id: str, state: OperationState, message: str, **measured: Any
) -> None:
    """End an operation, should it still run."""
    values = {"state": str(state), "message": message, "finished_at": now_text(), **measured}
    connection.execute(_END, {"of_id": operation_id} | values)


def complete_messages(connection: sa.Connection, operation_id: str, **measured: Any) -> None:
    """Add what was measured after the switch to the operation's ledger events."""
    own = sa.and_(db.outbox.c.operation_id == operation_id, db.outbox.c.done_at.is_(None))
    for row in connection.execute(sa.select(db.outbox).where(own)).all():
        if "verified" in row.content.get("payload", {}):
            content = row.content | {"payload": row.content["payload"] | measured}
            connection.execute(sa.update(db.outbox).where(db.outbox.c.id == row.id).values(content=content))


def message_row(operation: Operation, message: Message) -> dict[str, Any]:
    """The outbox row of a message that nobody has been told yet."""
    return {
        "operation_id": operation.id,
        "model": operation.key.model,
        "environment": operation.key.environment,
        "kind": message.kind,
        "content": dict(message.content),
        "attempts": 0,
        "last_error": "",
        "created_at": now_text(),
    }
