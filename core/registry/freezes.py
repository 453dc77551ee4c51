"""Freezing promotions of a model, and lifting the freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, Conflict, Unavailable
from core.ledger.events import FreezeLifted, FreezeSet
from core.registry.plans import alias_of

if TYPE_CHECKING:
    from core.ledger.state import Freeze
    from core.ledger.types import Record
    from core.workspace import Workspace


def freeze(
    ws: Workspace, model: str, environment: str, actor: Actor, reason: str, key: str | None = None
) -> Record:
    """Refuse promotions of ``model`` in ``environment`` from now on; once per ``key``.

    Raises Refused, NotFound and BadInput.
    """
    require(ws.settings, actor, Action.FREEZE, model, environment)
    _check(ws, environment, reason)
    _check_known(ws, model)
    event = FreezeSet(model=model, environment=environment, reason=reason)
    return ws.ledger.append(event, actor, key=f"freeze:{key}" if key else None)


def lift(
    ws: Workspace, model: str, environment: str, actor: Actor, reason: str, seen: Freeze | None = None
) -> Record:
    """Allow promotions again. Raises Conflict when nothing is frozen (somebody may have been first).

    With ``seen`` that very freeze alone is lifted: a rollback may have set another one meanwhile.
    """
    require(ws.settings, actor, Action.LIFT_FREEZE, model, environment)
    _check(ws, environment, reason)
    with ws.ledger.exclusive(f"alias {model}"):
        held = ws.ledger.state().freeze(model, environment)
        if held is None:
            raise Conflict(f"{model} in {environment} is not frozen.", "There is nothing to lift.")
        if seen is not None and held != seen:
            raise Conflict(
                f"{held.by.printed_name} has frozen {model} in {environment} meanwhile: {held.reason}",
                "Nothing was lifted. Look at that freeze and decide again.",
            )
        event = FreezeLifted(model=held.model, environment=held.environment, reason=reason)
        return ws.ledger.append(event, actor)


def _check_known(ws: Workspace, model: str) -> None:
    """Raise NotFound for a model that does not exist. While MLflow is down what ever served is known too."""
    try:
        ws.registry.model(model)
    except Unavailable:
        if model not in {name for name, _ in ws.ledger.state().services}:
            raise


def _check(ws: Workspace, environment: str, reason: str) -> None:
    alias_of(ws, environment)
    if not reason.strip():
        raise BadInput("Say why: the reason goes on the record.", 'Add --reason "...".')
