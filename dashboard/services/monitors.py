"""What the Drift page reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.drift.monitor import MonitorReport
    from core.drift.shape import LevelShape, NumericShape
    from core.drift.trend import TrendWindow
    from core.drift.watched import Watched


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


def monitor_report(model: str, window: str, at: str | None = None) -> MonitorReport:
    """The state of a watched model: one window (the last, if none is named), and its performance by window."""
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
    """Every window of a watched model against its training data."""
    return _drift_trend(workspace(), model, window)


@st.cache_data(ttl=300, max_entries=32, show_spinner="Looking at every window…", hash_funcs={Workspace: id})
def _drift_trend(ws: Workspace, model: str, window: str) -> tuple[TrendWindow, ...]:
    from core.drift.watched import trend_of

    return trend_of(_watched(ws, model, window))


def column_shape(model: str, window: str, name: str, column: str) -> NumericShape | LevelShape | None:
    """How a column is distributed in the training data and in the window called ``name``."""
    return _column_shape(workspace(), model, window, name, column)


@st.cache_data(ttl=300, max_entries=128, show_spinner=False, hash_funcs={Workspace: id})
def _column_shape(
    ws: Workspace, model: str, window: str, name: str, column: str
) -> NumericShape | LevelShape | None:
    from core.drift.watched import shape_of

    watched = _watched(ws, model, window)
    return shape_of(watched, watched.window(name), column)
