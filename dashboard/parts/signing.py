"""Signing on a page: the passphrase is asked once a session and again after 15 idle minutes."""

from __future__ import annotations

import streamlit as st

from core.access import Actor
from core.errors import BadInput
from core.registry.signing import SHORTEST, SigningSession
from dashboard.services import requests

_SESSION = "signing_session"
_FIELDS = ("passphrase", "new_passphrase", "new_passphrase_again")


def passphrase_fields(actor: Actor) -> None:
    """Inside a form: who signs, and what is needed of them now (nothing within a signing session)."""
    st.text_input("Signing as", actor.printed_name, disabled=True, autocomplete="username", key="signing_as")
    if requests.session_holds(actor, _session()):
        st.caption(
            ":material/lock_open: You gave your passphrase less than 15 minutes ago; it is not needed again."
        )
    elif requests.is_enrolled(actor):
        st.text_input(
            "Passphrase", type="password", autocomplete="current-password", key="passphrase", value=""
        )
    else:
        st.caption(
            "You have no passphrase to sign with yet. Set one now; nobody can read it, not even an admin."
        )
        st.text_input(
            f"New passphrase, at least {SHORTEST} characters",
            type="password",
            autocomplete="new-password",
            key="new_passphrase",
        )
        st.text_input(
            "The same again", type="password", autocomplete="new-password", key="new_passphrase_again"
        )


def signing_session(actor: Actor) -> SigningSession:
    """The session to sign with, after what :func:`passphrase_fields` asked for. Raises BadInput and Refused."""
    given = {name: st.session_state.get(name) or "" for name in _FIELDS}
    if not requests.is_enrolled(actor):
        if given["new_passphrase"] != given["new_passphrase_again"]:
            raise BadInput("The two passphrases differ; nothing was signed.", "Write the same one twice.")
        requests.enrol(actor, given["new_passphrase"])
        given["passphrase"] = given["new_passphrase"]
    session = requests.signing_session(actor, given["passphrase"], _session())
    st.session_state[_SESSION] = session
    return session


def end_signing_session() -> None:
    """Forget it: at sign-out, and when somebody else acts."""
    for name in (_SESSION, *_FIELDS):
        st.session_state.pop(name, None)


def _session() -> SigningSession | None:
    return st.session_state.get(_SESSION)
