"""Deputies: who may approve in place of an approver, until a date; it ends by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, Conflict
from core.ledger.events import DeputyEnded, DeputyNamed

if TYPE_CHECKING:
    from core.ledger.state import Deputy
    from core.ledger.types import Record
    from core.workspace import Workspace

LONGEST = timedelta(days=90)


def name_deputy(ws: Workspace, actor: Actor, deputy: str, until: datetime, reason: str = "") -> Record:
    """Let ``deputy`` approve in the actor's place until ``until``; naming again moves the date.

    Raises Refused without the right, BadInput for an unknown person, oneself, a past date or one more than
    90 days away.
    """
    require(ws.settings, actor, Action.NAME_DEPUTY)
    now = ws.ledger.now()
    people = known_people(ws)
    if deputy not in people:
        known = ", ".join(people) or "nobody"
        raise BadInput(f"'{deputy}' is nobody that this workspace knows.", f"It knows: {known}.")
    if deputy == actor.name:
        raise BadInput("Nobody can be their own deputy.", "Name somebody else.")
    if not now < until <= now + LONGEST:
        raise BadInput(
            f"A deputy is named until a date within {LONGEST.days} days from now.", "Choose another date."
        )
    event = DeputyNamed(deputy=deputy, principal=actor.name, until=until, reason=reason)
    return ws.ledger.append(event, actor)


def end_deputy(ws: Workspace, actor: Actor, deputy: str, reason: str = "") -> Record:
    """End what :func:`name_deputy` began, before its date. Raises Refused, and Conflict when nothing holds."""
    require(ws.settings, actor, Action.NAME_DEPUTY)
    if not any((item.deputy, item.principal) == (deputy, actor.name) for item in deputies(ws)):
        raise Conflict(f"{deputy} does not stand in for {actor.printed_name}.", "There is nothing to end.")
    return ws.ledger.append(DeputyEnded(deputy=deputy, principal=actor.name, reason=reason), actor)


def deputies(ws: Workspace) -> tuple[Deputy, ...]:
    """Who stands in for whom now."""
    return tuple(item for item in ws.ledger.state().deputies if item.until > ws.ledger.now())


def known_people(ws: Workspace) -> dict[str, str]:
    """The people of the settings, name -> what to call them."""
    access = ws.settings.access
    found = {grant.user: grant.user for grant in access.grants}
    return found | {user.name: user.display_name or user.name for user in access.users}
