"""The way back: the card, the dialog with what is new, other targets, and the drill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from core.access import Action
from core.deploy.drill import REHEARSED_IN, drilled_words, is_overdue
from core.deploy.release import ReleasePlan
from core.deploy.views import EndpointView
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import mark, moment
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.identity import refusal
from dashboard.parts.reasoned import Reasoned, Why, reasoned_button
from dashboard.parts.release import begin, carry_out, plan_line, said, show_plan
from dashboard.parts.text import plain
from dashboard.services import releases

ROLL_BACK = "roll back"
REASONS = (
    "Wrong or odd predictions",
    "Errors or slow answers",
    "Drift alert",
    "Data problem",
    "Safety",
    "Other",
)
WARMTH = {True: "warm", False: "cold, about 20 s", None: "alias only"}


def rollback_card(view: EndpointView, plan: ReleasePlan | ModelDeskError) -> None:
    """``v8, live since ... -> roll back to v7 (served 34 days)`` over one named button."""
    with st.container(border=True, key="rollback_card"):
        blocked = plan if isinstance(plan, ModelDeskError) else plan.blocked
        why_not = may_not_roll_back(view) or (f"{blocked.what} {blocked.way_out}".strip() if blocked else "")
        since = f", live since {view.since:%Y-%m-%d %H:%M} UTC" if view.since else ""
        if blocked is None and isinstance(plan, ReleasePlan):
            plan = _with_outside_warning(view, plan)
            served = releases.served_words(view.key.model, view.key.environment, plan.to_version)
            ends_trial = plan.to_version == view.live
            now = "two versions share the traffic" if ends_trial else f"{said(view.live)}{since}"
            st.markdown(
                f"{now} → **roll back to v{plan.to_version}**{' alone' * ends_trial} ({served}; {WARMTH[plan.warm]})"
            )
            label = f"Roll back to v{plan.to_version}"
            _skipped(plan)
        else:
            st.markdown(f"{said(view.live)}{since} → nothing to roll back to")
            label = "Roll back"
        st.button(
            label,
            type="primary",
            icon=":material/undo:",
            key="open_rollback",
            shortcut="B",
            disabled=bool(why_not),
            on_click=ask,
            args=(ROLL_BACK, plan),
        )
        if why_not:
            st.caption(why_not)


def may_not_roll_back(view: EndpointView) -> str:
    """Why whoever is looking may not roll the endpoint back; '' when they may."""
    settings = services.workspace().settings
    return refusal(settings, Action.ROLL_BACK, view.key.model, view.key.environment)


def _with_outside_warning(view: EndpointView, plan: ReleasePlan) -> ReleasePlan:
    if plan.warnings or not view.moved_outside:
        return plan
    text = f"The alias {view.alias} was moved outside Model Desk: MLflow says {said(view.registry_says)}."
    return replace(plan, warnings=(text,))


def _skipped(plan: ReleasePlan) -> None:
    """Better targets that cannot serve: their buttons stay, disabled, with the reason."""
    for version, why in plan.skipped:
        st.button(f"Roll back to v{version}", key=f"skipped_{version}", disabled=True, help=why)
        st.caption(f"v{version} cannot serve: {why}")


def other_targets(view: EndpointView) -> None:
    """Any other version that served here; each needs its number typed."""
    model, environment = view.key.model, view.key.environment
    targets = [
        target for target in releases.rollback_targets(model, environment) if target.version != view.live
    ]
    if not targets:
        st.caption("No other version has served here.")
    for target in targets:
        served = target.served
        until = moment(served.until) if served.until else "now"
        words = f"{moment(served.since)} to {until}, {WARMTH[target.warm]}"
        words += "" if served.good else ", was rolled back"
        why_not = may_not_roll_back(view) or target.blocked
        st.button(
            f"Roll back to v{target.version} ...",
            key=f"other_{target.version}",
            disabled=bool(why_not),
            help=why_not or None,
            on_click=_ask_for,
            args=(model, environment, target.version),
        )
        st.caption(f"Served {words}" + (f". {target.blocked}" if target.blocked else ""))


def _ask_for(model: str, environment: str, version: int) -> None:
    plan = releases.rollback_plan(model, environment, str(version))
    ask(ROLL_BACK, plan)


def drill_line(view: EndpointView) -> None:
    """When going back was last rehearsed, red when that is long ago, and the button to do it."""
    model, now = view.key.model, datetime.now(UTC)
    last = releases.last_drill(model)
    words = drilled_words(last, now)
    if is_overdue(last, now):
        shown = mark("OVERDUE")
        st.markdown(f":red[{shown.icon} {shown.word}] {words} Once in 90 days is right.")
    else:
        st.markdown(f"{mark('PASS').icon} {words}")
    plan = releases.drill_plan(model)
    if isinstance(plan, ModelDeskError):
        st.button("Rehearse a rollback", icon=":material/fitness_center:", key="open_drill", disabled=True)
        st.caption(f"{plan.what} {plan.way_out}")
        return
    about = Reasoned(
        f"Rehearse a rollback in {REHEARSED_IN}",
        plan.steps,
        "Rehearse it now",
        partial(_drill, plan),
        why=Why.NOT_ASKED,
    )
    reasoned_button(
        "Rehearse a rollback",
        about,
        Action.ROLL_BACK,
        model,
        REHEARSED_IN,
        key="open_drill",
        icon=":material/fitness_center:",
    )


def _drill(plan: object, actor: object, _reason: str) -> str:
    return releases.run_drill(plan, actor)


def show_rollback() -> None:
    """The dialog, while a rollback waits for its confirmation."""
    if waiting := pending(ROLL_BACK):
        _rollback_dialog(waiting)


@st.dialog("Roll back", icon=":material/undo:", on_dismiss=dismiss)
def _rollback_dialog(waiting: Pending) -> None:
    plan: ReleasePlan | ModelDeskError = waiting.subject
    if isinstance(plan, ModelDeskError):
        st.error(f"{plan.what} {plan.way_out}".strip(), icon=":material/block:")
        return
    known = _preflight(plan) if plan.warm is not None else show_plan(plan)
    acknowledged = known and _acknowledged(plan)
    typed = _typed(plan)
    st.selectbox("What is wrong?", REASONS, key="rollback_reason")
    st.text_input("In a few words (optional)", key="rollback_words", placeholder="ticket, symptom")
    acted = st.button(
        f"Roll back to v{plan.to_version}",
        type="primary",
        key="confirm_rollback",
        shortcut="Ctrl+Enter",
        disabled=not (acknowledged and typed),
        on_click=act_once,
        args=(ROLL_BACK, _roll_back),
    )
    if acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


def _preflight(plan: ReleasePlan) -> bool:
    """What is not on the page: is the target fit, what differs, who is affected, what is not undone."""
    found = releases.rollback_preflight(plan.model, plan.environment, plan.to_version)
    st.markdown(plan_line(plan))
    for line in found.checks:
        shown = mark(line.verdict)
        st.markdown(f"{shown.icon} {plain(line.text)}")
    if services.endpoint_views().failure:
        differs = ("MLflow does not answer: not known.",)
    elif plan.from_version is not None:
        differs = releases.version_differences(plan.model, plan.from_version, plan.to_version)
    else:
        differs = ()
    facts = {
        "Differs": "; ".join(differs) or "no parameter",
        "Affected": found.affected,
        "Not undone": found.not_undone,
        "Then": f"promotions of {plan.model} in {plan.environment} are frozen until someone lifts it; "
        "a lead reviews it within 24 hours.",
    }
    st.markdown("\n".join(f"- **{name}:** {plain(words)}" for name, words in facts.items()))
    return all(line.verdict != "FAIL" for line in found.checks)


def _acknowledged(plan: ReleasePlan) -> bool:
    if plan.warm is None or not plan.warnings:
        return True  # the alias's own plan asks in show_plan
    for warning in plan.warnings:
        st.error(warning, icon=":material/sync_problem:")
    return st.checkbox("I have seen this: roll back what serves", key="acknowledge_outside")


def _typed(plan: ReleasePlan) -> bool:
    """Last good needs no typing: it is reversible and speed matters; any other target does."""
    if plan.is_last_good:
        return True
    wanted = f"v{plan.to_version}"
    return st.text_input(f"Type {wanted} to confirm", key="typed_version").strip() == wanted


def _roll_back(waiting: Pending) -> None:
    reason = st.session_state.get("rollback_reason", REASONS[0])
    words = st.session_state.get("rollback_words", "").strip()
    act = begin if waiting.subject.warm is False else carry_out
    act(waiting, f"{reason}: {words}" if words else reason)
