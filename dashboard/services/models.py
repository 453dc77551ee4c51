"""What the Registry and Model version pages read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.at_a_glance import overview
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.attention import Glance
    from core.ledger.types import Record
    from core.registry.catalogue import AsOf, Entry
    from core.registry.types import Signature


def model_names() -> tuple[str, ...]:
    """Registered models, by name. Raises Unavailable."""
    return _model_names(workspace())


@st.cache_data(ttl=20, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _model_names(ws: Workspace) -> tuple[str, ...]:
    return tuple(model.name for model in ws.registry.models())


def overview_models() -> tuple[Glance, ...]:
    """Every model at a glance."""
    from core.access import local_actor

    ws = workspace()
    return overview(local_actor(ws.settings)).models


def versions(model: str) -> tuple[Entry, ...]:
    """The versions of a model with their runs, newest first. Raises NotFound and Unavailable."""
    return _versions(workspace(), model)


@st.cache_data(ttl=20, max_entries=32, show_spinner="Reading versions…", hash_funcs={Workspace: id})
def _versions(ws: Workspace, model: str) -> tuple[Entry, ...]:
    from core.registry.catalogue import entries

    return entries(ws, model)


def version(model: str, number: int) -> Entry:
    """One version with its run. Raises NotFound and Unavailable."""
    return _version(workspace(), model, number)


@st.cache_data(ttl=20, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _version(ws: Workspace, model: str, number: int) -> Entry:
    from core.registry.catalogue import entry

    return entry(ws, model, number)


def aliases(model: str) -> dict[str, int]:
    """The aliases of a model as MLflow has them now. Raises NotFound and Unavailable."""
    return dict(workspace().registry.model(model).aliases)


def champion(model: str) -> Entry | None:
    """The version that the production alias names; None without one."""
    ws = workspace()
    number = ws.registry.model(model).aliases.get(ws.settings.environments.get("production", "champion"))
    return None if number is None else version(model, number)


def signature(model: str, number: int) -> Signature | ModelDeskError:
    """Inputs and outputs of a version, or why they cannot be read."""
    return _signature(workspace(), model, number)


@st.cache_data(ttl=600, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _signature(ws: Workspace, model: str, number: int) -> Signature | ModelDeskError:
    try:
        return ws.registry.signature(model, number)
    except ModelDeskError as error:
        return error


def as_of(model: str, at: datetime) -> tuple[AsOf, ...]:
    """What was live at a moment, per environment, and who had approved it."""
    from core.registry.catalogue import as_of

    return as_of(workspace(), model, at)


def version_history(model: str, number: int) -> tuple[Record, ...]:
    """Decisions about one version, newest first."""
    records = workspace().ledger.records(model=model)
    about = ("version", "to_version", "from_version")
    return tuple(
        record for record in reversed(records) if number in [record.payload.get(name) for name in about]
    )
