"""The Pipeline page's doors into core: what DVC's files say is cached for seconds, jobs and writes never."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.pipeline.checks import CheckedFiles
    from core.pipeline.jobs import Job
    from core.pipeline.measures import Measures
    from core.pipeline.plots import Plots
    from core.pipeline.reproduce import RunPlan
    from core.pipeline.types import Finding, GtoEvent, Pipeline, Revision


def projects() -> dict[str, Path]:
    """The workspace's DVC projects: as written in the settings -> folder."""
    settings = workspace().settings
    return {path.as_posix(): settings.path(path) for path in settings.dvc.projects}


def pipeline(project: Path, revision: str | None) -> tuple[Pipeline, tuple[Finding, ...]]:
    """Stages, edges and what is wrong; unchanged files are not read again."""
    from core.pipeline.read import read_pipeline
    from core.pipeline.validate import validate

    read = read_pipeline(project, revision)
    return read, validate(read)


def check_files(project: Path, progress: Callable[[int, int], None]) -> CheckedFiles:
    """Hash every local dep and output; as slow as reading them."""
    from core.pipeline import checks
    from core.pipeline.read import read_pipeline

    return checks.check_files(read_pipeline(project), progress)


@st.cache_data(ttl=30, max_entries=20, show_spinner=False)
def named_revisions(project: Path) -> tuple[Revision, ...]:
    """Branches, tags and experiments, then the last 200 commits."""
    from core.pipeline.revisions import revisions

    return revisions(project)


@st.cache_data(ttl=30, max_entries=20, show_spinner=False)
def releases(project: Path) -> tuple[GtoEvent, ...]:
    """GTO's tags as events, oldest first."""
    from core.pipeline.revisions import gto_events

    return gto_events(project)


@st.cache_data(ttl=20, max_entries=20, show_spinner="Reading metrics and params…")
def measures(
    project: Path, revisions: Sequence[str | None]
) -> tuple[tuple[Measures, ...], tuple[Measures, ...]]:
    """Metrics and params of each revision (None: the working tree)."""
    from core.pipeline.measures import read_metrics, read_params

    return read_metrics(project, revisions), read_params(project, revisions)


@st.cache_data(ttl=20, max_entries=5, show_spinner="Reading plots…")
def plots(project: Path, revisions: Sequence[str | None]) -> Plots:
    """Plots of each revision."""
    from core.pipeline.plots import read_plots

    return read_plots(project, revisions)


def report(project: Path, revision: str | None, checked: CheckedFiles | None, suffix: str) -> str:
    """The pipeline's report as ``md``, ``html`` or ``json``."""
    import json

    from core.pipeline import report as reports

    made = reports.make_report(project, revision, checked, datetime.now(UTC))
    if suffix == "json":
        return json.dumps(reports.as_json(made), default=str, indent=1)
    return reports.as_html(made) if suffix == "html" else reports.as_markdown(made)


def last_job(project: Path) -> Job | None:
    """The newest job of the project, running or not."""
    from core.pipeline.jobs import jobs

    return next(iter(jobs(project)), None)


def job_log(project: Path, job_id: str) -> str:
    """The end of what DVC and the stages printed."""
    from core.pipeline.jobs import log_tail

    return log_tail(project, job_id, 200)


def plan_repro(
    project: Path, names: Sequence[str], *, force: bool, downstream: bool
) -> RunPlan | ModelDeskError:
    """What a reproduction would do, or why there is no plan."""
    from core.pipeline.reproduce import plan_repro as plan

    try:
        return plan(project, names, force=force, downstream=downstream)
    except ModelDeskError as error:
        return error


def start_repro(plan: RunPlan, actor: Actor) -> Job:
    """Start the job; it goes on when the browser is closed. Raises Refused and Conflict."""
    from core.pipeline.reproduce import carry_out

    try:
        return carry_out(workspace(), plan, actor)
    finally:
        forget()


def start_fetch(project: Path, path: str, revision: str | None, actor: Actor) -> Job:
    """Start a job that brings one file from DVC's remote. Raises Refused and Conflict."""
    from core.pipeline.reproduce import fetch

    return fetch(workspace(), project, path, revision, actor)


def cancel_job(project: Path, job_id: str, actor: Actor) -> None:
    """Stop a running job. Raises Refused and Conflict."""
    from core.pipeline.reproduce import cancel

    cancel(workspace(), project, job_id, actor)


def may_run(actor: Actor) -> str | None:
    """None when the actor may run pipelines, else the reason why not."""
    from core.access import Action, decide

    decision = decide(workspace().settings, actor, Action.RUN_PIPELINE)
    return None if decision.allowed else decision.reason


def job(project: Path, job_id: str) -> Job:
    """A job as it stands now; raises NotFound."""
    from core.pipeline.jobs import read_job

    return read_job(project, job_id)


def planned(project: Path, started: Job) -> tuple[str, ...]:
    """The stages that a reproduction looks at, in order; none for other jobs."""
    command = started.command
    if command[0] != "repro":
        return ()
    plan = plan_repro(
        project,
        [part for part in command[1:] if not part.startswith("--")],
        force="--force" in command,
        downstream="--downstream" in command,
    )
    return () if isinstance(plan, ModelDeskError) else plan.stages
