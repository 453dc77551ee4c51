"""Figures of metric histories. Pure: histories and a palette in, Plotly figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.palette import Palette

if TYPE_CHECKING:
    from core.experiments.types import History


def history_chart(history: History, palette: Palette, *, color: int = 0) -> go.Figure:
    """One metric of one run over its steps; a single point is drawn as a point."""
    line = len(history.steps) > 1
    figure = go.Figure(
        go.Scatter(
            x=history.steps,
            y=history.values,
            mode="lines" if line else "markers",
            line={"color": palette.series[color % len(palette.series)], "width": 2},
            hovertemplate="step %{x}: %{y:.5g}<extra></extra>",
        )
    )
    axis = {"gridcolor": palette.grid, "linecolor": palette.grid, "zeroline": False}
    figure.update_xaxes(title="step", **axis)
    figure.update_yaxes(**axis)
    return figure.update_layout(
        title={"text": history.metric, "font": {"size": 14, "color": palette.text}, "x": 0},
        height=260,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor=palette.background,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.muted},
        showlegend=False,
    )


def with_steps(histories: Sequence[History]) -> tuple[History, ...]:
    """The histories worth a curve: more than one point."""
    return tuple(history for history in histories if history.points > 1)
