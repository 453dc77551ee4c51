"""Pieces of the Pipeline page: how the stages stand, the job that runs, the dialogs that start one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from core.pipeline.jobs import Job, JobState
from core.pipeline.reproduce import RunPlan
from core.pipeline.types import Finding, Pipeline, StageState, State
from dashboard import services
from dashboard.charts.lineage import STATES
from dashboard.palette import ago, duration, mark, number, short_hash, signed
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import status_badge
from dashboard.services import pipelines

REPRODUCE, FETCH = "reproduce", "fetch"
REFUSED = "pipeline_refused"
JOB_WORDS = {
    JobState.RUNNING: "RUNNING",
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
    JobState.INTERRUPTED: "INTERRUPTED",
}
OUTCOME_WORDS = {
    "running": "RUNNING",
    "ran": "RAN",
    "cached": "FROM CACHE",
    "unchanged": "UNCHANGED",
    "failed": "FAILED",
}
TO_DO = (State.CHANGED, State.NEVER_RUN, State.OUTPUT_MISSING, State.OUTDATED_UPSTREAM)


def standing(pipeline: Pipeline, states: Sequence[StageState]) -> None:
    """The answer first: is everything current, and if not, which stage is the first that is not, and why."""
    runnable = {stage.name for stage in pipeline.stages if not stage.is_data}
    counted = Counter(state.state for state in states if state.name in runnable)
    waiting = [state for state in states if state.state in TO_DO]
    if not states:
        st.info("This revision has no stages.", icon=":material/info:")
    elif waiting:
        direct = [one for one in waiting if one.state is not State.OUTDATED_UPSTREAM] or waiting
        because = "; ".join(map(str, direct[0].reasons)) or str(direct[0].state)
        late = sum(counted[state] for state in TO_DO)
        st.warning(
            f"**{late} of {len(runnable)} stages are not current.** It begins with {direct[0].name}: {because}.",
            icon=":material/change_history:",
        )
    elif counted[State.NOT_CHECKED]:
        unsure = counted[State.NOT_CHECKED]
        st.info(
            f"**Nothing is known to be out of date.** {unsure} of {len(runnable)} stages have files too large "
            "to look at on every visit: check the files to be sure.",
            icon=":material/help:",
        )
    else:
        st.success(
            f"**All {len(runnable)} stages are up to date** as far as DVC's lock files say.",
            icon=":material/check_circle:",
        )


def stage_table(pipeline: Pipeline, states: Sequence[StageState]) -> None:
    """Each stage with its state, the reason and the command."""
    state_of = {state.name: state for state in states}
    rows = [
        {
            "stage": stage.name,
            "state": mark(STATES[str(state_of[stage.name].state)]).text,
            "why": "; ".join(map(str, state_of[stage.name].reasons)) or "–",
            "command": "data file" if stage.is_data else _command(stage.cmd),
            "reads": ", ".join(dep.path for dep in stage.deps),
            "makes": ", ".join(out.path for out in stage.outs),
        }
        for stage in pipeline.stages
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Stages with their state and the reason for it")


def finding_table(findings: Sequence[Finding]) -> None:
    """What would keep the pipeline from running, errors first."""
    rows = [
        {
            "severity": mark("FAIL" if one.severity == "error" else "INCONCLUSIVE").shape
            + f" {one.severity}",
            "where": f"{one.file}:{one.line}" if one.line else one.file,
            "what": one.message,
        }
        for one in sorted(findings, key=lambda one: one.severity != "error")
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Problems, errors first")


def reproduce_button(project: Path, *, primary: bool) -> None:
    """Opens the dialog, unless the person may not run pipelines or a job is running."""
    refusal = pipelines.may_run(current_actor(services.workspace().settings))
    st.button(
        "Reproduce…",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        key="open_reproduce",
        disabled=refusal is not None,
        help=refusal,
        on_click=ask,
        args=(REPRODUCE, project),
    )


def fetch_button(project: Path, path: str, revision: str | None, command: str) -> None:
    """Offers to bring one file from DVC's remote."""
    st.button(
        f"Bring {path}",
        icon=":material/download:",
        key=f"fetch {path} {revision}",
        help=command,
        on_click=ask,
        args=(FETCH, (project, path, revision, command)),
    )


def show_pending() -> None:
    """The dialog of whatever waits for its confirmation, and why the last one was refused."""
    refused = st.session_state.pop(REFUSED, None)
    if isinstance(refused, ModelDeskError):
        show_failure(refused)
    if waiting := pending(REPRODUCE):
        _reproduce_dialog(waiting)
    elif waiting := pending(FETCH):
        _fetch_dialog(waiting)


@st.dialog("Reproduce", icon=":material/play_arrow:", on_dismiss=dismiss)
def _reproduce_dialog(waiting: Pending) -> None:
    project: Path = waiting.subject
    everything = pipelines.plan_repro(project, (), force=False, downstream=False)
    if isinstance(everything, ModelDeskError):
        show_failure(everything)
        return
    names = st.multiselect("Stages", everything.stages, key="repro_stages", placeholder="all of them")
    downstream = st.checkbox(
        "and everything that follows from them, instead of what they need",
        key="repro_downstream",
        disabled=not names,
    )
    force = st.checkbox("Run stages that are up to date too", key="repro_force")
    plan = pipelines.plan_repro(project, names, force=force, downstream=downstream and bool(names))
    if isinstance(plan, ModelDeskError):
        show_failure(plan)
        return
    st.markdown(f"DVC will look at {len(plan.stages)} stages in this order: {' → '.join(plan.stages)}.")
    st.code("dvc " + " ".join(part for part in plan.command if part != "--"), language="bash")
    errors = [finding for finding in plan.findings if finding.severity == "error"]
    for finding in errors:
        st.error(f"{finding.file}: {finding.message}", icon=":material/block:")
    st.session_state["repro_plan"] = plan
    acted = st.button(
        "Start",
        type="primary",
        key="confirm_reproduce",
        disabled=bool(errors),
        on_click=act_once,
        args=(REPRODUCE, _start),
    )
    if acted:  # a dialog reruns alone; the page behind it must show the job
        st.rerun()


