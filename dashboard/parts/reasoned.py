"""One dialog for every small write that needs a reason: a sentence of what will happen, a reason, one button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from core.access import Action, Actor
from core.errors import ModelDeskError
from dashboard import services
from dashboard.parts.confirm import Pending, act_once, ask, dismiss, pending
from dashboard.parts.identity import current_actor, refusal
from dashboard.parts.release import RESULT

REASONED = "reasoned"
SAY_WHY = "Say why: the reason goes on the record."


class Why(StrEnum):
    """Whether a reason is asked for: the question above its field."""

    NEEDED = "Why?"
    WELCOME = "Why? (optional)"
    NOT_ASKED = ""


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What the dialog says and does; ``act`` gets the actor and the reason and gives back a sentence."""

    title: str
    steps: tuple[str, ...]
    button: str
    act: Callable[[Actor, str], str]
    why: Why = Why.NEEDED


def reasoned_button(
    label: str,
    about: Reasoned,
    action: Action,
    model: str,
    environment: str,
    *,
    key: str,
    icon: str,
    blocked: str = "",
) -> None:
    """A button that opens the dialog; disabled with the reason for those who may not, and where it is ``blocked``."""
    why_not = refusal(services.workspace().settings, action, model, environment) or blocked
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
    if about.why:
        st.text_input(about.why, key="reasoned_reason", placeholder="goes on the record")
    acted = st.button(about.button, type="primary", key="confirm_reasoned", on_click=_confirm)
    if acted and pending(REASONED) is not None:
        st.error(SAY_WHY, icon=":material/edit_note:")
    elif acted:  # a dialog reruns alone; the page behind it must show what was done
        st.rerun()


def _confirm() -> None:
    """Act, unless a reason is missing: the dialog stays then, so that nothing has to be opened again."""
    waiting = pending(REASONED)
    if waiting is None or waiting.subject.why is not Why.NEEDED or _reason():
        act_once(REASONED, _act)


def _reason() -> str:
    return st.session_state.get("reasoned_reason", "").strip()


def _act(waiting: Pending) -> None:
    actor = current_actor(services.workspace().settings)
    try:
        st.session_state[RESULT] = waiting.subject.act(actor, _reason())
    except ModelDeskError as error:
        st.session_state[RESULT] = error
