"""Asking that a version may go live, from its page; and what became of the newest such request."""

from __future__ import annotations

import streamlit as st

from core.access import Action, decide
from core.errors import ModelDeskError
from dashboard import services
from dashboard.parts.answers import DONE
from dashboard.parts.confirm import ask, dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import request_word, status_badge
from dashboard.parts.promote import promote_buttons
from dashboard.parts.text import literal
from dashboard.services import requests

ASK = "ask for release"


def release_actions(model: str, version: int) -> None:
    """The newest request per environment, the button to ask, and the ones to promote."""
    settings = services.workspace().settings
    with st.container(horizontal=True, vertical_alignment="center", key="release_actions"):
        for environment in settings.environments:
            found = requests.newest_request(model, version, environment)
            if found is None or (found.request.closed and not found.request.used_by):
                continue
            status_badge(request_word(found))
            st.page_link(
                "app_pages/request.py",
                label=f"Request for {environment}: {found.has} of {found.needs} approvals",
                query_params={"id": found.request_id},
                icon=":material/article:",
            )
        allowed = decide(settings, current_actor(settings), Action.REQUEST, model)
        refusal = "" if allowed.allowed else allowed.reason
        if version in services.archived(model):
            refusal = "This version is archived: restore it first."
        st.button(
            "Request approval",
            key="open_ask",
            icon=":material/how_to_reg:",
            disabled=bool(refusal),
            help=refusal or None,
            on_click=ask,
            args=(ASK, (model, version)),
        )
        promote_buttons(model, version)


def show_ask_dialog() -> None:
    """The dialog that asks, when its button was pressed."""
    if pending(ASK):
        _ask()


@st.dialog("Request approval", icon=":material/how_to_reg:", on_dismiss=dismiss)
def _ask() -> None:
    waiting = pending(ASK)
    if waiting is None:
        return
    model, version = waiting.subject
    settings = services.workspace().settings
    names = list(settings.environments)
    with st.form("ask_form", border=False):
        st.markdown(f"**{literal(model)} v{version}**")
        environment = st.selectbox(
            "Environment",
            names,
            index=names.index("production") if "production" in names else 0,
            key="ask_where",
        )
        reason = st.text_area(
            "Why should it go live? Approvers read this beside the buttons.", key="ask_reason", max_chars=2000
        )
        asked = st.form_submit_button("Request approval", type="primary", icon=":material/how_to_reg:")
    if not asked:
        return
    try:
        found = requests.open_request(model, version, environment, current_actor(settings), reason)
    except ModelDeskError as error:
        show_failure(error)
        return
    st.session_state[DONE] = (
        f"Request {found.request_id} is {found.state}: {'; '.join(found.reasons) or 'approved'}."
    )
    dismiss()
    st.rerun()
