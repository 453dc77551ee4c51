"""What the Drift page reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.frame import forget, workspace
from dashboard.services.graph import lineage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.access import Actor
    from core.drift.alerts import Recorded
    from core.drift.importance import Importance
    from core.drift.monitor import MonitorReport
    from core.drift.movement import Part
    from core.drift.segments import Segment
    from core.drift.shape import LevelShape, NumericShape
    from core.drift.timeline import Mark
    from core.drift.trend import TrendWindow
    from core.drift.types import ColumnKind
    from core.drift.watched import DecidedKind, PredictionDrift, Watched
    from core.drift.whole_rows import WholeRows
    from core.ledger.state import OpenAlert
    from core.lineage.types import Graph, Node
    from core.settings import MonitorSection


def monitored_models() -> tuple[str, ...]:
    """Models that a monitor of the settings watches."""
    return tuple(section.model for section in workspace().settings.monitors)


def _section(model: str) -> MonitorSection:
    return next(section for section in workspace().settings.monitors if section.model == model)


def is_in_engine(model: str) -> bool:
    """Whether a watched model's tables are in Spark or a database, so that its rows cannot be looked at here."""
    return _section(model).engine != "local"


def asked_at(model: str, window: str) -> datetime | None:
    """When ``monitor`` last asked the engine that holds a watched model's tables."""
    from core.drift.engines.watched import kept_look

    kept = kept_look(workspace(), _section(model), window)
    return kept.asked_at if kept else None


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


def monitor_report(model: str, window: str, at: str | None = None) -> MonitorReport:
    """The state of a watched model: one window (the last, if none is named), and its performance by window."""
    if is_in_engine(model):
        from core.drift.monitor import monitor_report

        return monitor_report(workspace(), model, window, at=at)  # what `monitor` kept a moment ago, too
    return _monitor_report(workspace(), model, window, at)


@st.cache_data(
    ttl=300, max_entries=64, show_spinner="Comparing with the training data…", hash_funcs={Workspace: id}
)
def _monitor_report(ws: Workspace, model: str, window: str, at: str | None) -> MonitorReport:
    from core.drift.monitor import monitor_report

    return monitor_report(ws, model, window, datetime.now(UTC), at)


@st.cache_resource(ttl=300, max_entries=8, show_spinner=False, hash_funcs={Workspace: id})
def _watched(ws: Workspace, model: str, window: str) -> Watched:
    from core.drift.watched import open_watched

    return open_watched(ws, model, window)


def drift_trend(model: str, window: str) -> tuple[TrendWindow, ...]:
    """Every window of a watched model against its training data; in an engine those that were asked for."""
    if is_in_engine(model):
        from core.drift.engines.watched import kept_look

        kept = kept_look(workspace(), _section(model), window)
        return kept.windows if kept else ()
    return _drift_trend(workspace(), model, window)


@st.cache_data(ttl=300, max_entries=32, show_spinner="Looking at every window…", hash_funcs={Workspace: id})
def _drift_trend(ws: Workspace, model: str, window: str) -> tuple[TrendWindow, ...]:
    from core.drift.watched import trend_of

    return trend_of(_watched(ws, model, window))


def column_shape(model: str, window: str, name: str, column: str) -> NumericShape | LevelShape | None:
    """How a column is distributed in the training data and in the window called ``name``; None inside an engine."""
    if is_in_engine(model):
        return None
    return _column_shape(workspace(), model, window, name, column)


@st.cache_data(ttl=300, max_entries=128, show_spinner=False, hash_funcs={Workspace: id})
def _column_shape(
    ws: Workspace, model: str, window: str, name: str, column: str
) -> NumericShape | LevelShape | None:
    from core.drift.watched import shape_of

    watched = _watched(ws, model, window)
    return shape_of(watched, watched.window(name), column)


def moved_parts(model: str, window: str, name: str, column: str) -> tuple[Part, ...]:
    """Which bins or levels of a column moved most in the window called ``name``."""
    return _moved_parts(workspace(), model, window, name, column)


@st.cache_data(ttl=300, max_entries=128, show_spinner=False, hash_funcs={Workspace: id})
def _moved_parts(ws: Workspace, model: str, window: str, name: str, column: str) -> tuple[Part, ...]:
    from core.drift.watched import movement_of

    watched = _watched(ws, model, window)
    return movement_of(watched, watched.window(name), column)


def window_names(model: str, window: str) -> tuple[str, ...]:
    """The windows of a watched model's log, newest first; none while its files cannot be read."""
    if is_in_engine(model):
        return tuple(part.name for part in reversed(drift_trend(model, window)))
    try:
        return tuple(part.name for part in reversed(_watched(workspace(), model, window).windows))
    except ModelDeskError:
        return ()


def importance(model: str, window: str, name: str) -> Importance | None:
    """How much the model uses each column, and how that is known."""
    from core.drift.watched import importance_of

    watched = _watched(workspace(), model, window)
    return importance_of(watched, watched.window(name))


def column_kinds(model: str, window: str) -> Mapping[str, DecidedKind]:
    """Each watched column's kind, and whether a person, the policy file or the rules decided it."""
    from core.drift.watched import column_kinds

    return column_kinds(_watched(workspace(), model, window))


