"""Saved views: the one read and the two writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.views import View


def saved_views(page: str) -> tuple[View, ...]:
    """The team's views of a page, by name."""
    return _saved_views(workspace(), page)


@st.cache_data(ttl=20, max_entries=16, show_spinner=False, hash_funcs={Workspace: id})
def _saved_views(ws: Workspace, page: str) -> tuple[View, ...]:
    from core.views import views

    return views(ws, page)


def save_view(page: str, name: str, query: str, actor: Actor) -> None:
    """Save the page's address under a name. Raises Refused, BadInput, Conflict and Unavailable."""
    from core.views import save_view

    save_view(workspace(), page, name, query, actor)
    _saved_views.clear()


def remove_view(page: str, name: str, actor: Actor) -> None:
    """Remove a view. Raises Refused, NotFound and Unavailable."""
    from core.views import remove_view

    remove_view(workspace(), page, name, actor)
    _saved_views.clear()
