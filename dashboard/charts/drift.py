"""Figures of the Drift page: performance by window, the column by window map, one column's two distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.drift.performance import PerformanceReport, WindowPerformance
from core.drift.shape import LevelShape, NumericShape, Outline
from core.drift.timeline import Mark
from core.drift.trend import TrendWindow
from core.drift.types import ColumnReport, Severity
from dashboard.palette import Palette

_LABEL_PX = 36
"""Height of a label of two lines above a chart."""
_LABEL_SHARE = 0.25
"""Share of a chart's width that a label may take on a phone."""


def _layout(figure: go.Figure, palette: Palette, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.text},
        # At the foot of the figure, under the x axis' labels: on a phone it has as many lines as entries.
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
    )
    figure.update_xaxes(gridcolor=palette.grid, zeroline=False)
    figure.update_yaxes(gridcolor=palette.grid, zeroline=False)
    return figure


def performance_over_time(
    report: PerformanceReport, metric: str, marks: Sequence[Mark], palette: Palette
) -> go.Figure:
    """Realised values with their interval, the estimate without labels, deployments with their data, and alerts."""
    figure = go.Figure()
    measured = [part for part in report.windows if metric in part.metrics]
    told = {
        part.name: labelled for part, (_, labelled) in zip(report.windows, report.told_counts, strict=True)
    }
    places = [_place(part) for part in measured]
    values = [part.metrics[metric] for part in measured]
    figure.add_scatter(
        x=[*places, *reversed(places)],
        y=[*(value.high for value in values), *(value.low for value in reversed(values))],
        fill="toself", mode="lines", line={"width": 0}, fillcolor=palette.series[0], opacity=0.18,
        hoverinfo="skip", name="95 % interval",
    )  # fmt: skip
    figure.add_scatter(
        x=places, y=[value.value for value in values], mode="lines+markers", name="with labels",
        line={"color": palette.series[0]}, marker={"size": 5},
        customdata=[told[part.name] for part in measured],
        hovertemplate="%{y:.3f} (%{customdata} labelled)",
    )  # fmt: skip
    guessed = [part for part in report.windows if metric in part.estimated]
    if guessed:
        figure.add_scatter(
            x=[_place(part) for part in guessed], y=[part.estimated[metric].value for part in guessed],
            mode="lines", name="estimated without labels",
            line={"color": palette.series[1], "dash": "dot", "width": 2},
            hovertemplate="%{y:.3f} estimated",
        )  # fmt: skip
    _add_alerts(figure, report, metric, palette)
    levels = _add_marks(figure, [_place(part) for part in report.windows], marks, palette)
    figure.update_yaxes(title=metric)
    above = levels * _LABEL_PX
    _layout(figure, palette, 254 + above)
    return figure.update_layout(margin_t=above)


def _place(part: WindowPerformance) -> object:
    """Where a window stands on the time axis; windows without times stand side by side by name."""
    return part.name if part.start is None else part.start.replace(tzinfo=None)


def _add_alerts(figure: go.Figure, report: PerformanceReport, metric: str, palette: Palette) -> None:
    at = {part.name: part for part in report.windows if metric in part.metrics}
    alerts = [alert for alert in report.degraded if alert.metric == metric and alert.window in at]
    if not alerts:
        return
    worst = {Severity.CRITICAL: "x", Severity.HIGH: "triangle-down"}
    parts = [at[alert.window or ""] for alert in alerts]
    figure.add_scatter(
        x=[_place(part) for part in parts], y=[part.metrics[metric].value for part in parts], mode="markers",
        marker={
            "size": 12, "color": palette.bad, "symbol": [worst.get(a.severity, "diamond") for a in alerts],
        },
        name="fell", text=[f"{a.severity.value}: {a.message}" for a in alerts], hovertemplate="%{text}",
    )  # fmt: skip


def _add_marks(figure: go.Figure, places: Sequence[object], marks: Sequence[Mark], palette: Palette) -> int:
    """A line where a version came live (and its training data, where that changed) and where an alert was raised.

    Versions that came soon after one another are labelled on two levels. Returns how many levels there are.
    """
    if not places or isinstance(places[0], str):
        return 1
    first, data = places[0], ""
    last = max(places[-1], *(mark.at.replace(tzinfo=None) for mark in marks)) if marks else places[-1]
    width = last - first
    before = [mark for mark in marks if mark.version and mark.at.replace(tzinfo=None) < first]
    shown = [*before[-1:], *(mark for mark in marks if mark.at.replace(tzinfo=None) >= first)]
    level, highest, labelled = 0, 0, None
    for mark in shown:
        at = max(mark.at.replace(tzinfo=None), first)
        alert = mark.kind == "alert"
        color = palette.bad if alert else palette.muted
        words = "alert" if alert else mark.text
        if mark.data and mark.data != data:
            words, data = f"{words}<br>data {mark.data}", mark.data
        if not alert:
            crowded = labelled is not None and at - labelled < width * _LABEL_SHARE
            level, labelled = (1 - level if crowded else 0), at
            highest = max(highest, level)
        figure.add_vline(x=at, line={"color": color, "width": 1, "dash": "dash" if alert else "solid"})
        figure.add_annotation(
            x=at, y=0 if alert else 1, yref="paper", yshift=0 if alert else level * _LABEL_PX,
            xanchor="right" if at - first > width / 2 else "left", yanchor="bottom",
            text=words, showarrow=False, align="left", font={"size": 11, "color": color},
            hovertext=f"{mark.at:%Y-%m-%d %H:%M} UTC: {mark.text}",
        )  # fmt: skip
    return highest + 1


