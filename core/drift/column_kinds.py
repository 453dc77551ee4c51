"""What kind people said a column is, where the rules decide wrongly: on the record, with who and why, and its reverse.

A kind on the record goes before the one in ``drift-policy.toml``, which goes before the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.drift.types import ColumnKind
from core.errors import BadInput, Conflict, NotFound
from core.ledger.alert_events import ColumnKindSet

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace

CHOICES = (
    ColumnKind.NUMERIC, ColumnKind.CATEGORICAL, ColumnKind.BOOLEAN, ColumnKind.DATETIME, ColumnKind.IDENTIFIER,
    ColumnKind.TEXT,
)  # fmt: skip
"""The kinds that a person can say; constant, empty and unsupported are facts."""


@dataclass(frozen=True, slots=True)
class SaidKind:
    """A kind that a person gave a column, who, when and why."""

    kind: ColumnKind
    by: str
    at: datetime
    reason: str


def said_kinds(ws: Workspace, model: str, environment: str) -> Mapping[str, SaidKind]:
    """Column -> the kind that the record gives it now."""
    found: dict[str, SaidKind] = {}
    for record in ws.ledger.records(model=model, kinds=(ColumnKindSet.kind,)):
        if record.environment == environment:
            column, kind = str(record.payload["column"]), str(record.payload["treated_as"])
            found.pop(column, None)
            if kind in CHOICES:
                said = SaidKind(ColumnKind(kind), record.actor.printed_name, record.at, record.reason)
                found[column] = said
    return found


def set_kind(
    ws: Workspace,
    model: str,
    column: str,
    kind: ColumnKind | None,
    actor: Actor,
    reason: str,
    *,
    expected: ColumnKind | None = None,
) -> Record:
    """Treat ``column`` as ``kind`` from now on; None gives it back to the policy file and the rules.

    ``expected`` is what the record gave it when the person decided. Raises NotFound for an unknown model or column,
    Refused, BadInput for another kind or no reason, Conflict when somebody was faster or nothing would change.
    """
    from core.drift.watched import monitored, open_watched

    section = monitored(ws).get(model)
    environment = section.environment if section else ""
    require(ws.settings, actor, Action.ACKNOWLEDGE, model, environment)
    if kind is not None and kind not in CHOICES:
        raise BadInput(f"Nobody can say that a column is '{kind}'.", f"Use {', '.join(CHOICES)}.")
    if not reason.strip():
        raise BadInput("Say why: the reason goes on the record.", 'Add --reason "...".')
    watched = open_watched(ws, model)
    known = tuple(dict.fromkeys((*watched.reference.names, *watched.log.names)))
    if column not in known:
        raise NotFound(f"'{model}' has no column '{column}'.", f"It has: {', '.join(known)}.")
    with ws.ledger.exclusive(f"column kinds {model} {environment}"):
        now = said_kinds(ws, model, environment).get(column)
        _unchanged(column, now, expected, kind)
        event = ColumnKindSet(
            model=model, environment=environment, reason=reason, column=column,
            treated_as=kind or "", before=now.kind if now else "",
        )  # fmt: skip
        return ws.ledger.append(event, actor)


def _unchanged(
    column: str, now: SaidKind | None, expected: ColumnKind | None, kind: ColumnKind | None
) -> None:
    held = now.kind if now else None
    if held != expected:
        said = f"{now.by} made it {held}" if now else "it was given back to the rules"
        raise Conflict(f"'{column}' was changed meanwhile: {said}.", "Look again, then decide.")
    if held == kind:
        said = f"already {held}" if held else "decided by the rules as it is"
        raise Conflict(f"'{column}' is {said}.", "There is nothing to change.")
