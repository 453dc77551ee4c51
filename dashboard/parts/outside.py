"""An alias that was moved behind the desk's back: a red banner, and the two ways to bring it in line."""

from __future__ import annotations

import streamlit as st

from core.access import Action, decide
from core.errors import ModelDeskError
from core.registry.standing import Standing
from dashboard import services
from dashboard.parts.answers import DONE
from dashboard.parts.confirm import ask, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.release import said
from dashboard.parts.text import literal

RECONCILE = "reconcile"


def outside_banner(model: str | None = None) -> None:
    """For every model (or one) whose alias is not what was decided; the move is put on the record."""
    settings = services.workspace().settings
    actor = current_actor(settings)
    for item in services.moved_outside(model):
        decided = item.live.version if item.live else None
        allowed = decide(settings, actor, Action.RECONCILE, item.model, item.environment)
        with st.container(key=f"outside_{item.environment}_{item.model}", gap="xsmall"):
            st.error(
                f"**{literal(item.model)} in {literal(item.environment)}: {literal(_what(item))} was moved outside "
                f"Model Desk.** Decided is {said(decided)}, MLflow says {literal(_mlflow_says(item))}; who moved it is "
                "not known. Rolling back stays possible.",
                icon=":material/sync_problem:",
            )
            with st.container(horizontal=True):
                st.button(
                    f"Put back to {said(decided)}",
                    key=f"repair_{item.environment}_{item.model}",
                    icon=":material/undo:",
                    disabled=not allowed.allowed,
                    help=None if allowed.allowed else allowed.reason,
                    on_click=ask,
                    args=(RECONCILE, (item, False)),
                )
                if item.alias_version not in (None, decided):
                    st.button(
                        f"Accept {said(item.alias_version)} as live",
                        key=f"accept_{item.environment}_{item.model}",
                        icon=":material/check:",
                        disabled=not allowed.allowed,
                        help=None if allowed.allowed else allowed.reason,
                        on_click=ask,
                        args=(RECONCILE, (item, True)),
                    )
    if pending(RECONCILE):
        _dialog()


def _what(item: Standing) -> str:
    return f"the alias {item.alias}" if item.moved == item.alias else f"the stage {item.stage}"


def _mlflow_says(item: Standing) -> str:
    """The version that the alias names; where the alias is right, which versions are in a wrong stage."""
    return said(item.alias_version) if item.moved == item.alias else ", ".join(item.stages_said)


@st.dialog("Bring registry and ledger in line", icon=":material/sync_problem:", on_dismiss=dismiss)
def _dialog() -> None:
    waiting = pending(RECONCILE)
    if waiting is None:
        return
    item: Standing
    item, accept = waiting.subject
    decided = item.live.version if item.live else None
    st.table(
        [{"Ledger": said(decided), "MLflow": _mlflow_says(item)}],
        border="horizontal",
        hide_index=True,
    )
    verb = f"Accept {said(item.alias_version)}" if accept else f"Put back to {said(decided)}"
    with st.form("reconcile_form", border=False):
        reason = st.text_input("What happened, as far as you know?", key="reconcile_reason", max_chars=500)
        done = st.form_submit_button(verb, type="primary", icon=":material/sync:")
    if not done:
        return
    actor = current_actor(services.workspace().settings)
    try:
        services.reconcile(item, actor, reason, accept)
    except ModelDeskError as error:
        show_failure(error)
        return
    st.session_state[DONE] = f"{item.model} in {item.environment}: ledger and MLflow agree again."
    dismiss()
    st.rerun()
