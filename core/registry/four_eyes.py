"""Who may answer a request: an approver or a deputy, and never its requester or the run's author."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import Action, Actor, decide, require
from core.errors import Refused

if TYPE_CHECKING:
    from core.ledger.state import Request
    from core.workspace import Workspace


def may_answer(ws: Workspace, request: Request, actor: Actor) -> str:
    """'' for somebody with the right of their own, else the name of whom they stand in for. Raises Refused."""
    place = (request.opened.model, request.opened.environment)
    check_four_eyes(ws, request, actor.name, actor)
    if decide(ws.settings, actor, Action.APPROVE, *place).allowed:
        return ""
    for name in ws.ledger.state().principals(actor.name, ws.ledger.now()):
        if decide(ws.settings, actor, Action.APPROVE, *place, stands_in_for=(name,)).allowed:
            check_four_eyes(ws, request, name, actor)
            return name
    require(ws.settings, actor, Action.APPROVE, *place)
    return ""


def check_four_eyes(ws: Workspace, request: Request, name: str, actor: Actor) -> None:
    """Raise Refused when ``name`` (the actor, or whom they stand in for) requested it or trained the model."""
    known = {user.name: user.display_name for user in ws.settings.access.users}
    names = {word.casefold() for word in (name, known.get(name, "")) if word}
    if name == actor.name:
        names |= {word.casefold() for word in (actor.display_name,) if word}
    for role, person in (("requested it", request.by.name), ("trained the model", request.opened.run_author)):
        if person.casefold() in names:
            whom = (
                actor.printed_name if name == actor.name else f"{name}, for whom {actor.printed_name} acts,"
            )
            raise Refused(f"{whom} {role}: somebody else must decide.", "Four eyes: ask another approver.")


def refusal_to_sign(ws: Workspace, request: Request, actor: Actor) -> Refused | None:
    """Why ``actor`` cannot sign the request, whatever its state; None when they can."""
    if any(signature.by.name == actor.name for signature in request.signatures):
        return Refused(f"{actor.printed_name} has signed this request already.", "One person counts once.")
    try:
        may_answer(ws, request, actor)
    except Refused as error:
        return error
    return None
