"""Cached doors into core: the only place that uses st.cache_*. Reads may be cached, writes never.

Short times to live keep a page quick while someone clicks about; a write calls :func:`forget`, so that the
next read is fresh.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.settings import FILE_NAME
from core.workspace import Workspace, open_workspace
from dashboard.palette import moment

if TYPE_CHECKING:
    from core.access import Actor
    from core.attention import Glance, Overview
    from core.compare.disagreement import Segment
    from core.compare.importance import Importance
    from core.compare.types import Comparison, Item
    from core.deploy.release import Released, ReleasePlan
    from core.deploy.types import Operation
    from core.deploy.views import Views
    from core.drift.monitor import MonitorReport
    from core.drift.shape import LevelShape, NumericShape
    from core.drift.trend import TrendWindow
    from core.experiments.types import Artifact, Experiment, History, Run, RunTable
    from core.ledger.state import Request
    from core.ledger.types import Record
    from core.lineage.types import Graph
    from core.registry.catalogue import AsOf, Entry
    from core.registry.types import Signature


def workspace() -> Workspace:
    """The workspace that MODELDESK_WORKSPACE names (else the current folder); read anew when its file changes."""
    root = Path(os.environ.get("MODELDESK_WORKSPACE", ".")).resolve()
    file = root / FILE_NAME
    return _open(root, file.stat().st_mtime_ns if file.is_file() else 0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(root: Path, stamp: int) -> Workspace:
    return open_workspace(root)


def forget() -> None:
    """Drop every cached read; called after a write."""
    st.cache_data.clear()
    _lineage.clear()


# Overview


def overview(actor: Actor) -> Overview:
    """What is live, and what needs somebody; with MLflow down, what the ledger last recorded."""
    return _overview(workspace(), actor)


@st.cache_data(ttl=20, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _overview(ws: Workspace, actor: Actor) -> Overview:
    from core.attention import overview

    return overview(ws, actor, datetime.now(UTC))


# Compare


def comparison(refs: tuple[str, ...], baseline: str | None) -> Comparison:
    """Everything the Compare page shows of ``refs``; raises BadInput and NotFound."""
    return _comparison(workspace(), refs, baseline)


@st.cache_data(ttl=60, max_entries=64, show_spinner="Comparing…", hash_funcs={Workspace: id})
def _comparison(ws: Workspace, refs: tuple[str, ...], baseline: str | None) -> Comparison:
    from core.compare.engine import compare

    return compare(ws, refs, baseline)


def run_choices(experiment: str, limit: int) -> dict[str, str]:
    """References of the newest runs of an experiment, each with the words to choose it by."""
    return _run_choices(workspace(), experiment, limit)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _run_choices(ws: Workspace, experiment: str, limit: int) -> dict[str, str]:
    rows = ws.runs.search(experiment=experiment, limit=limit).attributes.to_pylist()
    return {
        f"run:{row['run_id']}": f"{row['name']} · {moment(row['start_time'])} · {row['run_id'][:7]}"
        for row in rows
    }


def step_histories(run_ids: tuple[str, ...], metric: str) -> tuple[History, ...]:
    """The metric over the steps of each run that logged it, thinned for drawing."""
    return _step_histories(workspace(), run_ids, metric)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _step_histories(ws: Workspace, run_ids: tuple[str, ...], metric: str) -> tuple[History, ...]:
    return ws.runs.histories(run_ids, metric, max_points=2_000)


def row_disagreement(baseline: Item, candidate: Item) -> tuple[Segment, ...] | str:
    """Where two items disagree on their test rows, in groups; or why that cannot be said."""
    return _row_disagreement(workspace(), baseline.run_id, candidate.run_id, baseline, candidate)


@st.cache_data(ttl=600, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _row_disagreement(
    ws: Workspace, baseline_run: str | None, candidate_run: str | None, _baseline: Item, _candidate: Item
) -> tuple[Segment, ...] | str:
    from core.compare.engine import disagreements

    return disagreements(ws, _baseline, _candidate)


@st.cache_data(ttl=600, max_entries=64, show_spinner="Fitting a forest…")
def importance_of(params: tuple[dict[str, object], ...], values: tuple[float | None, ...]) -> Importance:
    """Which params a metric depends on over these runs."""
    from core.compare.importance import importance

    return importance(params, values)


def experiment_names() -> tuple[str, ...]:
    """Active experiments, by name."""
    return _experiment_names(workspace())


@st.cache_data(ttl=60, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _experiment_names(ws: Workspace) -> tuple[str, ...]:
    return tuple(found.name for found in ws.runs.experiments())


# Drift


def monitored_models() -> tuple[str, ...]:
    """Models that a monitor of the settings watches."""
    return tuple(section.model for section in workspace().settings.monitors)


def unmonitored_models() -> tuple[str, ...]:
    """Registered models that no monitor watches; none while the registry cannot be read."""
    return _unmonitored_models(workspace())


@st.cache_data(ttl=60, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _unmonitored_models(ws: Workspace) -> tuple[str, ...]:
    watched = {section.model for section in ws.settings.monitors}
    try:
        return tuple(model.name for model in ws.registry.models() if model.name not in watched)
    except ModelDeskError:
        return ()


def monitor_report(model: str, window: str) -> MonitorReport:
    """The state of a watched model: its last window and its performance by window."""
    return _monitor_report(workspace(), model, window)


@st.cache_data(
    ttl=300, max_entries=64, show_spinner="Comparing with the training data…", hash_funcs={Workspace: id}
)
def _monitor_report(ws: Workspace, model: str, window: str) -> MonitorReport:
    from core.drift.monitor import monitor_report

    return monitor_report(ws, model, window, datetime.now(UTC))


def drift_trend(model: str, window: str) -> tuple[TrendWindow, ...]:
    """Every window of a watched model against its training data."""
    return _drift_trend(workspace(), model, window)


@st.cache_data(ttl=300, max_entries=32, show_spinner="Looking at every window…", hash_funcs={Workspace: id})
def _drift_trend(ws: Workspace, model: str, window: str) -> tuple[TrendWindow, ...]:
    from core.drift.monitor import open_monitor, trend_of

    return trend_of(open_monitor(ws, model, window))


def column_shape(model: str, window: str, name: str, column: str) -> NumericShape | LevelShape | None:
    """How a column is distributed in the training data and in the window called ``name``."""
    return _column_shape(workspace(), model, window, name, column)


@st.cache_data(ttl=300, max_entries=128, show_spinner=False, hash_funcs={Workspace: id})
def _column_shape(
    ws: Workspace, model: str, window: str, name: str, column: str
) -> NumericShape | LevelShape | None:
    from core.drift.monitor import shape_of

    return shape_of(ws, model, window, name, column)


# Lineage


def lineage() -> Graph:
    """The joined graph of data, stages, runs, versions and deployments; stores that fail are in its notes."""
    return _lineage(workspace())


@st.cache_resource(
    ttl=60, max_entries=2, show_spinner="Joining data, runs and versions…", hash_funcs={Workspace: id}
)
def _lineage(ws: Workspace) -> Graph:
    from core.lineage.build import build

    return build(ws)


# Experiments and runs


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


# Deploy


def endpoint_views() -> Views:
    """Every endpoint as decided, mirrored and serving; with MLflow down, what the ledger last recorded."""
    return _endpoint_views(workspace())


@st.cache_data(ttl=3, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _endpoint_views(ws: Workspace) -> Views:
    from core.deploy.views import endpoint_views

    return endpoint_views(ws)


def rollback_plan(model: str, environment: str) -> ReleasePlan | ModelDeskError:
    """The plan to go back to the last good version, or why there is none."""
    from core.deploy.release import plan_rollback

    try:
        return plan_rollback(workspace(), model, environment)
    except ModelDeskError as error:
        return error


def deploy_plan(
    model: str, version: int, environment: str, expects: int | None
) -> ReleasePlan | ModelDeskError:
    """The plan to make a version live where ``expects`` is live, or why there is none."""
    from core.deploy.release import plan_deploy

    try:
        return plan_deploy(workspace(), model, version, environment, expects=expects)
    except ModelDeskError as error:
        return error


def carry_out_release(plan: ReleasePlan, actor: Actor, reason: str, key: str, acknowledged: bool) -> Released:
    """Do what the plan says, once per ``key``; MLflow is told in the background."""
    from core.deploy import jobs, release

    try:
        return release.carry_out(workspace(), plan, actor, reason, key, acknowledged=acknowledged)
    finally:
        jobs.tell_later(workspace())
        forget()


def start_release(plan: ReleasePlan, actor: Actor, reason: str, key: str) -> None:
    """Begin a deployment that goes on when the browser is closed."""
    from core.deploy import jobs

    jobs.start(workspace(), plan, actor, reason, key)
    forget()


def release_outcome(key: str) -> Released | ModelDeskError | None:
    """What became of a deployment that was begun here."""
    from core.deploy import jobs

    return jobs.outcome(key)


def has_engine() -> bool:
    """True when deployments move traffic, False when they move the alias alone."""
    return workspace().deployments.serves


def running_operation(model: str, environment: str) -> str | None:
    """The id of the deployment or rollback that runs now."""
    last = last_operation(model, environment)
    return last.id if last and last.finished_at is None else None


def last_operation(model: str, environment: str) -> Operation | None:
    """The newest deployment or rollback of an endpoint, with its steps."""
    from core.deploy.types import EndpointKey

    journal = workspace().deployments.journal
    found = journal.operations(EndpointKey(model, environment), limit=1)
    return journal.operation(found[0].id) if found else None


def operation(operation_id: str) -> Operation:
    """One deployment or rollback with its steps, as it stands now."""
    return workspace().deployments.journal.operation(operation_id)


def version_numbers(model: str) -> tuple[int, ...]:
    """The versions of a model, newest first; none while MLflow does not answer."""
    return _version_numbers(workspace(), model)


@st.cache_data(ttl=20, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _version_numbers(ws: Workspace, model: str) -> tuple[int, ...]:
    try:
        return tuple(version.version for version in ws.registry.versions(model))
    except ModelDeskError:
        return ()


def served_words(model: str, environment: str, version: int | None) -> str:
    """How long a version served, for the rollback card."""
    from dashboard.palette import duration

    stretches = workspace().ledger.state().services.get((model, environment), ())
    own = [item for item in stretches if item.version == version]
    seconds = sum(((item.until or datetime.now(UTC)) - item.since).total_seconds() for item in own)
    return f"served {duration(seconds)}" if own else "never served here, as far as the ledger knows"


def deploy_history(model: str, environment: str) -> tuple[Record, ...]:
    """What happened to an endpoint, newest first."""
    from core.deploy.types import EndpointKey
    from core.deploy.views import history

    return history(workspace(), EndpointKey(model, environment))


def deploy_timeline(model: str, environment: str) -> str:
    """The endpoint's history as Markdown."""
    from core.deploy.types import EndpointKey
    from core.deploy.views import timeline

    return timeline(workspace(), EndpointKey(model, environment))


# Registry


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
    return _overview(ws, local_actor(ws.settings)).models


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


def requests(model: str) -> tuple[Request, ...]:
    """Requests for a release of a model, newest first."""
    found = workspace().ledger.state().requests.values()
    return tuple(
        sorted((item for item in found if item.opened.model == model), key=lambda item: item.at, reverse=True)
    )


def version_history(model: str, number: int) -> tuple[Record, ...]:
    """Decisions about one version, newest first."""
    records = workspace().ledger.records(model=model)
    about = ("version", "to_version", "from_version")
    return tuple(
        record for record in reversed(records) if number in [record.payload.get(name) for name in about]
    )
