"""Reports to take away; each is made when its button is pressed, not when the page is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.reports.types import Report

Make = Callable[[], "Report"]


def weekly(actor: Actor) -> Make:
    """Makes the report of the last seven days."""
    from datetime import UTC, datetime

    from core.reports.weekly import weekly_report

    ws = workspace()
    return lambda: weekly_report(ws, actor, datetime.now(UTC))


def incident(model: str, environment: str) -> Make:
    """Makes the timeline around the last rollback; without one, of everything on the record."""
    from datetime import UTC, datetime

    from core.reports.incident import incident_report

    ws = workspace()
    began = ws.ledger.records(model=model)[:1]
    back = ws.ledger.records(model=model, kinds=("rolled_back",))
    since = None if any(one.environment == environment for one in back) or not began else began[0].at
    return lambda: incident_report(ws, model, datetime.now(UTC), environment=environment, since=since)


def candidate(model: str, version: int) -> Make:
    """Makes the report of a version against what is live."""
    from core.reports.candidate import candidate_report

    ws = workspace()
    return lambda: candidate_report(ws, None, f"{model}/{version}")
