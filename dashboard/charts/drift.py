"""Figures of the Drift page: performance by window, the column by window map, one column's two distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.drift.performance import PerformanceReport
from core.drift.shape import LevelShape, NumericShape
from core.drift.trend import TrendWindow
from core.drift.types import Severity
from dashboard.palette import Palette, small_count


def _layout(figure: go.Figure, palette: Palette, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.text},
        legend={"orientation": "h", "y": 1.14, "x": 0},
        hovermode="x unified",
    )
    figure.update_xaxes(gridcolor=palette.grid, zeroline=False)
    figure.update_yaxes(gridcolor=palette.grid, zeroline=False)
    return figure


def performance_over_time(report: PerformanceReport, metric: str, palette: Palette) -> go.Figure:
    """Realised values with their interval, the estimate without labels, and the alerts on ``metric``."""
    measured = [part for part in report.windows if metric in part.metrics]
    values = [part.metrics[metric] for part in measured]
    names = [part.name for part in measured]
    figure = go.Figure()
    figure.add_scatter(
        x=[*names, *reversed(names)],
        y=[*(value.high for value in values), *(value.low for value in reversed(values))],
        fill="toself", line={"width": 0}, fillcolor=palette.series[0], opacity=0.18, hoverinfo="skip",
        name="95 % interval",
    )  # fmt: skip
    figure.add_scatter(
        x=names, y=[value.value for value in values], mode="lines+markers", name="with labels",
        line={"color": palette.series[0]}, customdata=[small_count(part.labelled) for part in measured],
        hovertemplate="%{y:.3f} (%{customdata} labelled)",
    )  # fmt: skip
    guessed = [part for part in report.windows if metric in part.estimated]
    if guessed:
        figure.add_scatter(
            x=[part.name for part in guessed], y=[part.estimated[metric].value for part in guessed],
            mode="lines", name="estimated without labels", line={"color": palette.muted, "dash": "dot"},
            hovertemplate="%{y:.3f} estimated",
        )  # fmt: skip
    _add_alerts(figure, report, metric, palette)
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=[w.name for w in report.windows]
    )
    return _layout(figure, palette, 320)


def _add_alerts(figure: go.Figure, report: PerformanceReport, metric: str, palette: Palette) -> None:
    at = {part.name: part.metrics[metric].value for part in report.windows if metric in part.metrics}
    alerts = [alert for alert in report.degraded if alert.metric == metric and alert.window in at]
    if not alerts:
        return
    worst = {Severity.CRITICAL: "x", Severity.HIGH: "triangle-down"}
    figure.add_scatter(
        x=[alert.window for alert in alerts], y=[at[alert.window or ""] for alert in alerts], mode="markers",
        marker={
            "size": 13, "color": palette.bad, "symbol": [worst.get(a.severity, "diamond") for a in alerts],
        },
        name="alert", text=[f"{a.severity.value}: {a.message}" for a in alerts], hovertemplate="%{text}",
    )  # fmt: skip


def drift_map(windows: Sequence[TrendWindow], columns: Sequence[str], palette: Palette) -> go.Figure:
    """Column by window: the size of the effect as colour, the verdict as a sign in the cell and in words."""
    effects, signs, words = [], [], []
    for name in columns:
        found = [{c.name: c for c in window.report.columns}.get(name) for window in windows]
        effects.append([column.effect if column else None for column in found])
        signs.append(["▲" if column and column.verdict.is_alarm else "" for column in found])
        words.append([f"{column.verdict.value}: {column.reason}" if column else "" for column in found])
    figure = go.Figure(
        go.Heatmap(
            z=effects, x=[window.name for window in windows], y=list(columns), text=signs, customdata=words,
            texttemplate="%{text}", zmin=0, zmax=0.3, xgap=1, ygap=1,
            colorscale=[[0, palette.surface], [0.17, palette.series[5]], [1, palette.series[1]]],
            colorbar={"title": "effect", "thickness": 12},
            hovertemplate="%{y}, %{x}<br>%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(type="category")
    figure.update_yaxes(autorange="reversed")
    _layout(figure, palette, 120 + 24 * len(columns))
    figure.update_layout(hovermode="closest")
    return figure


def distribution(shape: NumericShape | LevelShape, palette: Palette) -> go.Figure:
    """Training data and current window side by side, as shares of rows."""
    figure = go.Figure()
    if isinstance(shape, LevelShape):
        x: Sequence[object] = shape.levels
    else:
        x = ((shape.edges[:-1] + shape.edges[1:]) / 2).tolist()
    for values, name, color in (
        (shape.reference, "training data", palette.series[0]),
        (shape.current, "current window", palette.series[1]),
    ):
        figure.add_bar(
            x=x, y=values, name=name, marker={"color": color}, opacity=0.65, hovertemplate="%{y:.1%}"
        )
    figure.update_layout(barmode="group" if isinstance(shape, LevelShape) else "overlay", bargap=0.05)
    figure.update_yaxes(tickformat=".0%", title="share of rows")
    return _layout(figure, palette, 300)


def cumulative(shape: NumericShape, distance: float | None, palette: Palette) -> go.Figure:
    """Both cumulative curves with the widest gap drawn; the exact D is in its label."""
    figure = go.Figure()
    for curve, name, color in (
        (shape.reference_curve, "training data", palette.series[0]),
        (shape.current_curve, "current window", palette.series[1]),
    ):
        figure.add_scatter(x=shape.grid, y=curve, name=name, line={"color": color}, hovertemplate="%{y:.1%}")
    at = shape.gap_at
    gap = np.array([shape.reference_curve[at], shape.current_curve[at]])
    figure.add_scatter(
        x=[shape.grid[at]] * 2, y=gap, mode="lines+markers", line={"color": palette.bad, "width": 3},
        name="D" if distance is None else f"D = {distance:.3f}", hoverinfo="skip",
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", title="share of rows up to here", range=[0, 1.02])
    return _layout(figure, palette, 300)
