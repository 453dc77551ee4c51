"""Findings on the record: raised when they are new, told again when worse, closed when they are over.

The monitor's part (:func:`record_findings`) is automatic; the rest is what people do with an alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.drift.monitor import MonitorReport, Status
from core.drift.monitor import findings as findings_of
from core.drift.types import Severity
from core.errors import BadInput, NotFound
from core.ledger import alert_events
from core.ledger.state import OpenAlert

if TYPE_CHECKING:
    from core.drift.monitor import Finding
    from core.ledger.types import Record
    from core.workspace import Workspace

ORDER = tuple(Severity)
"""Severities, mildest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a monitor's run changed: alerts that are new, that became worse, that are over."""

    raised: tuple[OpenAlert, ...] = ()
    worsened: tuple[OpenAlert, ...] = ()
    resolved: tuple[str, ...] = ()


def open_alerts(ws: Workspace, model: str | None = None) -> tuple[OpenAlert, ...]:
    """The alerts that are not over (of ``model``, else of all), the most severe and then the newest first."""
    found = [a for a in ws.ledger.state().alerts.values() if model in (None, a.event.model)]
    return tuple(sorted(found, key=lambda a: (-_rank(a.event.severity), -a.since.timestamp())))


def alert(ws: Workspace, alert_id: str) -> OpenAlert:
    """The open alert of that id. Raises NotFound, also for one that is over."""
    found = ws.ledger.state().alerts.get(alert_id)
    if found is None:
        raise NotFound(f"There is no open alert '{alert_id}'.", "See `alert list`; it may be over by now.")
    return found


def record_findings(ws: Workspace, reports: Sequence[MonitorReport], actor: Actor) -> Recorded:
    """Bring the alerts of the reported models in line with what was found. Raises Refused.

    The same finding is one alert until it is over. An alert that someone closed by hand comes back only when
    a later window shows the same finding. While a model is INCONCLUSIVE its other alerts stay as they are.
    """
    raised, worsened, resolved = [], [], []
    for report in reports:
        require(ws.settings, actor, Action.MONITOR, report.model, report.environment)
        with ws.ledger.exclusive(f"alerts {report.model} {report.environment}"):
            before = {a.event.finding: a for a in _of(ws, report)}
            now = {finding.name: finding for finding in findings_of(report)}
            for name, finding in now.items():
                if name not in before:
                    raised += _raise(ws, report, finding, actor)
                elif ORDER.index(finding.severity) > _rank(before[name].event.severity):
                    worsened += _raise(ws, report, finding, actor, before[name].event.alert_id)
            for name, known in before.items():
                if name not in now and report.status is not Status.INCONCLUSIVE:
                    _resolve(ws, known, actor, "the monitor no longer sees it", automatic=True)
                    resolved.append(known.event.alert_id)
    return Recorded(raised=tuple(raised), worsened=tuple(worsened), resolved=tuple(resolved))


def acknowledge(ws: Workspace, alert_id: str, actor: Actor, owner: str = "", reason: str = "") -> Record:
    """Take an alert on, or give it to ``owner``; a second click finds it taken. Raises NotFound and Refused."""
    owner = owner.strip() or actor.printed_name
    with ws.ledger.exclusive(f"alert {alert_id}"):
        event = _checked(ws, alert_id, actor)
        taken = alert(ws, alert_id).taken
        if taken is not None and taken.payload["owner"] == owner:
            return taken
        return ws.ledger.append(
            alert_events.DriftAlertAcknowledged(
                model=event.model,
                environment=event.environment,
                reason=reason,
                alert_id=alert_id,
                owner=owner,
            ),
            actor,
        )


def snooze(
    ws: Workspace, alert_id: str, actor: Actor, until: datetime, now: datetime, reason: str = ""
) -> Record:
    """Remind nobody of the alert before ``until``. Raises NotFound, Refused, BadInput for a past time."""
    event = _checked(ws, alert_id, actor)
    if until <= now:
        raise BadInput("An alert can be snoozed until a time to come only.", "Name a later time.")
    return ws.ledger.append(
        alert_events.DriftAlertSnoozed(
            model=event.model, environment=event.environment, reason=reason, alert_id=alert_id, until=until
        ),
        actor,
    )


