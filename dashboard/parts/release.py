"""The dialog of a deployment, the state that was read back, and the log of a running operation."""

from __future__ import annotations

import streamlit as st

from core.access import Action
from core.deploy.release import ReleasePlan
from core.deploy.types import Operation, StepState
from core.deploy.views import EndpointView
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, duration, mark
from dashboard.parts.confirm import Pending, act_once, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor, refusal
from dashboard.parts.text import literal, plain
from dashboard.services import releases

DEPLOY = "deploy"
RESULT, JOB = "release_result", "release_job"


def may_not_deploy(view: EndpointView, plan: ReleasePlan | ModelDeskError, last: Operation | None) -> str:
    """Why the plan cannot be opened: no right, no plan, or something runs; '' when it can."""
    settings = services.workspace().settings
    if refused := refusal(settings, Action.DEPLOY, view.key.model, view.key.environment):
        return refused
    if isinstance(plan, ModelDeskError):
        return f"{plan.what} {plan.way_out}"
    if last is not None and last.finished_at is None:
        return f"A {last.kind} by {literal(last.actor)} is under way; its log is above. Going back stays possible."
    return ""


def show_pending() -> None:
    """The dialog of a deployment that waits for its confirmation."""
    if waiting := pending(DEPLOY):
        _deploy_dialog(waiting)


@st.dialog("Deploy", icon=":material/rocket_launch:", on_dismiss=dismiss)
def _deploy_dialog(waiting: Pending) -> None:
    plan: ReleasePlan = waiting.subject
    acknowledged = show_plan(plan)
    if plan.blocked:
        st.error(f"{plan.blocked.what} {plan.blocked.way_out}".strip(), icon=":material/block:")
    st.text_input("Reason", key="deploy_reason", placeholder="why this version goes live")
    acted = st.button(
        f"Start the {plan.trial.kind} of v{plan.to_version}"
        if plan.trial
        else f"Deploy v{plan.to_version} to {plan.environment}",
        type="primary",
        key="confirm_deploy",
        disabled=plan.blocked is not None or not acknowledged,
        on_click=act_once,
        args=(DEPLOY, _deploy),
    )
    if acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


def show_plan(plan: ReleasePlan) -> bool:
    """The plan's steps and warnings; True when nothing (more) has to be acknowledged."""
    st.markdown(plan_line(plan))
    st.markdown("\n".join(f"1. {plain(step)}" for step in plan.steps))
    if not plan.warnings:
        return True
    for warning in plan.warnings:
        st.error(warning, icon=":material/sync_problem:")
    return st.checkbox("I have seen this and go on from what MLflow says now", key="acknowledge_outside")


def plan_line(plan: ReleasePlan) -> str:
    """The plan in one line of Markdown; a model's name may hold what Markdown would obey."""
    return f"**{plain(plan.sentence)}**".replace(plain("->"), "→")


def _deploy(waiting: Pending) -> None:
    reason = st.session_state.get("deploy_reason", "").strip()
    if waiting.subject.warm is None:
        carry_out(waiting, reason)
    else:
        begin(waiting, reason)


def begin(waiting: Pending, reason: str) -> None:
    """Start what waits as a job that goes on when the browser is closed."""
    plan: ReleasePlan = waiting.subject
    actor = current_actor(services.workspace().settings)
    releases.start_release(plan, actor, reason, waiting.key)
    st.session_state[JOB] = waiting.key
    st.session_state[RESULT] = (
        f"{plan.sentence}: begun. The Deploy page shows each step; closing it changes nothing."
    )


def carry_out(waiting: Pending, reason: str) -> None:
    """Do what waits, once, and keep the state that was read back, or the failure."""
    acknowledged = bool(st.session_state.get("acknowledge_outside", False))
    try:
        actor = current_actor(services.workspace().settings)
        done = releases.carry_out_release(waiting.subject, actor, reason, waiting.key, acknowledged)
    except ModelDeskError as error:
        st.session_state[RESULT] = error
        return
    st.session_state[RESULT] = done


def show_result() -> None:
    """The state that was read back after an action, until the next one."""
    result = st.session_state.get(RESULT)
    if isinstance(result, ModelDeskError):
        show_failure(result)
    elif isinstance(result, str):
        st.success(plain(result), icon=":material/check_circle:")
    elif result is not None:
        took = sum(value or 0 for value in result.seconds.values())
        st.success(f"{plain(result.sentence)} It took {duration(took)}.", icon=":material/check_circle:")


def show_job() -> None:
    """What became of the deployment that was begun in this browser, once it has ended."""
    outcome = releases.release_outcome(st.session_state.get(JOB, ""))
    if outcome is not None:
        st.session_state.pop(JOB)
        st.session_state[RESULT] = outcome


@st.fragment(run_every=1.0)
def watch_operation(operation_id: str) -> None:
    """The log of a running operation, drawn again each second; it lives in the database, not in the browser."""
    operation = releases.operation(operation_id)
    with st.container(border=True, key="operation_log"):
        operation_log(operation)
    if operation.finished_at is not None:
        services.forget()
        st.rerun()


def operation_log(operation: Operation) -> None:
    """Who does what, and each step with its time."""
    st.markdown(
        f"**{operation.kind} of v{operation.to_version}** by {literal(operation.actor)} "
        f"{mark(str(operation.state)).text}"
    )
    words = {StepState.OK: "PASS", StepState.FAILED: "FAIL", StepState.RUNNING: "RUNNING"}
    for step in operation.steps:
        shown = mark(words.get(step.state, "INCONCLUSIVE"))
        seconds = duration(step.seconds) if step.state is not StepState.RUNNING else "..."
        st.markdown(f"{shown.icon} {shown.word} · **{step.name}** · {seconds} · {plain(step.detail)}")
    if operation.message:
        st.caption(plain(operation.message))


def said(version: int | None) -> str:
    """A version as people write it."""
    return MISSING if version is None else f"v{version}"
