"""Figures of metric histories. Pure: histories and a palette in, Plotly figures out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from core.experiments.types import SYSTEM
from dashboard.charts.comparison import base_figure
from dashboard.palette import Palette

if TYPE_CHECKING:
    from core.experiments.types import History

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_NAMED_LINES, _NAME = 12, 16  # a legend of more would take the whole of a phone; pixels of a name in it
_UNITS = ((7_200, "hours", 3_600), (180, "minutes", 60), (0, "seconds", 1))


def history_chart(
    history: History, palette: Palette, *, color: int = 0, height: int = 260, relative: bool = False
) -> go.Figure:
    """One metric of one run over its steps, or over the time since its first value; one point is drawn as a point."""
    line = len(history.steps) > 1
    across, title = _across([history], relative=relative)
    figure = go.Figure(
        go.Scatter(
            x=across[0],
            y=history.values,
            mode="lines" if line else "markers",
            line={"color": palette.series[color % len(palette.series)], "width": 2},
            hovertemplate="%{x:.5~g}: %{y:.5g}<extra></extra>",
        )
    )
    axis = {"gridcolor": palette.grid, "linecolor": palette.grid, "zeroline": False}
    figure.update_xaxes(title=title, **axis)
    figure.update_yaxes(**axis)
    font = {"size": 14 if height > 200 else 12, "color": palette.text}
    return figure.update_layout(
        title={"text": history.metric.removeprefix(SYSTEM), "font": font, "x": 0},
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor=palette.background,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.muted},
        showlegend=False,
    )


def step_chart(
    histories: Sequence[History],
    labels: Mapping[str, str],
    palette: Palette,
    *,
    relative: bool = False,
    log: bool = False,
    best: str | None = None,
    smoothing: float = 0.0,
) -> go.Figure:
    """A metric over steps, or over the time since a run's first value; ``best`` ("higher", "lower") draws best so far.

    ``smoothing`` (0 to below 1) is the weight of what came before; the values as logged stay visible beneath.
    """
    named = len(histories) if 1 < len(histories) <= _NAMED_LINES else 0
    figure = base_figure(palette, height=400 + _NAME * named)
    positions, title = _across(histories, relative=relative)
    for index, (history, across) in enumerate(zip(histories, positions, strict=True)):
        values = best_so_far(history.values, best) if best else history.values
        line = {
            "color": palette.series[index % len(palette.series)],
            "dash": _DASHES[index // len(palette.series) % len(_DASHES)],
        }
        mode = "lines" if len(history.steps) > 1 else "markers"
        if smoothing:
            faint = go.Scatter(
                x=across, y=values, mode=mode, line=line, opacity=0.25, showlegend=False, hoverinfo="skip"
            )
            figure.add_trace(faint)
        shown = _smoothed(values, smoothing) if smoothing else values
        figure.add_trace(go.Scatter(x=across, y=shown, name=labels[history.run_id], mode=mode, line=line))
    figure.update_layout(showlegend=bool(named))
    figure.update_xaxes(title=title)
    metric = histories[0].metric if histories else ""
    figure.update_yaxes(title=f"{metric}, best so far" if best else metric)
    return figure.update_yaxes(**_log_axis(histories)) if log else figure


def with_steps(histories: Sequence[History]) -> tuple[History, ...]:
    """The histories worth a curve: more than one point, and not all of them NaN or infinite."""
    return tuple(history for history in histories if history.points > 1 and np.isfinite(history.values).any())


def _across(histories: Sequence[History], *, relative: bool) -> tuple[list[np.ndarray], str]:
    """Where the values of each history are drawn, and the axis's title; time in a unit that suits the longest."""
    if not relative:
        return [history.steps for history in histories], "step"
    seconds = [(history.times - history.times[:1]) / 1000 for history in histories]
    longest = max((float(times.max()) for times in seconds if len(times)), default=0.0)
    unit, length = next((unit, length) for least, unit, length in _UNITS if longest >= least)
    return [times / length for times in seconds], f"{unit} since the first value"


def _log_axis(histories: Sequence[History]) -> dict[str, object]:
    """A logarithmic axis that writes 1, 2 and 5 out in full over a few decades, where Plotly writes bare digits."""
    found = np.concatenate([history.values for history in histories] or [np.zeros(0)])
    found = found[np.isfinite(found) & (found > 0)]
    few = not len(found) or math.log10(found.max() / found.min()) < 3
    return {"type": "log", "tickformat": ".3~g", "dtick": "D2" if few else None}


def _smoothed(values: Sequence[float], weight: float) -> Sequence[float]:
    """Exponential moving average without the bias of its start; NaN is passed over."""
    import pandas as pd

    return pd.Series(values).ewm(alpha=1 - weight).mean().to_numpy()


def best_so_far(values: Sequence[float], towards: str) -> np.ndarray:
    """The best of the values up to each; NaN never counts as best, as it would with maximum and minimum."""
    return (np.fmax if towards == "higher" else np.fmin).accumulate(values)
