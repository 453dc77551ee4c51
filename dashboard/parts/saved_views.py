"""Saved views of a page: open one, save what is on the screen, remove one."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import streamlit as st

from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import ago
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor

_SAID = "view result"


def saved_views(page: str) -> None:
    """The popover; what is saved is the page's address as it is now."""
    with st.popover("Views", icon=":material/bookmark:"):
        try:
            found = services.saved_views(page)
        except ModelDeskError as error:
            show_failure(error)
            return
        said = st.session_state.pop(_SAID, None)
        if isinstance(said, ModelDeskError):
            show_failure(said)
        elif said:
            st.success(said, icon=":material/check_circle:")
        if not found:
            st.caption(
                "No view is saved yet. A view keeps the search, the columns and the charts for the team."
            )
        for view in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                query = {
                    key: values[-1] for key, values in parse_qs(view.query, keep_blank_values=True).items()
                }
                st.page_link(
                    f"app_pages/{page}.py", label=view.name, icon=":material/bookmark:", query_params=query,
                    help=f"saved by {view.by.printed_name}, {ago(view.at, datetime.now(UTC))}",
                )  # fmt: skip
                st.space("stretch")
                st.button(
                    "Remove", key=f"remove view {view.name}", icon=":material/delete:", type="tertiary",
                    on_click=_remove, args=(page, view.name),
                )  # fmt: skip
        name = st.text_input("Name for this view", key="view_name", max_chars=80)
        st.button(
            "Save view", icon=":material/bookmark_add:", disabled=not name.strip(), on_click=_save, args=(page, name),
        )  # fmt: skip


def _save(page: str, name: str) -> None:
    query = urlencode({key: st.query_params[key] for key in st.query_params})
    try:
        services.save_view(page, name, query, current_actor(services.workspace().settings))
    except ModelDeskError as error:
        st.session_state[_SAID] = error
        return
    st.session_state["view_name"] = ""
    st.session_state[_SAID] = f"Saved as '{name}'."


def _remove(page: str, name: str) -> None:
    try:
        services.remove_view(page, name, current_actor(services.workspace().settings))
    except ModelDeskError as error:
        st.session_state[_SAID] = error
        return
    st.session_state[_SAID] = f"'{name}' is removed."