def column_over_time(windows: Sequence[TrendWindow], column: str, gate: float, palette: Palette) -> go.Figure:
    """The effect in each window, over the band in which nothing is said: under the policy's gate or not significant."""
    found = [(window, _named(window, column)) for window in windows]
    found = [(window, report) for window, report in found if report is not None and report.effect is not None]
    names = [window.name for window, _ in found]
    limits = [max(gate, report.detectable or 0) for _, report in found]
    figure = go.Figure()
    figure.add_scatter(
        x=names, y=limits, mode="lines", line={"width": 1, "color": palette.muted, "dash": "dot"},
        fill="tozeroy", fillcolor=palette.grid, name="too small to tell or to matter",
        hovertemplate="under %{y:.3f}: no alarm",
    )  # fmt: skip
    figure.add_scatter(
        x=names, y=[report.effect for _, report in found], mode="lines+markers", name="effect",
        line={"color": palette.series[0]},
        marker={
            "size": [9 if report.verdict.is_alarm else 5 for _, report in found],
            "symbol": ["triangle-up" if report.verdict.is_alarm else "circle" for _, report in found],
            "color": [palette.bad if r.verdict.is_alarm else palette.series[0] for _, r in found],
        },
        text=[f"{report.verdict.value}: {report.reason}" for _, report in found],
        hovertemplate="%{y:.3f} %{text}",
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", title="effect")
    return _layout(figure, palette, 220)


def _named(window: TrendWindow, column: str) -> ColumnReport | None:
    return next((report for report in window.report.columns if report.name == column), None)


def drift_map(windows: Sequence[TrendWindow], columns: Sequence[str], palette: Palette) -> go.Figure:
    """Column by window: the size of the effect as colour, the verdict as a sign in the cell and in words."""
    effects, signs, words = [], [], []
    for name in columns:
        found = [_named(window, name) for window in windows]
        effects.append([column.effect if column else None for column in found])
        signs.append(["▲" if column and column.verdict.is_alarm else "" for column in found])
        words.append([f"{column.verdict.value}: {column.reason}" if column else "" for column in found])
    figure = go.Figure(
        go.Heatmap(
            z=effects, x=[window.name for window in windows], y=list(columns), text=signs, customdata=words,
            texttemplate="%{text}", zmin=0, zmax=0.3, xgap=1, ygap=1,
            colorscale=[[0, palette.surface], [0.33, palette.grid], [1, palette.series[1]]],
            colorbar={"title": "effect", "thickness": 12},
            hovertemplate="%{y}, %{x}<br>%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(type="category", nticks=8)
    figure.update_yaxes(autorange="reversed")
    _layout(figure, palette, 70 + 18 * len(columns))
    figure.update_layout(hovermode="closest")
    return figure


def distribution(shape: NumericShape | LevelShape, palette: Palette) -> go.Figure:
    """Training data and current window over each other, as shares of rows."""
    figure = go.Figure()
    for side, name, color in (
        (shape.reference, "training data", palette.series[0]),
        (shape.current, "current window", palette.series[1]),
    ):
        bars = _levels(shape.levels, side) if isinstance(shape, LevelShape) else _bins(side)
        figure.add_bar(**bars, name=name, marker={"color": color, "line": {"width": 0}}, opacity=0.65)
    levels = isinstance(shape, LevelShape)
    figure.update_layout(barmode="group" if levels else "overlay", bargap=0.15 if levels else 0)
    figure.update_yaxes(tickformat=".0%", title="share of rows" if levels else "share of rows per bin")
    return _layout(figure, palette, 300).update_layout(hovermode="closest" if not levels else "x unified")


def _levels(levels: Sequence[str], shares: Sequence[float]) -> dict[str, object]:
    return {"x": levels, "y": shares, "hovertemplate": "%{y:.1%}"}


def _bins(side: Outline) -> dict[str, object]:
    """Bars whose area tells the share, so that joined bins are as high as those they were joined from."""
    low, high = side.edges[:-1], side.edges[1:]
    words = [f"{a:.4g} to {b:.4g}" for a, b in zip(low, high, strict=True)]
    words[0], words[-1] = f"up to {high[0]:.4g}", f"over {low[-1]:.4g}"
    said = [f"{share:.1%} of rows<br>{word}" for share, word in zip(side.shares, words, strict=True)]
    return {
        "x": ((low + high) / 2).tolist(), "width": (high - low).tolist(),
        "y": (side.shares * side.width / (high - low)).tolist(), "customdata": said, "hovertemplate": "%{customdata}",
    }  # fmt: skip


def cumulative(shape: NumericShape, distance: float | None, palette: Palette) -> go.Figure:
    """Both cumulative curves with the widest gap drawn; the exact D is in its label."""
    figure = go.Figure()
    for side, name, color in (
        (shape.reference, "training data", palette.series[0]),
        (shape.current, "current window", palette.series[1]),
    ):
        figure.add_scatter(
            x=side.edges, y=side.cumulative, name=name, line={"color": color}, mode="lines",
            hovertemplate="%{y:.1%} up to %{x:.4g}",
        )  # fmt: skip
    at = np.array([shape.gap_at])
    figure.add_scatter(
        x=[shape.gap_at] * 2, y=[float(side.up_to(at)[0]) for side in (shape.reference, shape.current)],
        mode="lines+markers", line={"color": palette.bad, "width": 3},
        name="D" if distance is None else f"D = {distance:.3f}", hoverinfo="skip",
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", title="share of rows up to here", range=[0, 1.02])
    return _layout(figure, palette, 300)
