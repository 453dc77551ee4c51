"""The dialogs that answer a request: approve, reject, ask for changes, withdraw, accept a gate, comment."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.access import Actor
from core.errors import ModelDeskError
from core.registry.approvals import DEFAULT_MEANING
from core.registry.dossier import Dossier, GateLine
from core.registry.requests import can_be_accepted
from dashboard import services
from dashboard.parts.confirm import dismiss, pending
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.signing import passphrase_fields, signing_session
from dashboard.parts.text import literal
from dashboard.services import requests

APPROVE, REJECT, CHANGES = "approve", "reject", "request changes"
WITHDRAW, OVERRIDE, COMMENT = "withdraw", "override", "comment"
DONE = "request_answered"


def show_answer() -> None:
    """What was done last in this session, once."""
    said = st.session_state.pop(DONE, None)
    if said:
        st.success(said, icon=":material/check_circle:")


def show_dialog(found: Dossier) -> None:
    """The dialog that was asked for, if any."""
    dialogs = {
        APPROVE: _approve,
        REJECT: _reject,
        CHANGES: _changes,
        WITHDRAW: _withdraw,
        OVERRIDE: _override,
        COMMENT: _comment,
    }
    for name, dialog in dialogs.items():
        if pending(name):
            dialog(found)
            return


@st.dialog("Approve", icon=":material/verified:", on_dismiss=dismiss)
def _approve(found: Dossier) -> None:
    opened = found.judgement.request.opened
    with st.form("approve_form", border=False):
        st.markdown(f"**{literal(opened.model)} v{opened.version}** in **{literal(opened.environment)}**")
        meaning = st.text_input(
            "Meaning of your signature",
            DEFAULT_MEANING.format(environment=opened.environment),
            key="approve_meaning",
            max_chars=200,
        )
        code = _code_to_allow(found)
        passphrase_fields(_me())
        signed = st.form_submit_button("Sign approval", type="primary", icon=":material/verified:")
    if signed:
        _carry_out(
            APPROVE,
            lambda me: requests.approve(_id(found), me, meaning, signing_session(me), code),
            "Signed.",
        )


def _code_to_allow(found: Dossier) -> tuple[str, ...]:
    """What the signature allows the files to run; nothing unless the box is ticked."""
    told = requests.code_of(found.judgement.request.opened)
    if isinstance(told, ModelDeskError) or not told.runs_code:
        return ()
    allowed = st.checkbox(
        f"Loading this version runs code: {literal(told.sentence, 400)}. I allow that.",
        key="approve_code",
        help="Without it the version is approved, and not served: its check for code says no.",
    )
    return told.names if allowed else ()


@st.dialog("Reject", icon=":material/cancel:", on_dismiss=dismiss)
def _reject(found: Dossier) -> None:
    with st.form("reject_form", border=False):
        reason = st.text_area("Why? The requester reads it.", key="reject_reason", max_chars=2000)
        passphrase_fields(_me())
        signed = st.form_submit_button("Sign rejection", type="primary", icon=":material/cancel:")
    if signed:
        _carry_out(
            REJECT, lambda me: requests.reject(_id(found), me, reason, signing_session(me)), "Rejected."
        )


@st.dialog("Request changes", icon=":material/edit_note:", on_dismiss=dismiss)
def _changes(found: Dossier) -> None:
    requester = found.judgement.request.by.printed_name
    gates = [gate.name for gate in worst_first(found.gates)]
    open_gates = [gate.name for gate in found.gates if gate.verdict != "PASS" and not gate.overridden_by]
    with st.form("changes_form", border=False):
        about = st.multiselect(
            "About which checks",
            gates,
            default=open_gates[:1],
            key="changes_about",
            placeholder="none in particular",
        )
        reason = st.text_area(
            f"What should change? {literal(requester)} is told, with a link to this page.",
            key="changes_reason",
            max_chars=2000,
        )
        asked = st.form_submit_button("Request changes", type="primary", icon=":material/edit_note:")
    if asked:
        _carry_out(
            CHANGES,
            lambda me: requests.request_changes(_id(found), me, reason, about),
            "Changes were requested.",
        )


@st.dialog("Withdraw the request", icon=":material/undo:", on_dismiss=dismiss)
def _withdraw(found: Dossier) -> None:
    with st.form("withdraw_form", border=False):
        reason = st.text_input("Why (optional)", key="withdraw_reason", max_chars=500)
        done = st.form_submit_button("Withdraw the request", type="primary", icon=":material/undo:")
    if done:
        _carry_out(
            WITHDRAW, lambda me: requests.withdraw(_id(found), me, reason), "The request was withdrawn."
        )


@st.dialog("Accept a check", icon=":material/rule:", on_dismiss=dismiss)
def _override(found: Dossier) -> None:
    gates = [gate.name for gate in overridable(found)]
    with st.form("override_form", border=False):
        gate = st.selectbox("Check", gates, key="override_gate")
        reason = st.text_area(
            "Why is it acceptable although this check did not pass? An auditor reads it.",
            key="override_reason",
            max_chars=2000,
        )
        done = st.form_submit_button("Accept this check", type="primary", icon=":material/rule:")
    if done:
        _carry_out(
            OVERRIDE,
            lambda me: requests.override_gate(_id(found), str(gate), me, reason),
            f"'{gate}' was accepted.",
        )


@st.dialog("Comment", icon=":material/comment:", on_dismiss=dismiss)
def _comment(found: Dossier) -> None:
    with st.form("comment_form", border=False):
        text = st.text_area("Comment", key="comment_text", max_chars=2000)
        done = st.form_submit_button("Comment", type="primary", icon=":material/comment:")
    if done:
        _carry_out(COMMENT, lambda me: requests.comment(_id(found), me, text), "Your comment was added.")


def overridable(found: Dossier) -> tuple[GateLine, ...]:
    """Gates that can be accepted, inconclusive or on drift, and that nobody accepted yet."""
    return tuple(
        gate for gate in found.gates if not gate.overridden_by and can_be_accepted(gate.name, gate.verdict)
    )


def worst_first(gates: tuple[GateLine, ...]) -> list[GateLine]:
    """Failed gates, then inconclusive ones, then those that passed."""
    order = {"FAIL": 0, "INCONCLUSIVE": 1}
    return sorted(gates, key=lambda gate: order.get(gate.verdict, 2))


def _carry_out(dialog: str, act: Callable[[Actor], object], said: str) -> None:
    """Act, then close the dialog; a refusal stays in it, with what was written. A second click finds it closed."""
    if pending(dialog) is None:
        return
    try:
        act(_me())
    except ModelDeskError as error:
        show_failure(error)
        return
    st.session_state[DONE] = said
    dismiss()
    st.rerun()


def _me() -> Actor:
    return current_actor(services.workspace().settings)


def _id(found: Dossier) -> str:
    return found.judgement.request_id
