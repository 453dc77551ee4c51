"""What the Experiments and Run pages read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.experiments.types import PARENT_TAG
from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.experiments.types import Artifact, Experiment, Keys, Run, RunTable
    from core.registry.types import ModelVersion


def experiments() -> tuple[Experiment, ...]:
    """Active experiments with their number of runs, by name."""
    return _experiments(workspace())


@st.cache_data(ttl=10, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _experiments(ws: Workspace) -> tuple[Experiment, ...]:
    return ws.runs.experiments()


def run_table(experiment: str | None, filter: str, order_by: str, keys: Keys | None = None) -> RunTable:
    """The matching runs with the columns of ``keys``; raises FilterError and Unavailable. At most 10 s old.

    Of a server that is read for the first time, what has come so far: see ``complete``.
    """
    found = _run_table(workspace(), experiment, filter, order_by, keys)
    if not found.complete:
        _run_table.clear()
    return found


# A resource, not data: the columns are immutable, and a copy of 50,000 runs on each rerun would be felt.
@st.cache_resource(ttl=10, max_entries=8, show_spinner="Reading runs…", hash_funcs={Workspace: id})
def _run_table(
    ws: Workspace, experiment: str | None, filter: str, order_by: str, keys: Keys | None
) -> RunTable:
    from core.experiments.told import told_table

    return told_table(ws.runs.search(experiment, filter, order_by, keys=keys, at_once=True))


def curve_metric(run_ids: Sequence[str], metrics: Sequence[str]) -> str | None:
    """One of ``metrics`` with a history worth drawing; None when none has, or when asking would be dear."""
    ws = workspace()
    if ws.runs.source != "direct":
        return None
    return _curve_metric(ws, tuple(run_ids[:20]), tuple(metrics))


@st.cache_data(ttl=300, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _curve_metric(ws: Workspace, run_ids: tuple[str, ...], metrics: tuple[str, ...]) -> str | None:
    from core.experiments.curves import metric_with_curve

    return metric_with_curve(ws.runs, run_ids, metrics)


def curves(run_ids: tuple[str, ...], metric: str) -> dict[str, list[float]]:
    """The metric over the steps of the runs, a few values each, by run id."""
    return _curves(workspace(), run_ids, metric)


@st.cache_data(ttl=10, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _curves(ws: Workspace, run_ids: tuple[str, ...], metric: str) -> dict[str, list[float]]:
    from core.experiments.curves import curves

    return curves(ws.runs, run_ids, metric)


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
    from core.experiments.told import told_run

    return told_run(ws.runs.run(run_id))


def artifacts(run_id: str, path: str) -> tuple[Artifact, ...]:
    """Files and folders of a run in ``path``."""
    return _artifacts(workspace(), run_id, path)


@st.cache_data(ttl=30, max_entries=256, show_spinner=False, hash_funcs={Workspace: id})
def _artifacts(ws: Workspace, run_id: str, path: str) -> tuple[Artifact, ...]:
    return ws.runs.artifacts(run_id, path)


def artifact_preview(run_id: str, path: str, max_bytes: int | None = None) -> bytes:
    """A small artifact's content; raises BadInput when it is longer than a preview should be."""
    return _artifact_preview(workspace(), run_id, path, max_bytes)


@st.cache_data(ttl=30, max_entries=16, show_spinner=False, hash_funcs={Workspace: id})
def _artifact_preview(ws: Workspace, run_id: str, path: str, max_bytes: int | None) -> bytes:
    return ws.runs.artifact(run_id, path) if max_bytes is None else ws.runs.artifact(run_id, path, max_bytes)


def versions_of_run(run_id: str) -> tuple[ModelVersion, ...]:
    """Registered versions that came from the run; none while the registry does not answer."""
    return tuple(version for version in _all_versions(workspace()) if version.run_id == run_id)


@st.cache_data(ttl=30, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _all_versions(ws: Workspace) -> tuple[ModelVersion, ...]:
    try:
        return ws.registry.versions()
    except ModelDeskError:
        return ()


def children(run: Run) -> RunTable:
    """The active runs that are nested in the run, newest first."""
    return run_table(run.experiment_id, f"tags.`{PARENT_TAG}` = '{run.run_id}'", "")
