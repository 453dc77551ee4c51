"""The review after a break-glass rollback: due within 24 hours, by somebody else than who rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, Conflict, Refused
from core.ledger.events import RolledBackReviewed

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace


def reviews_due(ws: Workspace) -> tuple[Record, ...]:
    """Rollbacks that nobody has looked at yet, oldest first; ``event.review_due`` is each one's date."""
    return tuple(ws.ledger.state().reviews_due.values())


def review(ws: Workspace, operation_id: str, actor: Actor, finding: str) -> Record:
    """Record what a lead found about a rollback; lifting the freeze is a decision of its own.

    Raises Refused without the right and for who rolled back, BadInput without a finding, Conflict when no
    review of it is due (somebody may have been first).
    """
    found = ws.ledger.state().reviews_due.get(operation_id)
    if found is None:
        raise Conflict(f"No review of '{operation_id}' is due.", "`review list` shows those that are.")
    require(ws.settings, actor, Action.REVIEW, found.model, found.environment)
    if found.actor.name == actor.name:
        raise Refused(
            f"{actor.printed_name} did this rollback: somebody else must review it.", "Four eyes: ask a lead."
        )
    if not finding.strip():
        raise BadInput("A review needs a finding.", "Say whether it was right, and what follows from it.")
    with ws.ledger.exclusive(f"alias {found.model}"):
        if operation_id not in ws.ledger.state().reviews_due:
            raise Conflict("This rollback was reviewed a moment ago.", "Look at its history.")
        event = RolledBackReviewed(
            model=found.model, environment=found.environment, operation_id=operation_id, finding=finding
        )
        return ws.ledger.append(event, actor)
