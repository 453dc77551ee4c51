"""Alert cards: what the monitor found, since when, who has it, and what can be done about it in one click."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.access import Action, decide
from core.errors import ModelDeskError
from core.ledger.state import OpenAlert
from dashboard import services
from dashboard.palette import ago, moment
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import inline_badge
from dashboard.services import monitors

RESOLVE, RETRAIN = "resolve alert", "request retraining"
_ACTS = {RESOLVE: "resolve", RETRAIN: "retrain"}
_FAILURE = "alert_failure"


def alert_cards(alerts: Sequence[OpenAlert], wanted: str | None) -> None:
    """One card per open alert, the one that the link names first; nothing when there is none."""
    if failure := st.session_state.pop(_FAILURE, None):
        show_failure(failure)
    if wanted and all(alert.event.alert_id != wanted for alert in alerts):
        st.info(f"The alert {wanted} is over; its story is in the ledger.", icon=":material/task_alt:")
    for alert in sorted(alerts, key=lambda alert: alert.event.alert_id != wanted):
        _card(alert)


def _card(alert: OpenAlert) -> None:
    event, now = alert.event, datetime.now(UTC)
    word = {"degraded": "DEGRADED", "inconclusive": "INCONCLUSIVE"}.get(event.finding, "DRIFT")
    with st.container(border=True, key=f"alert_{event.alert_id}"):
        left, right = st.columns([4, 5], vertical_alignment="center")
        left.markdown(f"{inline_badge(word)} **{event.severity}**: {event.summary}")
        left.caption(_standing(alert, now))
        with right, st.container(horizontal=True, gap="small", vertical_alignment="center"):
            _buttons(alert, now)


def _standing(alert: OpenAlert, now: datetime) -> str:
    """Since when, seen in which window, who has it, and what was asked for."""
    parts = [f"raised {ago(alert.since, now)}", f"seen in {alert.event.window}" if alert.event.window else ""]
    if alert.snoozed_until is not None and alert.snoozed_until > now:
        parts.append(f"snoozed until {moment(alert.snoozed_until)}")
    parts.append(f"taken on by {alert.owner}" if alert.owner else "nobody has taken it on")
    if alert.retraining is not None:
        parts.append(
            f"retraining asked for by {alert.retraining.actor.printed_name}: {alert.retraining.reason}"
        )
    return " · ".join(part for part in parts if part)


def _buttons(alert: OpenAlert, now: datetime) -> None:
    event = alert.event
    settings = services.workspace().settings
    actor = current_actor(settings)
    may = decide(settings, actor, Action.ACKNOWLEDGE, event.model, event.environment)
    may_ask = decide(settings, actor, Action.REQUEST, event.model, event.environment)

    def button(label: str, icon: str, name: str, act: str, allowed: object, disabled: bool = False) -> None:
        clicked = (ask, (act, alert)) if act in _ACTS else (_act, (act, event.alert_id))
        st.button(
            label, icon=icon, key=f"{name}_{event.alert_id}", on_click=clicked[0], args=clicked[1],
            disabled=disabled or not allowed.allowed, help=None if allowed.allowed else allowed.reason,
        )  # fmt: skip

    if alert.waits(now):
        button("Take on", ":material/person_check:", "take", "acknowledge", may)
    st.page_link(
        "app_pages/deploy.py",
        label="Roll back…",
        icon=":material/undo:",
        query_params={"model": event.model, "environment": event.environment, "alert": event.alert_id},
    )
    asked = alert.retraining is not None
    button("Request retraining", ":material/model_training:", "retrain", RETRAIN, may_ask, asked)
    with st.popover("More"):
        if alert.waits(now):
            button("Snooze for a day", ":material/snooze:", "snooze", "snooze", may)
        else:
            button("Let it wait for somebody again", ":material/undo:", "reopen", "reopen", may)
        button("Resolve", ":material/task_alt:", "resolve", RESOLVE, may)


def show_alert_dialog() -> None:
    """The dialog of whatever waits for a reason."""
    if waiting := pending(RESOLVE):
        _resolve_dialog(waiting)
    elif waiting := pending(RETRAIN):
        _retrain_dialog(waiting)


@st.dialog("Resolve the alert", icon=":material/task_alt:", on_dismiss=dismiss)
def _resolve_dialog(waiting: Pending) -> None:
    st.markdown(f"**{waiting.subject.event.summary}**")
    st.caption("It comes back by itself when a later window shows the same.")
    _reason_and_button(RESOLVE, "What became of it?", "Resolve the alert")


@st.dialog("Request retraining", icon=":material/model_training:", on_dismiss=dismiss)
def _retrain_dialog(waiting: Pending) -> None:
    event = waiting.subject.event
    st.markdown(f"**{event.model}**: {event.summary}")
    st.caption("The request goes on the record and to whoever is notified; nothing is trained by itself.")
    _reason_and_button(RETRAIN, "What should the training change?", "Request retraining")


def _reason_and_button(dialog: str, question: str, label: str) -> None:
    st.text_input(question, key="alert_reason")
    if st.button(label, type="primary", key="confirm_alert", on_click=act_once, args=(dialog, _confirmed)):
        st.rerun()  # a dialog reruns alone; the page behind it must show what was done


def _confirmed(waiting: Pending) -> None:
    _act(_ACTS[waiting.dialog], waiting.subject.event.alert_id, st.session_state.get("alert_reason", ""))


def _act(act: str, alert_id: str, reason: str = "") -> None:
    try:
        monitors.act_on_alert(act, alert_id, current_actor(services.workspace().settings), reason)
    except ModelDeskError as error:
        st.session_state[_FAILURE] = error
