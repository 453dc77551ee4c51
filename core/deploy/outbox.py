"""What must still be told to the ledger and to MLflow; told again until it is."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from core.access import Actor
from core.deploy import database as db
from core.deploy.database import DeployDatabase, now_text
from core.deploy.types import EndpointKey
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.workspace import Workspace

LEDGER = "ledger"
ALIAS = "alias"
PATIENCE_S = 2.0
"""Whoever is on call does not wait longer for a ledger that another process holds."""

_RUNNING = sa.select(db.operations.c.id).where(db.operations.c.state == "running")
_PENDING = (
    sa.select(db.outbox)
    .where(db.outbox.c.done_at.is_(None), db.outbox.c.operation_id.not_in(_RUNNING))
    .order_by(db.outbox.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One message that has not arrived yet."""

    id: int
    operation_id: str
    key: EndpointKey
    kind: str
    content: dict[str, Any]
    attempts: int
    last_error: str


class Outbox:
    """The messages of one workspace. They are written in the transaction that records a switch."""

    def __init__(self, database: DeployDatabase) -> None:
        self._database = database

    def pending(self, kind: str | None = None) -> tuple[Pending, ...]:
        """Undelivered messages, oldest first; those of an operation that still runs may yet be withdrawn."""
        with self._database.reading() as connection:
            rows = [] if connection is None else connection.execute(_PENDING).all()
        return tuple(
            Pending(
                id=row.id,
                operation_id=row.operation_id,
                key=EndpointKey(row.model, row.environment),
                kind=row.kind,
                content=row.content,
                attempts=row.attempts,
                last_error=row.last_error,
            )
            for row in rows
            if kind in (None, row.kind)
        )

    def mark(self, message: Pending, error: str = "") -> None:
        """Record that a message arrived, or why it did not."""
        values: dict[str, Any] = {"attempts": message.attempts + 1, "last_error": error}
        if not error:
            values["done_at"] = now_text()
        with self._database.noting() as connection:
            connection.execute(sa.update(db.outbox).where(db.outbox.c.id == message.id).values(values))


def deliver(ws: Workspace, outbox: Outbox, kind: str | None = None) -> tuple[str, ...]:
    """Try every undelivered message once; gives back what went wrong, in sentences.

    Of several moves of one alias only the newest is made: the older ones are no longer true.
    """
    messages = outbox.pending(kind)
    ledger_answers = True
    newest = {(m.key, m.content["alias"]): m.id for m in messages if m.kind == ALIAS}
    problems = []
    for message in messages:
        if message.kind == ALIAS and newest[message.key, message.content["alias"]] != message.id:
            outbox.mark(message)
            continue
        if message.kind == LEDGER and not ledger_answers:
            continue
        try:
            _tell(ws, message)
            outbox.mark(message)
        except ModelDeskError as error:
            ledger_answers = ledger_answers and message.kind != LEDGER
            outbox.mark(message, str(error))
            problems.append(f"{message.key}: {error}")
    return tuple(problems)


def deliver_soon(ws: Workspace, outbox: Outbox) -> None:
    """Tell the ledger, waited for PATIENCE_S; what has not arrived then, deployd or the next command tells."""

    def quietly() -> None:
        with suppress(ModelDeskError):
            deliver(ws, outbox, LEDGER)

    thread = threading.Thread(target=quietly, name="tell-ledger", daemon=True)
    thread.start()
    thread.join(PATIENCE_S)


def _tell(ws: Workspace, message: Pending) -> None:
    if message.kind == ALIAS:
        _move_alias(ws, message)
        return
    from core.ledger.events import restore

    content = message.content
    event = restore(content["event"], message.key.model, message.key.environment, content["payload"])
    ws.ledger.append(event, Actor(**content["actor"]), key=f"{message.operation_id}:{content['event']}")


def _move_alias(ws: Workspace, message: Pending) -> None:
    alias, version = message.content["alias"], message.content["version"]
    before = ws.registry.model(message.key.model).aliases.get(alias)
    if before != version:
        ws.registry.set_alias(message.key.model, alias, version, expected=before)
