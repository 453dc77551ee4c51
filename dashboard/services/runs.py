"""What the Experiments and Run pages read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.experiments.types import Artifact, Experiment, Run, RunTable


def experiments() -> tuple[Experiment, ...]:
    """Active experiments with their number of runs, by name."""
    return _experiments(workspace())


@st.cache_data(ttl=10, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _experiments(ws: Workspace) -> tuple[Experiment, ...]:
    return ws.runs.experiments()


def run_table(experiment: str | None, filter: str, order_by: str) -> RunTable:
    """The matching runs; raises FilterError and Unavailable. At most 10 s old."""
    return _run_table(workspace(), experiment, filter, order_by)


# A resource, not data: the columns are immutable, and a copy of 50,000 runs on each rerun would be felt.
@st.cache_resource(ttl=10, max_entries=16, show_spinner="Reading runs…", hash_funcs={Workspace: id})
def _run_table(ws: Workspace, experiment: str | None, filter: str, order_by: str) -> RunTable:
    return ws.runs.search(experiment, filter, order_by)


def refresh_runs() -> None:
    """Read every run again; for a server this fetches whole experiments."""
    workspace().runs.refresh()
    _run_table.clear()
    st.cache_data.clear()


def run(run_id: str) -> Run:
    """One run; raises NotFound."""
    return _run(workspace(), run_id)


@st.cache_data(ttl=5, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _run(ws: Workspace, run_id: str) -> Run:
    return ws.runs.run(run_id)


def artifacts(run_id: str, path: str) -> tuple[Artifact, ...]:
    """Files and folders of a run in ``path``."""
    return _artifacts(workspace(), run_id, path)


@st.cache_data(ttl=30, max_entries=256, show_spinner=False, hash_funcs={Workspace: id})
def _artifacts(ws: Workspace, run_id: str, path: str) -> tuple[Artifact, ...]:
    return ws.runs.artifacts(run_id, path)


def artifact_preview(run_id: str, path: str) -> bytes:
    """A small artifact's content; raises BadInput when it is longer than a preview should be."""
    return _artifact_preview(workspace(), run_id, path)


@st.cache_data(ttl=30, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _artifact_preview(ws: Workspace, run_id: str, path: str) -> bytes:
    return ws.runs.artifact(run_id, path)
