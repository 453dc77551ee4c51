"""The monitor: every watched model against its training data and its own past performance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from core.drift.cache import ProfileCache
from core.drift.check import check
from core.drift.degradation import Alert, still_down
from core.drift.performance import PerformanceReport, performance
from core.drift.policy import DEFAULT, Policy, load_policy
from core.drift.prediction_log import LogColumns, read_log
from core.drift.shape import LevelShape, NumericShape, column_shape
from core.drift.sources import Slice, Source, TableSource, open_source
from core.drift.trend import TrendWindow, trend
from core.drift.types import DriftReport, Severity, Verdict
from core.drift.windows import Window, cut
from core.errors import BadInput, ModelDeskError, NotFound

if TYPE_CHECKING:
    from core.settings import MonitorSection
    from core.workspace import Workspace

MUCH_IMPORTANCE = 0.5
"""Drifted columns that carry this share of the model's importance make an alert urgent."""

HEADLINE = ("auroc", "accuracy", "mae")
"""The metrics that decide whether a model counts as degraded, where they were measured."""


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

    ``down`` are the alerts on headline metrics whose fall still holds, newest first.
    """

    model: str
    environment: str
    status: Status
    reason: str
    window: str | None = None
    drift: DriftReport | None = None
    performance: PerformanceReport | None = None
    down: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a watched model now; ``name`` is degraded, drift or inconclusive."""

    name: str
    severity: Severity
    message: str
    window: str | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """The opened files of one monitor; ``windows`` are those of the log, oldest first."""

    section: MonitorSection
    policy: Policy
    reference: Source
    log: Source
    windows: tuple[Window, ...]
    cache: ProfileCache


def monitored(ws: Workspace) -> Mapping[str, MonitorSection]:
    """The monitors of the settings by model name."""
    return {section.model: section for section in ws.settings.monitors}


def open_monitor(ws: Workspace, model: str, window: str = "day", now: datetime | None = None) -> Watched:
    """The reference and the log of a watched model. Raises NotFound without a monitor, BadInput for bad files."""
    section = monitored(ws).get(model)
    if section is None:
        raise NotFound(f"No monitor watches '{model}'.", "Add a [[monitors]] section to modeldesk.toml.")
    reference = open_source(ws.settings.path(section.reference))
    log = _in_memory(open_source(ws.settings.path(section.predictions)))
    times = read_log(log, None, _columns(section), now).seconds
    aside = (
        section.request_id, section.timestamp, section.label, section.prediction, section.score or "",
        "model_version", "observed_at", *section.ignore,
    )  # fmt: skip
    policy = _policy(ws)
    policy = replace(policy, ignore=(*policy.ignore, *aside))
    cache = ProfileCache(ws.root / ".modeldesk" / "profiles")
    return Watched(section, policy, reference, log, cut(window, times, log.rows), cache)


def _policy(ws: Workspace) -> Policy:
    file = ws.root / "drift-policy.toml"
    return load_policy(str(file)) if file.is_file() else DEFAULT


def _in_memory(source: Source) -> Source:
    """The log read once, since every window looks at every column."""
    import pyarrow as pa

    columns = {name: source.column(name) for name in source.names}
    return TableSource(pa.table(columns), source.findings, source.files)


def _columns(section: MonitorSection) -> LogColumns:
    return LogColumns(section.request_id, section.timestamp, section.prediction, section.score, section.label)


def drift_of(watched: Watched, window: str | None = None) -> tuple[str, DriftReport]:
    """The window called ``window`` (else the last one with enough rows) against the reference."""
    if not watched.windows:
        raise BadInput("The prediction log holds no row with a time.", "Check the timestamp column.")
    enough = [part for part in watched.windows if len(part.indices) >= watched.policy.min_rows]
    chosen = next((part for part in watched.windows if part.name == window), (enough or watched.windows)[-1])
    report = check(watched.reference, Slice(watched.log, chosen.indices), watched.policy, cache=watched.cache)
    return chosen.name, replace(report, schema=(*watched.log.findings, *report.schema))


def trend_of(watched: Watched) -> tuple[TrendWindow, ...]:
    """Every window against the reference."""
    return trend(watched.reference, watched.log, watched.windows, watched.policy, watched.cache)


def shape_of(
    ws: Workspace, model: str, window: str, name: str, column: str
) -> NumericShape | LevelShape | None:
    """How ``column`` is distributed in the training data and in the window called ``name``, for a chart."""
    watched = open_monitor(ws, model, window)
    for part in watched.windows:
        if part.name == name:
            return column_shape(watched.reference, Slice(watched.log, part.indices), column, watched.policy)
    return None


def performance_of(
    ws: Workspace, model: str, window: str = "day", now: datetime | None = None
) -> PerformanceReport:
    """Realised and estimated performance of a watched model by window."""
    section = monitored(ws)[model]
    labels = ws.settings.path(section.labels) if section.labels else None
    return performance(
        ws.settings.path(section.predictions),
        labels if labels is not None and labels.exists() else None,
        window=window,
        columns=_columns(section),
        directions=ws.settings.metric_directions,
        now=now,
    )


def monitor_report(
    ws: Workspace, model: str, window: str = "day", now: datetime | None = None
) -> MonitorReport:
    """The state of one model in one word and one sentence; a file that cannot be read is INCONCLUSIVE."""
    section = monitored(ws).get(model)
    if section is None:
        return MonitorReport(
            model=model,
            environment="",
            status=Status.NOT_MONITORED,
            reason="no [[monitors]] section names this model",
        )
    try:
        name, drift = drift_of(open_monitor(ws, model, window, now))
        measured = performance_of(ws, model, window, now)
    except ModelDeskError as error:
        return MonitorReport(
            model=model, environment=section.environment, status=Status.INCONCLUSIVE, reason=error.what
        )
    down = lasting(measured, ws.settings.metric_directions)
    status, reason = _status(drift, measured, down)
    return MonitorReport(
        model=model,
        environment=section.environment,
        status=status,
        reason=reason,
        window=name,
        drift=drift,
        performance=measured,
        down=down,
    )


def _status(drift: DriftReport, measured: PerformanceReport, down: tuple[Alert, ...]) -> tuple[Status, str]:
    if down:
        more = f"; {drift.reason}" if drift.verdict is Verdict.DRIFT else ""
        return Status.DEGRADED, down[0].message + more
    if drift.verdict is not Verdict.OK:
        return Status(drift.verdict.value), drift.reason
    late = "" if measured.measured else "; no labels yet, so its performance is not known"
    return Status.OK, drift.reason + late


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
