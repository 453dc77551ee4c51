"""A monitor's report as Markdown, JSON or one self-contained HTML page, small counts hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.drift.monitor import MonitorReport
from core.drift.performance import performance_json
from core.drift.present import quality_sentences, report_json
from core.drift.timeline import Mark
from core.drift.trend import TrendWindow, since
from core.ledger.alert_events import DriftAlertRaised

_HEAD = ("column", "kind", "verdict", "importance", "effect", "adjusted p", "since", "why", "quality")
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f2a}
table{border-collapse:collapse;margin:.6rem 0 1.4rem}td,th{border:1px solid #d5d9e3;padding:.25rem .55rem;
text-align:left;vertical-align:top}th{background:#f4f5f9}.map td{padding:0;width:1.3rem;height:1.2rem;text-align:center;
font-size:.7rem}.map th{font-weight:400;white-space:nowrap}svg text{font:11px system-ui,sans-serif}
@media(prefers-color-scheme:dark){body{background:#11141b;color:#e8eaf1}th{background:#1a1e28}td,th{border-color:#2a3040}}
"""


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
    """Headline, one table of columns, performance by window, and the facts."""
    report = contents.report
    lines = [
        f"# Drift of {report.model}: {report.status.value}",
        "",
        f"{report.reason}. Window {report.window or 'none'}.",
        "",
        *_markdown_table(_HEAD, _rows(contents)),
    ]
    if rows := _performance_rows(contents):
        head = ("window", f"{contents.metric}, with labels", "estimated", "what happened")
        lines += ["", "## Performance", "", *_markdown_table(head, rows)]
    return "\n".join([*lines, "", *(f"- {line}" for line in _facts(contents))]) + "\n"


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]


def to_html(contents: Contents) -> str:
    """The same as a page that needs nothing from outside, with a picture of performance and the map of columns."""
    report = contents.report
    title = f"Drift of {escape(report.model)}: {report.status.value}"
    performance = _performance_rows(contents)
    head = ("window", f"{contents.metric}, with labels", "estimated", "what happened")
    facts = "".join(f"<li>{escape(line)}</li>" for line in _facts(contents))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{escape(report.reason)}. Window {escape(report.window or 'none')}.</p>"
        f"<h2>Facts</h2><ul>{facts}</ul>"
        f"<h2>Columns</h2>{_html_table(_HEAD, _rows(contents))}"
        f"<h2>Columns over time</h2>{_html_map(contents)}"
        + (f"<h2>Performance</h2>{_svg(contents)}{_html_table(head, performance)}" if performance else "")
        + "</html>\n"
    )


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _html_map(contents: Contents) -> str:
    """Column by window; the darker the larger the effect, a triangle where it drifted."""
    columns = contents.report.drift.columns if contents.report.drift else ()
    by_window = [{column.name: column for column in window.report.columns} for window in contents.windows]
    rows = []
    for name in (column.name for column in columns if column.effect is not None):
        cells = []
        for window, found in zip(contents.windows, by_window, strict=True):
            column = found.get(name)
            if column is None or column.effect is None:
                cells.append(f'<td title="{escape(window.name)}"></td>')
                continue
            shade = min(column.effect / 0.3, 1.0)
            said = escape(f"{window.name}: {column.verdict.value}, {column.reason}")
            sign = "▲" if column.verdict.is_alarm else ""
            cells.append(f'<td style="background:rgba(213,94,0,{shade:.2f})" title="{said}">{sign}</td>')
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    if not rows or not contents.windows:
        return "<p>No column could be tested.</p>"
    span = f"{escape(contents.windows[0].name)} to {escape(contents.windows[-1].name)}"
    return f'<table class="map">{"".join(rows)}</table><p>{span}, one cell a window.</p>'


def _svg(contents: Contents, width: int = 900, height: int = 240) -> str:
    """Realised values as a line with dots, estimates dashed, deployments as upright lines."""
    metric, report = contents.metric, contents.report.performance
    windows = report.windows if report else ()
    values = [
        v.value for part in windows for v in (part.metrics.get(metric), part.estimated.get(metric)) if v
    ]
    if len(windows) < 2 or not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(place: int) -> float:
        return 45 + place * (width - 60) / (len(windows) - 1)

    def y(value: float) -> float:
        return height - 25 - (value - low) / span * (height - 50)

    def line(name: str, style: str) -> str:
        points = [
            f"{x(place):.1f},{y(getattr(part, name)[metric].value):.1f}"
            for place, part in enumerate(windows)
            if metric in getattr(part, name)
        ]
        return f'<polyline points="{" ".join(points)}" fill="none" {style}/>' if points else ""

    upright = [
        f'<line x1="{x(place):.1f}" x2="{x(place):.1f}" y1="10" y2="{height - 25}" stroke="#7a8194"/>'
        f'<text x="{x(place) + 3:.1f}" y="20" fill="#7a8194">{escape(mark.text)}</text>'
        for mark in contents.marks
        for place, part in enumerate(windows)
        if mark.version
        and part.start is not None
        and part.end is not None
        and part.start <= mark.at < part.end
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(str(metric))} by window" '
        f'style="max-width:100%">{"".join(upright)}'
        + line("estimated", 'stroke="#d55e00" stroke-dasharray="4 3"')
        + line("metrics", 'stroke="#0072b2" stroke-width="2"')
        + f'<text x="2" y="{y(high) + 4:.0f}" fill="#7a8194">{high:.2f}</text>'
        f'<text x="2" y="{y(low) + 4:.0f}" fill="#7a8194">{low:.2f}</text>'
        f'<text x="45" y="{height - 6}" fill="#7a8194">{escape(windows[0].name)}</text>'
        f'<text x="{width - 15}" y="{height - 6}" fill="#7a8194" text-anchor="end">{escape(windows[-1].name)}</text>'
        "</svg><p>Solid: with labels. Dashed: estimated without labels.</p>"
    )
