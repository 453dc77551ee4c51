"""The rollback card, the dialogs around a release, and the log of a running one."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.deploy.release import ReleasePlan
from core.deploy.types import EndpointStatus, Operation, StepState
from core.deploy.views import EndpointView
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, ago, duration, mark
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import status_badge
from dashboard.services import releases

ROLL_BACK, DEPLOY = "roll back", "deploy"
REASONS = (
    "Wrong or odd predictions",
    "Errors or slow answers",
    "Drift alert",
    "Data problem",
    "Safety",
    "Other",
)
RESULT, JOB = "release_result", "release_job"


def status_line(view: EndpointView) -> None:
    """What serves, since when, by whom, how well, and whether MLflow says the same."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="endpoint_line"):
        st.markdown(f"**{said(view.live)} live**")
        if view.serving:
            status_badge(str(view.serving.health), view.serving.detail or None)
        if view.in_sync is not None:
            status_badge("IN SYNC" if view.in_sync else "OUT OF SYNC")
        if view.freeze:
            status_badge("FROZEN", view.freeze.reason)
    now = datetime.now(UTC)
    parts = [f"since {ago(view.since, now)}" if view.since else "since when is not recorded"]
    parts += [f"by {view.by}"] * bool(view.by)
    parts.append(f"registry says {said(view.registry_says)}")
    parts.append(
        f"serving says {said(view.serving.serving_says)}" if view.serving else "no serving engine: alias only"
    )
    st.caption(" · ".join(parts) + traffic_words(view.serving))


def traffic_words(status: EndpointStatus | None) -> str:
    """The last minute of traffic in words; '' without an engine."""
    if status is None or status.requests_per_s is None:
        return ""
    if status.requests_per_s == 0:
        return " · no requests in the last minute"
    return (
        f" · {status.requests_per_s:.1f} requests/s, {status.error_rate:.1%} errors, "
        f"p99 {status.p99_ms:.0f} ms in the last minute"
    )


def rollback_card(view: EndpointView, plan: ReleasePlan | ModelDeskError) -> None:
    """``v8, live since ... -> roll back to v7 (served 34 days)`` over one named button."""
    with st.container(border=True, key="rollback_card"):
        blocked = plan if isinstance(plan, ModelDeskError) else plan.blocked
        since = f", live since {view.since:%Y-%m-%d %H:%M} UTC" if view.since else ""
        if blocked is None and isinstance(plan, ReleasePlan):
            served = releases.served_words(view.key.model, view.key.environment, plan.to_version)
            warm = {True: "warm", False: "cold, about 20 s", None: "alias only"}[plan.warm]
            st.markdown(f"{said(view.live)}{since} → **roll back to v{plan.to_version}** ({served}; {warm})")
            label = f"Roll back to v{plan.to_version}"
        else:
            st.markdown(f"{said(view.live)}{since} → nothing to roll back to")
            label = "Roll back"
        st.button(
            label,
            type="primary",
            icon=":material/undo:",
            key="open_rollback",
            disabled=blocked is not None,
            on_click=ask,
            args=(ROLL_BACK, plan),
        )
        if blocked is not None:
            st.caption(f"{blocked.what} {blocked.way_out}".strip())


def show_pending() -> None:
    """The dialog of whatever waits for its confirmation."""
    if waiting := pending(ROLL_BACK):
        _rollback_dialog(waiting)
    elif waiting := pending(DEPLOY):
        _deploy_dialog(waiting)


@st.dialog("Roll back", icon=":material/undo:", on_dismiss=dismiss)
def _rollback_dialog(waiting: Pending) -> None:
    plan: ReleasePlan = waiting.subject
    acknowledged = _show_plan(plan)
    st.selectbox("What is wrong?", REASONS, key="rollback_reason")
    st.text_input("In a few words (optional)", key="rollback_words", placeholder="ticket, symptom")
    acted = st.button(
        f"Roll back to v{plan.to_version}",
        type="primary",
        key="confirm_rollback",
        disabled=not acknowledged,
        on_click=act_once,
        args=(ROLL_BACK, _roll_back),
    )
    if acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


@st.dialog("Deploy", icon=":material/rocket_launch:", on_dismiss=dismiss)
def _deploy_dialog(waiting: Pending) -> None:
    plan: ReleasePlan = waiting.subject
    acknowledged = _show_plan(plan)
    if plan.blocked:
        st.error(f"{plan.blocked.what} {plan.blocked.way_out}".strip(), icon=":material/block:")
    st.text_input("Reason", key="deploy_reason", placeholder="why this version goes live")
    acted = st.button(
        f"Deploy v{plan.to_version} to {plan.environment}",
        type="primary",
        key="confirm_deploy",
        disabled=plan.blocked is not None or not acknowledged,
        on_click=act_once,
        args=(DEPLOY, _deploy),
    )
    if acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


def _show_plan(plan: ReleasePlan) -> bool:
    st.markdown(f"**{plan.sentence}**")
    st.markdown("\n".join(f"1. {step}" for step in plan.steps))
    if not plan.warnings:
        return True
    for warning in plan.warnings:
        st.error(warning, icon=":material/sync_problem:")
    return st.checkbox("I have seen this and go on from what MLflow says now", key="acknowledge_outside")


def _roll_back(waiting: Pending) -> None:
    reason = st.session_state.get("rollback_reason", REASONS[0])
    words = st.session_state.get("rollback_words", "").strip()
    _carry_out(waiting, f"{reason}: {words}" if words else reason)


def _deploy(waiting: Pending) -> None:
    reason = st.session_state.get("deploy_reason", "").strip()
    if releases.has_engine():
        actor = current_actor(services.workspace().settings)
        releases.start_release(waiting.subject, actor, reason, waiting.key)
        st.session_state[JOB] = waiting.key
        return
    _carry_out(waiting, reason)


def _carry_out(waiting: Pending, reason: str) -> None:
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
    elif result is not None:
        took = sum(value or 0 for value in result.seconds.values())
        st.success(f"{result.sentence} It took {duration(took)}.", icon=":material/check_circle:")


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
        f"**{operation.kind} of v{operation.to_version}** by {operation.actor} {mark(str(operation.state)).text}"
    )
    words = {StepState.OK: "PASS", StepState.FAILED: "FAIL", StepState.RUNNING: "RUNNING"}
    for step in operation.steps:
        shown = mark(words.get(step.state, "INCONCLUSIVE"))
        seconds = duration(step.seconds) if step.state is not StepState.RUNNING else "..."
        st.markdown(f"{shown.icon} {shown.word} · **{step.name}** · {seconds} · {step.detail}")
    if operation.message:
        st.caption(operation.message)


def said(version: int | None) -> str:
    """A version as people write it."""
    return MISSING if version is None else f"v{version}"