def set_column_kind(
    model: str, column: str, kind: ColumnKind | None, expected: ColumnKind | None, actor: Actor, reason: str
) -> str:
    """Treat a column as another kind, or give it back to the rules (None); every window is then judged anew."""
    from core.drift.column_kinds import set_kind

    try:
        set_kind(workspace(), model, column, kind, actor, reason, expected=expected)
    finally:
        _watched.clear()
        forget()
    return f"{column} is treated as {kind.value}." if kind else f"{column} is decided by the rules again."


def effect_gate(test: str | None) -> float:
    """The effect under which the policy raises nothing, for the test that a column was judged by."""
    from core.drift.watched import workspace_policy

    policy = workspace_policy(workspace())
    return (policy.ks_effect if test == "ks" else policy.tvd_effect).value


def prediction_drift(model: str, window: str, name: str) -> PredictionDrift | None:
    """What the model says in a window against what the same version said at first."""
    return _prediction_drift(workspace(), model, window, name)


@st.cache_data(ttl=300, max_entries=32, show_spinner=False, hash_funcs={Workspace: id})
def _prediction_drift(ws: Workspace, model: str, window: str, name: str) -> PredictionDrift | None:
    from core.drift.watched import predictions_of

    watched = _watched(ws, model, window)
    return predictions_of(watched, watched.window(name))


def segment_columns(model: str, window: str) -> tuple[str, ...]:
    """The columns whose levels can be looked at one by one."""
    from core.drift.segments import segment_columns

    return segment_columns(_watched(workspace(), model, window))


def segments(model: str, window: str, name: str, column: str) -> tuple[Segment, ...]:
    """Drift and performance per level of a column, in the window called ``name``."""
    return _segments(workspace(), model, window, name, column)


@st.cache_data(ttl=300, max_entries=32, show_spinner="Looking at each group…", hash_funcs={Workspace: id})
def _segments(ws: Workspace, model: str, window: str, name: str, column: str) -> tuple[Segment, ...]:
    from core.drift.segments import segments_of

    watched = _watched(ws, model, window)
    return segments_of(ws, watched, watched.window(name), column)


def whole_rows(model: str, window: str, name: str) -> WholeRows:
    """Whether whole rows can be told apart from the training data: a classifier's and a kernel's answer."""
    return _whole_rows(workspace(), model, window, name)


@st.cache_data(ttl=3600, max_entries=32, show_spinner="Asking a classifier…", hash_funcs={Workspace: id})
def _whole_rows(ws: Workspace, model: str, window: str, name: str) -> WholeRows:
    from core.drift.whole_rows import whole_rows_of

    watched = _watched(ws, model, window)
    return whole_rows_of(watched, watched.window(name))


def timeline(model: str) -> tuple[Mark, ...]:
    """Deployments with their training data, and alerts, to be marked beside a watched model's numbers."""
    return _timeline(workspace(), model)


@st.cache_data(ttl=60, max_entries=16, show_spinner=False, hash_funcs={Workspace: id})
def _timeline(ws: Workspace, model: str) -> tuple[Mark, ...]:
    from core.drift.timeline import KINDS, marks
    from core.drift.watched import monitored

    section = monitored(ws)[model]
    records = ws.ledger.records(model=model, kinds=KINDS)
    return marks(records, section.environment, _graph(), section.reference)


def reference_name(model: str) -> str:
    """What the windows of a watched model are compared with, as its monitor names it."""
    from core.drift.watched import monitored

    ws = workspace()
    reference = monitored(ws)[model].reference
    return str(reference.relative_to(ws.root) if reference.is_relative_to(ws.root) else reference)


def training_data(model: str) -> tuple[int, Node] | None:
    """The live version of a watched model and the data it was trained on; None where that is not recorded."""
    from core.drift.timeline import trained_on
    from core.drift.watched import monitored

    section, state = monitored(workspace())[model], workspace().ledger.state()
    live, known = state.live(model, section.environment), _graph()
    data = trained_on(known, model, live.version, section.reference) if live and known else ()
    return (live.version, data[0]) if live and data else None


def _graph() -> Graph | None:
    try:
        return lineage()
    except ModelDeskError:
        return None


def open_alerts(model: str) -> tuple[OpenAlert, ...]:
    """The alerts of a model that are not over, the most severe first."""
    from core.drift.alerts import open_alerts

    return open_alerts(workspace(), model)


def act_on_alert(act: str, alert_id: str, actor: Actor, reason: str) -> None:
    """Acknowledge, reopen, resolve, snooze for a day, or request retraining because of an alert."""
    from core.drift import alerts

    ws, now = workspace(), datetime.now(UTC)
    match act:
        case "acknowledge":
            alerts.acknowledge(ws, alert_id, actor, reason=reason)
        case "snooze":
            alerts.snooze(ws, alert_id, actor, now + timedelta(days=1), now, reason)
        case "reopen":
            alerts.reopen(ws, alert_id, actor, reason)
        case "resolve":
            alerts.resolve(ws, alert_id, actor, reason)
        case "retrain":
            alerts.request_retraining(ws, alert_id, actor, reason)
    forget()


def record_findings(model: str, window: str, actor: Actor) -> Recorded:
    """Look at a watched model now and bring its alerts in line with what is found."""
    from core.drift.alerts import record_findings
    from core.drift.monitor import monitor_report

    ws = workspace()
    try:
        return record_findings(ws, [monitor_report(ws, model, window, datetime.now(UTC))], actor)
    finally:
        _watched.clear()
        forget()
