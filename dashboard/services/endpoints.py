"""What the Deploy page reads of its endpoints; its plans and writes, never cached, are in releases.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.deploy.views import Views


def endpoint_views() -> Views:
    """Every endpoint as decided, mirrored and serving; with MLflow down, what the ledger last recorded."""
    ws = workspace()
    # The way back is planned from what is decided now: what is live must not be of before a switch elsewhere.
    decided = tuple((str(endpoint.key), endpoint.epoch) for endpoint in ws.deployments.store.endpoints())
    return _endpoint_views(ws, decided, ws.ledger.state().seq)


@st.cache_data(ttl=3, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _endpoint_views(ws: Workspace, decided: tuple[tuple[str, int], ...], events: int) -> Views:
    from core.deploy.views import endpoint_views

    return endpoint_views(ws)


def version_numbers(model: str) -> tuple[int, ...]:
    """The versions of a model, newest first; none while MLflow does not answer."""
    return _version_numbers(workspace(), model)


@st.cache_data(ttl=20, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _version_numbers(ws: Workspace, model: str) -> tuple[int, ...]:
    try:
        return tuple(version.version for version in ws.registry.versions(model))
    except ModelDeskError:
        return ()
