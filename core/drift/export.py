"""A monitor's report as Markdown, JSON or one self-contained HTML page, small counts hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.document import Table, as_html, as_markdown
from core.drift.monitor import MonitorReport
from core.drift.performance import performance_json
from core.drift.pictures import column_map, metric_line
from core.drift.present import quality_sentences, report_json
from core.drift.timeline import Mark
from core.drift.trend import TrendWindow, since
from core.ledger.alert_events import DriftAlertRaised

_HEAD = ("column", "kind", "verdict", "importance", "effect", "adjusted p", "since", "why", "quality")


@dataclass(frozen=True, slots=True)
class Contents:
    """What an export holds: the report, every window beside it, what happened when, and the open alerts."""

    report: MonitorReport
    windows: Sequence[TrendWindow] = ()
    marks: Sequence[Mark] = ()
    alerts: Sequence[DriftAlertRaised] = ()

    @property
    def metric(self) -> str | None:
        """The metric to show: the first headline metric that was measured or estimated."""
        measured = self.report.performance.windows if self.report.performance else ()
        names = {name for part in measured for name in (*part.metrics, *part.estimated)}
        return next((name for name in ("auroc", "accuracy", "mae") if name in names), None)


def _rows(contents: Contents) -> list[tuple[str, ...]]:
    report = contents.report
    columns = report.drift.columns if report.drift else ()
    return [
        (
            column.name,
            column.kind.value,
            column.verdict.value,
            "" if column.importance is None else f"{column.importance:.0%}",
            "" if column.effect is None else f"{column.effect:.3f}",
            "" if column.adjusted_pvalue is None else f"{column.adjusted_pvalue:.3g}",
            since(contents.windows, column.name) or "",
            column.reason,
            "; ".join(quality_sentences(column)),
        )
        for column in columns
    ]


def _facts(contents: Contents) -> list[str]:
    """Open alerts, what performance raised, and what is odd about the files."""
    report = contents.report
    found = [f"open alert ({alert.severity}): {alert.summary}" for alert in contents.alerts]
    alerts = report.performance.alerts if report.performance else ()
    found += [f"{alert.severity.value}: {alert.window or ''} {alert.message}" for alert in alerts]
    return found + [finding.message for finding in (report.drift.schema if report.drift else ())]


def _performance_rows(contents: Contents) -> list[tuple[str, ...]]:
    metric, report = contents.metric, contents.report.performance
    if metric is None or report is None:
        return []
    found = []
    for part in report.windows:
        real, guess = part.metrics.get(metric), part.estimated.get(metric)
        value = "" if real is None else f"{real.value:.3f} ({real.low:.3f} to {real.high:.3f})"
        happened = "; ".join(
            mark.text + (f" on data {mark.data}" if mark.data else "")
            for mark in contents.marks
            if part.start is not None and part.end is not None and part.start <= mark.at < part.end
        )
        found.append((part.name, value, "" if guess is None else f"{guess.value:.3f}", happened))
    return found


def to_json(contents: Contents) -> dict[str, Any]:
    """The same facts as plain data."""
    report = contents.report
    return {
        "model": report.model,
        "environment": report.environment,
        "status": report.status.value,
        "reason": report.reason,
        "window": report.window,
        "drift": report_json(report.drift) if report.drift else None,
        "performance": performance_json(report.performance) if report.performance else None,
        "windows": [
            {
                "name": window.name,
                "verdict": window.report.verdict.value,
                "effects": {column.name: column.effect for column in window.report.columns},
                "drifted": [column.name for column in window.report.alarms],
            }
            for window in contents.windows
        ],
        "events": [
            {"at": mark.at.isoformat(), "kind": mark.kind, "text": mark.text, "data": mark.data or None}
            for mark in contents.marks
        ],
        "alerts": [
            {"alert_id": alert.alert_id, "severity": alert.severity, "summary": alert.summary}
            for alert in contents.alerts
        ],
    }


def to_markdown(contents: Contents) -> str:
    """Headline, the facts, one table of columns, since when each drifts, and performance by window."""
    return as_markdown(*_document(contents))


def to_html(contents: Contents) -> str:
    """The same as a page that needs nothing from outside, with a picture of performance and the map of columns."""
    return as_html(*_document(contents))


def _document(contents: Contents) -> tuple[str, str, list[Table]]:
    """Title, headline and tables, the first thing to know first."""
    report = contents.report
    where = f" in {report.environment}" if report.environment else ""
    tables = [Table("What is open", ("fact",), tuple((line,) for line in _facts(contents)))]
    if rows := _performance_rows(contents):
        head = ("window", f"{contents.metric}, with labels", "estimated", "what happened")
        picture = metric_line(report.performance.windows, str(contents.metric), contents.marks)
        note = "Solid: with labels. Dashed: estimated without labels." if picture else ""
        tables.append(Table("Performance", head, tuple(rows), note, picture))
    tables.append(Table("Columns", _HEAD, tuple(_rows(contents))))
    tested = [name.name for name in (report.drift.columns if report.drift else ()) if name.effect is not None]
    if picture := column_map(contents.windows, tested):
        span = f"{contents.windows[0].name} to {contents.windows[-1].name}, one cell a window."
        note = f"{span} The darker the larger the effect; a triangle where the column drifted."
        tables.append(Table("Columns over time", note=note, svg=picture))
    title = f"Drift of {report.model}{where}: {report.status.value}"
    return title, f"{report.reason}. Window {report.window or 'none'}.", tables
