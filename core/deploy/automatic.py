"""Going back without a person: only where the drift policy says from which severity on, and once per alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.deploy.release import Released, carry_out, plan_rollback, tell
from core.drift.types import Severity
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.access import Actor
    from core.ledger.state import OpenAlert
    from core.workspace import Workspace

_ORDER = tuple(Severity)


def roll_back_for(
    ws: Workspace, alerts: Sequence[OpenAlert], at: Severity | None, actor: Actor
) -> tuple[Released | ModelDeskError, ...]:
    """Roll back each model whose alert says DEGRADED at severity ``at`` or worse; None means never.

    Drift alone never does: inputs that moved are no proof that an older version does better. A rollback that is
    refused or has nowhere to go is given back as its error; the alert stays open.
    """
    if at is None:
        return ()
    grave = [
        alert.event
        for alert in alerts
        if alert.event.finding == "degraded"
        and _ORDER.index(Severity(alert.event.severity)) >= _ORDER.index(at)
    ]
    done: list[Released | ModelDeskError] = []
    for event in grave:
        reason = f"automatic, by the drift policy: {event.summary} (alert {event.alert_id})"
        try:
            plan = plan_rollback(ws, event.model, event.environment)
            done.append(carry_out(ws, plan, actor, reason, f"automatic {event.alert_id}"))
            tell(ws)
        except ModelDeskError as error:
            done.append(error)
    return tuple(done)
