"""The pipeline's report: states, metrics, params, findings and the last job, as Markdown, HTML or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core import document
from core.document import Table
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
    return document.as_markdown(_title(report), _summary(report), tuple(_tables(report)))


def as_html(report: Report) -> str:
    """The report as one self-contained HTML page."""
    return document.as_html(_title(report), _summary(report), tuple(_tables(report)))


def _title(report: Report) -> str:
    revision = report.pipeline.revision
    return f"Pipeline {report.pipeline.root.name}" + (f" at {revision[:10]}" if revision else "")


def _summary(report: Report) -> str:
    counts = Counter(str(state.state) for state in report.states)
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no stages"
    return f"{len(report.states)} stages ({states}); made {report.made_at:%Y-%m-%d %H:%M} UTC."


def _tables(report: Report) -> Iterator[Table]:
    stages = {stage.name: stage for stage in report.pipeline.stages}
    rows = [
        [state.name, str(state.state), "; ".join(map(str, state.reasons)), _command(stages[state.name].cmd)]
        for state in report.states
    ]
    yield _table("Stages", ("stage", "state", "why", "command"), rows)
    metrics = [
        *_values(report.metrics),
        *([one.path, "", f"in DVC's storage: {one.way_out}"] for one in report.metrics.stored),
    ]
    if metrics:
        yield _table("Metrics", ("file", "metric", "value"), metrics)
    if params := list(_values(report.params)):
        yield _table("Params", ("file", "param", "value"), params)
    if report.findings:
        found = [
            [str(one.severity), f"{one.file}:{one.line or ''}".rstrip(":"), one.message]
            for one in report.findings
        ]
        yield _table("Findings", ("severity", "where", "what"), found)
    if report.last_job and (last := report.last_job.report):
        yield from _job_tables(report.last_job, last)


def _job_tables(job: Job, last: dict[str, Any]) -> Iterator[Table]:
    heading = f"Last reproduction: {job.state}, {job.started_at:%Y-%m-%d %H:%M} UTC"
    rows = [[one["name"], one["state"], _cell(one["seconds"])] for one in last["stages"]]
    yield _table(heading, ("stage", "what happened", "seconds"), rows)
    if changes := last["metric_changes"]:
        cells = [
            [one["key"], *(_cell(one[name]) for name in ("before", "after", "delta"))] for one in changes
        ]
        yield _table("Metric changes of that reproduction", ("metric", "before", "after", "delta"), cells)


def _table(title: str, columns: tuple[str, ...], rows: Iterable[Sequence[str]]) -> Table:
    return Table(title, columns, tuple(map(tuple, rows)))


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
