"""The pipeline's report: states, metrics, params, findings and the last job, as Markdown, HTML or JSON."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.pipeline.checks import Checker
from core.pipeline.jobs import Job, JobState, jobs
from core.pipeline.measures import Measures, read_metrics, read_params
from core.pipeline.read import read_pipeline
from core.pipeline.status import stage_states
from core.pipeline.types import Finding, Pipeline, StageState
from core.pipeline.validate import validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the report tells."""

    made_at: datetime
    pipeline: Pipeline
    states: tuple[StageState, ...]
    findings: tuple[Finding, ...]
    metrics: Measures
    params: Measures
    last_job: Job | None


def make_report(project: Path, revision: str | None, checker: Checker | None, now: datetime) -> Report:
    """The report of the project at ``revision``; raises NotFound."""
    pipeline = read_pipeline(project, revision)
    known = jobs(project) if revision is None else ()
    return Report(
        made_at=now,
        pipeline=pipeline,
        states=stage_states(pipeline, checker),
        findings=validate(pipeline),
        metrics=read_metrics(project, [revision])[0],
        params=read_params(project, [revision])[0],
        last_job=next((job for job in known if job.state is not JobState.RUNNING), None),
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    job = report.last_job
    return {
        "ok": not any(finding.severity == "error" for finding in report.findings),
        "made_at": report.made_at.isoformat(),
        "project": report.pipeline.root.name,
        "revision": report.pipeline.revision,
        "states": dict(Counter(str(state.state) for state in report.states)),
        "stages": [
            {
                "name": state.name,
                "state": str(state.state),
                "reasons": [str(reason) for reason in state.reasons],
            }
            for state in report.states
        ],
        "metrics": report.metrics.values,
        "stored_metrics": [{"path": one.path, "way_out": one.way_out} for one in report.metrics.stored],
        "params": report.params.values,
        "findings": [
            {"file": one.file, "line": one.line, "message": one.message, "severity": str(one.severity)}
            for one in report.findings
        ],
        "last_job": job.report if job else None,
    }


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"# {_title(report)}", "", _summary(report), ""]
    for heading, columns, rows in _tables(report):
        lines += [f"## {heading}", "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def as_html(report: Report) -> str:
    """The report as one self-contained HTML page."""
    parts = [f"<h1>{html.escape(_title(report))}</h1><p>{html.escape(_summary(report))}</p>"]
    for heading, columns, rows in _tables(report):
        head = "".join(f"<th scope=col>{html.escape(column)}</th>" for column in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        parts.append(f"<h2>{html.escape(heading)}</h2>{table}")
    return _PAGE.format(title=html.escape(_title(report)), body="".join(parts))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin-bottom: 2rem; }}
th, td {{ border: 1px solid #767676; padding: .3rem .6rem; text-align: left; vertical-align: top; }}
</style></head><body>{body}</body></html>
"""


def _title(report: Report) -> str:
    revision = report.pipeline.revision
    return f"Pipeline {report.pipeline.root.name}" + (f" at {revision[:10]}" if revision else "")


def _summary(report: Report) -> str:
    counts = Counter(str(state.state) for state in report.states)
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no stages"
    return f"{len(report.states)} stages ({states}); made {report.made_at:%Y-%m-%d %H:%M} UTC."


def _tables(report: Report) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    stages = {stage.name: stage for stage in report.pipeline.stages}
    rows = [
        [state.name, str(state.state), "; ".join(map(str, state.reasons)), _command(stages[state.name].cmd)]
        for state in report.states
    ]
    yield "Stages", ("stage", "state", "why", "command"), rows
    metrics = [
        *_values(report.metrics),
        *([one.path, "", f"in DVC's storage: {one.way_out}"] for one in report.metrics.stored),
    ]
    if metrics:
        yield "Metrics", ("file", "metric", "value"), metrics
    if params := list(_values(report.params)):
        yield "Params", ("file", "param", "value"), params
    if report.findings:
        found = [
            [str(one.severity), f"{one.file}:{one.line or ''}".rstrip(":"), one.message]
            for one in report.findings
        ]
        yield "Findings", ("severity", "where", "what"), found
    if report.last_job and (last := report.last_job.report):
        yield from _job_tables(report.last_job, last)


def _job_tables(job: Job, last: dict[str, Any]) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    heading = f"Last reproduction: {job.state}, {job.started_at:%Y-%m-%d %H:%M} UTC"
    rows = [[one["name"], one["state"], _cell(one["seconds"])] for one in last["stages"]]
    yield heading, ("stage", "what happened", "seconds"), rows
    if changes := last["metric_changes"]:
        cells = [
            [one["key"], *(_cell(one[name]) for name in ("before", "after", "delta"))] for one in changes
        ]
        yield "Metric changes of that reproduction", ("metric", "before", "after", "delta"), cells


def _values(measures: Measures) -> Iterator[list[str]]:
    for file, values in measures.values.items():
        for key, value in values.items():
            yield [file, key, _cell(value)]


def _command(cmd: str | tuple[str, ...] | None) -> str:
    return cmd if isinstance(cmd, str) else " && ".join(cmd or ())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