def reopen(ws: Workspace, alert_id: str, actor: Actor, reason: str = "") -> Record:
    """Let the alert wait for somebody again: the reverse of acknowledging and of snoozing."""
    event = _checked(ws, alert_id, actor)
    return ws.ledger.append(
        alert_events.DriftAlertReopened(
            model=event.model, environment=event.environment, reason=reason, alert_id=alert_id
        ),
        actor,
    )


def resolve(ws: Workspace, alert_id: str, actor: Actor, reason: str) -> Record:
    """Close the alert by hand. Raises NotFound, Refused, and BadInput without a reason."""
    _checked(ws, alert_id, actor)
    _need(reason, "Say what became of it: the reason goes on the record.")
    return _resolve(ws, alert(ws, alert_id), actor, reason)


def request_retraining(ws: Workspace, alert_id: str, actor: Actor, reason: str) -> Record:
    """Ask that the model be trained anew because of this alert; asking twice is asking once.

    Raises NotFound, Refused, and BadInput without a reason.
    """
    found = alert(ws, alert_id)
    event = found.event
    require(ws.settings, actor, Action.REQUEST, event.model, event.environment)
    _need(reason, "Say what the training should change: the reason goes on the record.")
    columns = tuple(event.details.get("columns", ()))
    return ws.ledger.append(
        alert_events.RetrainingRequested(
            model=event.model,
            environment=event.environment,
            reason=reason,
            alert_id=alert_id,
            columns=columns,
        ),
        actor,
        key=f"retraining {alert_id}",
    )


def _of(ws: Workspace, report: MonitorReport) -> list[OpenAlert]:
    place = (report.model, report.environment)
    return [a for a in ws.ledger.state().alerts.values() if (a.event.model, a.event.environment) == place]


def _raise(
    ws: Workspace, report: MonitorReport, finding: Finding, actor: Actor, known: str = ""
) -> list[OpenAlert]:
    """The alert in a list; nothing when it was raised for this window before and closed by hand since."""
    closed = ws.ledger.records(model=report.model, kinds=(alert_events.DriftAlertResolved.kind,))
    ended = sum(bool(record.payload["automatic"]) for record in closed)  # what ended by itself may come back
    named = f"{report.model}|{report.environment}|{finding.name}|{finding.window}|{ended}"
    alert_id = known or hashlib.sha256(named.encode()).hexdigest()[:10]
    ws.ledger.append(
        alert_events.DriftAlertRaised(
            model=report.model,
            environment=report.environment,
            alert_id=alert_id,
            severity=finding.severity.value,
            summary=finding.message,
            finding=finding.name,
            window=finding.window or "",
            details=finding.details,
        ),
        actor,
        key=f"alert {alert_id} {finding.severity.value}",
    )
    found = ws.ledger.state().alerts.get(alert_id)
    return [] if found is None else [found]


def _resolve(
    ws: Workspace, known: OpenAlert, actor: Actor, reason: str, *, automatic: bool = False
) -> Record:
    event = known.event
    return ws.ledger.append(
        alert_events.DriftAlertResolved(
            model=event.model,
            environment=event.environment,
            reason=reason,
            alert_id=event.alert_id,
            summary=event.summary,
            automatic=automatic,
        ),
        actor,
    )


def _checked(ws: Workspace, alert_id: str, actor: Actor) -> alert_events.DriftAlertRaised:
    event = alert(ws, alert_id).event
    require(ws.settings, actor, Action.ACKNOWLEDGE, event.model, event.environment)
    return event


def _need(reason: str, sentence: str) -> None:
    if not reason.strip():
        raise BadInput(sentence, 'Add --reason "...".')


def _rank(severity: str) -> int:
    return ORDER.index(Severity(severity)) if severity in set(Severity) else 0
