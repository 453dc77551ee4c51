"""Who is looking: the person that every write on a page is recorded under.

Local mode takes the operating system's user and says so; the demo's second person can be chosen to try
approval by somebody else. With OIDC the signed-in user, with a proxy the header that the settings name.
"""

from __future__ import annotations

import streamlit as st

from core.access import LOCAL, Action, Actor, decide, demo_actor, local_actor
from core.errors import Refused
from core.settings import Settings
from dashboard.parts.signing import end_signing_session
from dashboard.parts.text import literal

_CHOICE = "act_as"


def current_actor(settings: Settings) -> Actor:
    """The actor of this session. Raises Refused when nobody is signed in."""
    if settings.access.mode == "oidc":
        return _signed_in()
    if settings.access.mode == "proxy":
        return _from_proxy(settings)
    chosen = st.session_state.get(_CHOICE)
    return demo_actor(settings, chosen) if chosen else local_actor(settings)


def refusal(settings: Settings, action: Action, model: str, environment: str) -> str:
    """Why whoever is looking may not do ``action``; '' when they may."""
    decision = decide(settings, current_actor(settings), action, model, environment)
    return "" if decision.allowed else decision.reason


def show_identity(settings: Settings) -> None:
    """In the sidebar: who is looking, and in local mode the choice to act as a demo user."""
    if settings.access.mode != "local":
        actor = current_actor(settings)
        st.caption(f":material/person: {actor.printed_name}")
        if settings.access.mode == "oidc":
            st.button("Sign out", on_click=_sign_out, type="tertiary")
        return
    me = local_actor(settings)
    demo_users = {user.name: user.display_name or user.name for user in settings.access.users if user.demo}
    if not demo_users:
        st.caption(f":material/person: {me.printed_name}")
    else:
        st.selectbox(
            "Acting as",
            ["", *demo_users],
            format_func=lambda name: f"{demo_users[name]} (demo)" if name else f"{me.printed_name} (you)",
            key=_CHOICE,
            on_change=end_signing_session,
        )
    st.caption("Local mode: no sign-in, reachable from this machine only.")


def require_sign_in(settings: Settings) -> None:
    """Where people sign in: stop until somebody did who has a role here. Deny by default."""
    if settings.access.mode == LOCAL:
        return
    if settings.access.mode == "oidc" and not st.user.is_logged_in:
        st.title("Model Desk", anchor=False)
        st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
        st.stop()
    actor = current_actor(settings)
    if not decide(settings, actor, Action.VIEW).allowed:
        st.title("Model Desk", anchor=False)
        st.error(
            f"**{literal(actor.printed_name)} has no role here.**\n\nAn admin grants one in modeldesk.toml, "
            f"under access.grants, to the user `{literal(actor.name)}`.",
            icon=":material/block:",
        )
        if settings.access.mode == "oidc":
            st.button("Sign out", on_click=_sign_out)
        st.stop()


def _sign_out() -> None:
    end_signing_session()
    st.logout()


def _signed_in() -> Actor:
    # An address that the provider did not verify proves nothing about its owner.
    verified = st.user.get("email_verified", True) in (True, "true")
    name = (st.user.get("email") if verified else None) or st.user.get("sub")
    if not st.user.is_logged_in or not name:
        raise Refused("Nobody is signed in.", "Sign in and try again.")
    return Actor(str(name), str(st.user.get("name") or name), "oidc")


def _from_proxy(settings: Settings) -> Actor:
    header = settings.access.proxy_header
    name = st.context.headers.get(header) if header else None
    if not name:
        raise Refused(
            f"The proxy did not say who you are (header {header or 'not configured'}).",
            "Reach Model Desk through the proxy, and name its header in [access] proxy_header.",
        )
    return Actor(name, name, "proxy")