@st.dialog("Bring a file from DVC's remote", icon=":material/download:", on_dismiss=dismiss)
def _fetch_dialog(waiting: Pending) -> None:
    st.code(waiting.subject[3], language="bash")
    st.caption("Runs as a job; nothing else is changed.")
    acted = st.button(
        "Start", type="primary", key="confirm_fetch", on_click=act_once, args=(FETCH, _start_fetch)
    )
    if acted:
        st.rerun()


def _start(waiting: Pending) -> None:
    plan: RunPlan = st.session_state["repro_plan"]
    try:
        pipelines.start_repro(plan, current_actor(services.workspace().settings))
    except ModelDeskError as error:
        st.session_state[REFUSED] = error


def _start_fetch(waiting: Pending) -> None:
    project, path, revision, _ = waiting.subject
    try:
        pipelines.start_fetch(project, path, revision, current_actor(services.workspace().settings))
    except ModelDeskError as error:
        st.session_state[REFUSED] = error


@st.fragment(run_every=1.0)
def watch_job(project: Path, job_id: str, planned: Sequence[str]) -> None:
    """A running job, drawn again each second; it lives on disk, so closing the browser does not stop it."""
    job = pipelines.job(project, job_id)
    if job.state is not JobState.RUNNING:
        services.forget()
        st.rerun()
    done = [stage for stage in job.stages if stage.seconds is not None and stage.name in planned]
    with st.container(border=True, key="running_job"):
        with st.container(horizontal=True, vertical_alignment="center"):
            status_badge("RUNNING")
            since = ago(job.started_at, datetime.now(UTC)).removesuffix(" ago")
            st.markdown(f"**dvc {job.command[0]}** for {since}")
            st.button(
                "Cancel",
                icon=":material/cancel:",
                key="cancel_job",
                on_click=_cancel,
                args=(project, job_id),
            )
        if planned:
            st.progress(
                min(1.0, len(done) / len(planned)), text=f"{len(done)} of {len(planned)} stages are done"
            )
        _outcomes(job, planned)
        st.code(
            pipelines.job_log(project, job_id) or "No output yet.", language=None, height=220, wrap_lines=True
        )


def _cancel(project: Path, job_id: str) -> None:
    try:
        pipelines.cancel_job(project, job_id, current_actor(services.workspace().settings))
    except ModelDeskError as error:
        st.session_state[REFUSED] = error


def finished_job(project: Path, job: Job) -> None:
    """How the last job ended: what ran, what was cached, times, metric changes, params, git state, log."""
    ran = Counter(str(stage.state) for stage in job.stages)
    told = ", ".join(f"{count} {OUTCOME_WORDS[state].lower()}" for state, count in ran.items())
    took = (job.finished_at - job.started_at).total_seconds() if job.finished_at else None
    shown = mark(JOB_WORDS[job.state])
    parts = [f"{shown.shape} {shown.word.lower()} {ago(job.started_at, datetime.now(UTC))}"]
    parts += [told] * bool(told) + ([duration(took)] if took is not None else [])
    report = job.report or {}
    parts += [f"by {report['actor']}"] * bool(report.get("actor"))
    with st.expander(f"Last job (dvc {job.command[0]}): " + ", ".join(parts), icon=":material/history:"):
        if job.error:
            st.error(job.error, icon=":material/dangerous:")
        _outcomes(job, ())
        changes = report.get("metric_changes") or []
        if changes:
            st.markdown("**Metrics that changed**")
            st.dataframe(pd.DataFrame([_change(one) for one in changes]), hide_index=True)
        git = report.get("git") or {}
        if git.get("before"):
            before, after = git["before"], git["after"]
            dirty = "with changes not committed" if after.get("dirty") else "clean"
            st.caption(
                f"git: {short_hash(before.get('commit'))} before, {short_hash(after.get('commit'))} after, {dirty}"
            )
        st.code(
            pipelines.job_log(project, job.job_id) or "No output.", language=None, height=200, wrap_lines=True
        )


def _change(one: dict[str, object]) -> dict[str, str]:
    before, after, delta = one.get("before"), one.get("after"), one.get("delta")
    return {
        "metric": str(one["key"]),
        "before": _shown(before),
        "after": _shown(after),
        "change": signed(delta) if isinstance(delta, int | float) else "–",
    }


def _shown(value: object) -> str:
    return number(value, 5) if isinstance(value, float) else "–" if value is None else str(value)


def _outcomes(job: Job, planned: Sequence[str]) -> None:
    reached = {stage.name: stage for stage in job.stages}
    rows = []
    for name in dict.fromkeys((*planned, *reached)):
        stage = reached.get(name)
        word = OUTCOME_WORDS[str(stage.state)] if stage else "WAITING"
        shown = mark(word)
        took = duration(stage.seconds) if stage and stage.seconds else "–"
        rows.append({"stage": name, "outcome": f"{shown.shape} {shown.word}", "took": took})
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Stages of the job and their outcome")


def _command(cmd: str | tuple[str, ...] | None) -> str:
    return cmd if isinstance(cmd, str) else " && ".join(cmd or ())
