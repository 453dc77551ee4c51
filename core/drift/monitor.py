"""The monitor: every watched model against its training data and its own past performance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from core.drift import kept
from core.drift.degradation import Alert, fallen_since, still_down
from core.drift.metrics import HEADLINE
from core.drift.performance import MIN_LABELLED, PerformanceReport, performance
from core.drift.types import DriftReport, Severity, Verdict
from core.drift.watched import (
    Watched,
    drift_of,
    labels_of,
    log_columns,
    monitored,
    open_watched,
    watched_policy,
)
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.drift.sources import Source
    from core.settings import MonitorSection
    from core.workspace import Workspace

MUCH_IMPORTANCE = 0.5
"""Drifted columns that carry this share of the model's importance make an alert urgent."""


class Status(StrEnum):
    """One word for a watched model, worst first."""

    DEGRADED = "DEGRADED"
    DRIFT = "DRIFT"
    INCONCLUSIVE = "INCONCLUSIVE"
    OK = "OK"
    NOT_MONITORED = "NOT MONITORED"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """A model's state: its last window against the reference, and its performance by window.

    ``down`` are the alerts on headline metrics whose fall still holds, newest first; ``since`` names the window in
    which the first of them began to fall.
    """

    model: str
    environment: str
    status: Status
    reason: str
    window: str | None = None
    drift: DriftReport | None = None
    performance: PerformanceReport | None = None
    down: tuple[Alert, ...] = ()
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a watched model now; ``name`` is degraded, drift or inconclusive."""

    name: str
    severity: Severity
    message: str
    window: str | None
    details: Mapping[str, Any] = field(default_factory=dict)


def performance_of(
    ws: Workspace, watched: Watched, window: str = "day", now: datetime | None = None
) -> PerformanceReport:
    """Realised and estimated performance of a watched model by window; worked out when a file has changed.

    Labels that are there and cannot be used cost neither the estimates nor the report.
    """
    try:
        return _performance_of(ws, watched, window, labels_of(ws, watched.section), now)
    except ModelDeskError as error:
        why = error.what.rstrip(".")
        fact = Alert("data", Severity.NOTICE, f"labels are there but cannot be used: {why}", None)
    try:
        bare = _performance_of(ws, watched, window, None, now)
    except ModelDeskError:
        bare = PerformanceReport((), ())
    return replace(bare, alerts=(*bare.alerts, fact), why_not=why)


def _performance_of(
    ws: Workspace, watched: Watched, window: str, late: Source | None, now: datetime | None
) -> PerformanceReport:
    section, directions = watched.section, ws.settings.metric_directions
    name = kept.key(
        "performance", window, section, sorted(directions.items()), now and now.date(),
        kept.content(watched.log, watched.profiles), kept.content(late, watched.profiles) if late else "",
    )  # fmt: skip
    return watched.reports.get(
        PerformanceReport,
        name,
        lambda: performance(
            watched.log, late, window=window, columns=log_columns(section), directions=directions, now=now
        ),
    )


def monitor_report(
    ws: Workspace,
    model: str,
    window: str = "day",
    now: datetime | None = None,
    at: str | None = None,
    *,
    ask: bool = False,
) -> MonitorReport:
    """The state of one model in one word and one sentence; a file that cannot be read is INCONCLUSIVE.

    ``at`` is the name of the window to compare, else the last one with enough rows. A model whose tables are in an
    engine is shown as it was kept, unless the engine is to be ``ask``-ed now.
    """
    section = monitored(ws).get(model)
    if section is None:
        return MonitorReport(
            model=model,
            environment="",
            status=Status.NOT_MONITORED,
            reason="no [[monitors]] section names this model",
        )
    if section.engine != "local":
        return _in_engine(ws, section, window, at, now if ask else None)
    try:
        watched = open_watched(ws, model, window)
        chosen = watched.window(at, now)
        drift = drift_of(watched, chosen, now)
        measured = performance_of(ws, watched, window, now)
    except ModelDeskError as error:
        return MonitorReport(
            model=model, environment=section.environment, status=Status.INCONCLUSIVE, reason=error.what
        )
    directions = ws.settings.metric_directions
    down = lasting(measured, directions)
    series = [(part.name, part.metrics) for part in measured.measured]
    since = fallen_since(series, str(down[0].metric), directions) if down else None
    status, reason = _status(drift, measured, down)
    return MonitorReport(
        model=model,
        environment=section.environment,
        status=status,
        reason=reason,
        window=chosen.name,
        drift=drift,
        performance=measured,
        down=down,
        since=since,
    )


def _in_engine(
    ws: Workspace, section: MonitorSection, window: str, at: str | None, now: datetime | None
) -> MonitorReport:
    """The same of tables in an engine: compared ``now``, else what the last run of ``monitor`` kept."""
    from core.drift.engines.watched import kept_look, look

    bare = MonitorReport(
        model=section.model, environment=section.environment, status=Status.INCONCLUSIVE,
        reason=f"not compared yet by this {window}; run `python -m core monitor --window {window}`",
    )  # fmt: skip
    try:
        if now is None:
            found = kept_look(ws, section, window)
        else:
            at, found = look(ws, section, watched_policy(ws, section), window, now, at)
    except ModelDeskError as error:
        return replace(bare, reason=error.what)
    if found is None:
        return bare
    shown = next((part for part in found.windows if part.name == at), found.windows[-1])
    status, drift = Status(shown.report.verdict.value), shown.report
    return replace(
        bare,
        status=status,
        reason=f"{drift.reason} (compared in {drift.engine})",
        window=shown.name,
        drift=drift,
    )


def _status(drift: DriftReport, measured: PerformanceReport, down: tuple[Alert, ...]) -> tuple[Status, str]:
    if down:
        more = f"; {drift.reason}" if drift.verdict is Verdict.DRIFT else ""
        return Status.DEGRADED, down[0].message + more
    if drift.verdict is not Verdict.OK:
        return Status(drift.verdict.value), drift.reason
    if measured.why_not:
        return Status.INCONCLUSIVE, f"{drift.reason}; how good it is cannot be told: {measured.why_not}"
    return Status.OK, drift.reason + ("" if measured.measured else f"; {_unmeasured(measured)}")


def _unmeasured(measured: PerformanceReport) -> str:
    labelled = max((part.labelled for part in measured.windows), default=0)
    if labelled >= MIN_LABELLED:
        return "its labels cannot be compared with its answers, so its performance is not known"
    return f"{'too few' if labelled else 'no'} labels yet, so its performance is not known"


def lasting(measured: PerformanceReport, directions: Mapping[str, str]) -> tuple[Alert, ...]:
    """Alerts on the headline metrics whose fall still holds in the newest measured window, newest first."""
    series = [(part.name, part.metrics) for part in measured.measured]
    down = {name for name in HEADLINE if still_down(series, name, directions)}
    return tuple(alert for alert in reversed(measured.degraded) if alert.metric in down)


def findings(report: MonitorReport) -> tuple[Finding, ...]:
    """What a person should look at, from one report: at most one finding of each name."""
    found, down = [], report.down
    if down:
        worst = max((alert.severity for alert in down), key=list(Severity).index)
        found.append(
            Finding(
                "degraded",
                worst,
                down[0].message,
                down[0].window,
                {"metrics": _names(a.metric for a in down)},
            )
        )
    drift = report.drift
    if drift is not None and drift.verdict is Verdict.DRIFT:
        details = {"columns": [column.name for column in drift.alarms]}
        found.append(Finding("drift", _urgency(drift), drift.reason, report.window, details))
    if report.status is Status.INCONCLUSIVE:
        found.append(Finding("inconclusive", Severity.NOTICE, report.reason, report.window))
    return tuple(found)


def _names(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _urgency(drift: DriftReport) -> Severity:
    """Drift that the model feels is more urgent: a column it can no longer read, or much of its importance."""
    unusable = any(column.verdict is not Verdict.DRIFT for column in drift.alarms)
    return Severity.HIGH if unusable or (drift.weighted_share or 0) >= MUCH_IMPORTANCE else Severity.WARNING
