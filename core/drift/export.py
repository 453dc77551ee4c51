"""A monitor's report as Markdown or as one self-contained HTML page, small counts hidden."""

from __future__ import annotations

from html import escape

from core.drift.monitor import MonitorReport
from core.drift.present import quality_sentences

_HEAD = ("column", "kind", "verdict", "effect", "adjusted p", "why", "quality")


def _rows(report: MonitorReport) -> list[tuple[str, ...]]:
    columns = report.drift.columns if report.drift else ()
    return [
        (
            column.name,
            column.kind.value,
            column.verdict.value,
            "" if column.effect is None else f"{column.effect:.3f}",
            "" if column.adjusted_pvalue is None else f"{column.adjusted_pvalue:.3g}",
            column.reason,
            "; ".join(quality_sentences(column)),
        )
        for column in columns
    ]


def _alerts(report: MonitorReport) -> list[str]:
    alerts = report.performance.alerts if report.performance else ()
    found = [f"{alert.severity.value}: {alert.window or ''} {alert.message}" for alert in alerts]
    return found + [finding.message for finding in (report.drift.schema if report.drift else ())]


def to_markdown(report: MonitorReport) -> str:
    """Headline, one table of columns, and the alerts."""
    lines = [
        f"# Drift of {report.model}: {report.status.value}",
        "",
        f"{report.reason}. Window {report.window or 'none'}.",
        "",
        "| " + " | ".join(_HEAD) + " |",
        "|" + " --- |" * len(_HEAD),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in _rows(report)),
        "",
        *(f"- {line}" for line in _alerts(report)),
    ]
    return "\n".join(lines) + "\n"


def to_html(report: MonitorReport) -> str:
    """The same as a page that needs nothing from outside."""
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in _rows(report)
    )
    alerts = "".join(f"<li>{escape(line)}</li>" for line in _alerts(report))
    title = f"Drift of {escape(report.model)}: {report.status.value}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>'
        "body{font:15px sans-serif;margin:2rem}table{border-collapse:collapse}"
        "td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left}</style>"
        f"<h1>{title}</h1><p>{escape(report.reason)}. Window {escape(report.window or 'none')}.</p>"
        f"<table><tr>{head}</tr>{body}</table><h2>Alerts</h2><ul>{alerts}</ul></html>\n"
    )
