"""One dialog for every small write that needs a reason: a sentence of what will happen, a reason, one button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from core.access import Action, Actor, decide
from core.errors import ModelDeskError
from dashboard import services
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.identity import current_actor
from dashboard.parts.release import RESULT

REASONED = "reasoned"


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What the dialog says and does; ``act`` gets the actor and the reason and gives back a sentence."""

    title: str
    steps: tuple[str, ...]
    button: str
    act: Callable[[Actor, str], str]
    needs_reason: bool = True


def reasoned_button(
    label: str,
    about: Reasoned,
    action: Action,
    model: str,
    environment: str,
    *,
    key: str,
    icon: str,
    refusal: str = "",
) -> None:
    """A button that opens the dialog; disabled with the reason for those who may not, and for a ``refusal``."""
    actor = current_actor(services.workspace().settings)
    decision = decide(services.workspace().settings, actor, action, model, environment)
    why_not = refusal if decision.allowed else decision.reason
    st.button(
        label,
        key=key,
        icon=icon,
        disabled=bool(why_not),
        help=why_not or None,
        on_click=ask,
        args=(REASONED, about),
    )


def show_reasoned() -> None:
    """The dialog, while something waits for its confirmation."""
    waiting = pending(REASONED)
    if waiting is not None:
        st.dialog(waiting.subject.title, on_dismiss=dismiss)(_dialog)(waiting)


def _dialog(waiting: Pending) -> None:
    about: Reasoned = waiting.subject
    st.markdown("\n".join(f"- {step}" for step in about.steps))
    if about.needs_reason:
        st.text_input("Why?", key="reasoned_reason", placeholder="goes on the record")
    acted = st.button(
        about.button, type="primary", key="confirm_reasoned", on_click=act_once, args=(REASONED, _act)
    )
    if acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


def _act(waiting: Pending) -> None:
    actor = current_actor(services.workspace().settings)
    reason = st.session_state.get("reasoned_reason", "").strip()
    try:
        st.session_state[RESULT] = waiting.subject.act(actor, reason)
    except ModelDeskError as error:
        st.session_state[RESULT] = error
