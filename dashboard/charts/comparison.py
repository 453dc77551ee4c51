"""Figures of the Compare page. Pure: values and a palette in, Plotly figures out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.palette import Palette, mark

if TYPE_CHECKING:
    from core.compare.grouping import Group
    from core.compare.importance import Importance
    from core.compare.types import Verdict
    from core.experiments.types import History

PARALLEL_LIMIT = 500
PARALLEL_AXES = 8
PNG = {
    "displaylogo": False,
    "toImageButtonOptions": {"format": "png", "filename": "model-desk", "scale": 2},
    "modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d", "zoomOut2d"],
}
"""Plotly's own buttons, without the ones nobody needs; the camera saves the chart as a PNG of twice its size."""
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_ROW = 34
_NAMED_LINES = 24
_NAMED_TICKS, _OWN_TICKS, _TICK = 20, 6, 18
MISSING = "missing"


def interval_chart(verdicts: Sequence[Verdict], labels: Mapping[str, str], palette: Palette) -> go.Figure:
    """Difference to the baseline with its interval, one line a candidate; zero is drawn."""
    colors = {"better": palette.good, "worse": palette.bad}
    figure = _figure(palette, height=110 + _ROW * len(verdicts))
    for verdict in verdicts:
        color = colors.get(verdict.word.value, palette.unknown)
        known = verdict.low is not None and verdict.high is not None
        figure.add_trace(
            go.Scatter(
                x=[verdict.difference],
                y=[f"{mark(verdict.word.value).shape} {labels[verdict.candidate]}"],
                mode="markers",
                marker={"color": color, "size": 10, "symbol": "circle" if known else "circle-open"},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [verdict.high - verdict.difference],
                    "arrayminus": [verdict.difference - verdict.low],
                    "color": color,
                    "thickness": 2,
                }
                if known
                else None,
                hovertemplate=f"{verdict.word.value}: %{{x:+.4g}}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_layout(margin={"r": 28})
    figure.add_vline(x=0, line={"color": palette.muted, "dash": "dot", "width": 1})
    figure.update_xaxes(title="difference, 95 % interval", tickformat="+.3~g")
    return figure.update_yaxes(autorange="reversed", automargin=True)


def step_chart(
    histories: Sequence[History],
    labels: Mapping[str, str],
    palette: Palette,
    *,
    x: str = "step",
    log: bool = False,
    best: str | None = None,
    smoothing: float = 0.0,
) -> go.Figure:
    """A metric over steps, or over ``x="relative time"``; ``best`` ("higher", "lower") draws best so far.

    ``smoothing`` (0 to below 1) is the weight of what came before; the values as logged stay visible beneath.
    """
    figure = _figure(palette, height=420)
    for index, history in enumerate(histories):
        across = (history.times - history.times[:1]) / 1000 if x == "relative time" else history.steps
        values = _best_so_far(history.values, best) if best else history.values
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
    figure.update_layout(showlegend=1 < len(histories) <= _NAMED_LINES)
    figure.update_xaxes(title="seconds since the first value" if x == "relative time" else "step")
    title = histories[0].metric if histories else ""
    figure.update_yaxes(title=f"{title}, best so far" if best else title, type="log" if log else "linear")
    return figure


def group_chart(groups: Sequence[Group], names: Sequence[str], metric: str, palette: Palette) -> go.Figure:
    """One row a setting: every run as a point, the mean as a bar mark with one standard deviation."""
    figure = _figure(palette, height=110 + _ROW * len(groups))
    for name, group in zip(names, groups, strict=True):
        found = group.metrics.get(metric)
        if found is None or not found.n:
            continue
        points = [item.metrics[metric] for item in group.items if metric in item.metrics]
        figure.add_trace(_marks(points, name, palette.series[0], "circle-open", 8))
        figure.add_trace(_marks([found.mean], name, palette.text, "line-ns-open", 16, found.sd))
    figure.update_xaxes(title=f"{metric}: runs, mean and standard deviation")
    return figure.update_yaxes(autorange="reversed", automargin=True)


def box_chart(groups: Sequence[Group], names: Sequence[str], metric: str, palette: Palette) -> go.Figure:
    """One box a setting (quartiles, whiskers of 1.5 ranges), with every run as a point."""
    figure = _figure(palette, height=110 + (_ROW + 10) * len(groups))
    for name, group in zip(names, groups, strict=True):
        points = [item.metrics[metric] for item in group.items if metric in item.metrics]
        figure.add_trace(
            go.Box(
                x=points, name=name, boxpoints="all", pointpos=0, jitter=0.4, showlegend=False,
                line={"color": palette.series[0], "width": 1.5}, marker={"size": 5, "opacity": 0.7},
                hovertemplate="%{x:.5g}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title=f"{metric}: quartiles and every run")
    return figure.update_yaxes(autorange="reversed", automargin=True)


def importance_chart(importance: Importance, palette: Palette) -> go.Figure:
    """Rank correlation and forest importance beside each other, params in the same order."""
    names = [row.param for row in importance.rows]
    figure = _figure(palette, height=130 + _ROW * len(names))
    figure.add_trace(
        go.Bar(
            y=names,
            x=[row.rank_correlation for row in importance.rows],
            orientation="h",
            marker={"color": palette.series[0]},
            name="rank correlation",
            xaxis="x",
        )
    )
    figure.add_trace(
        go.Bar(
            y=names,
            x=[row.forest for row in importance.rows],
            orientation="h",
            marker={"color": palette.series[1]},
            error_x={
                "type": "data",
                "array": [row.forest_sd for row in importance.rows],
                "color": palette.muted,
            },
            name="forest",
            xaxis="x2",
        )
    )
    figure.update_layout(
        xaxis={"domain": [0, 0.48], "range": [-1, 1], "title": "Spearman rank correlation"},
        xaxis2={"domain": [0.52, 1], "title": "fall of held-out R² when shuffled", "gridcolor": palette.grid},
        showlegend=False,
    )
    return figure.update_yaxes(autorange="reversed", automargin=True)


def parallel_chart(axes: Sequence[tuple[str, Sequence[object]]], palette: Palette) -> go.Figure:
    """Parallel coordinates; the last axis colours the lines. Words become numbered ticks."""
    dimensions = [_dimension(name, values) for name, values in axes]
    figure = _figure(palette, height=440)
    figure.add_trace(
        go.Parcoords(
            dimensions=dimensions,
            line={
                "color": dimensions[-1]["values"],
                "colorscale": [[0, palette.series[4]], [0.5, palette.muted], [1, palette.series[0]]],
            },
            labelfont={"color": palette.text, "size": 12},
            tickfont={"color": palette.text},
            rangefont={"color": palette.muted},
        )
    )
    longest = max(
        map(len, dimensions[0].get("ticktext", ())), default=0
    )  # Plotly gives axes of words no room
    return figure.update_layout(margin={"l": max(80, 24 + 7 * longest), "r": 40, "t": 60, "b": 24})


def _dimension(name: str, values: Sequence[object]) -> dict[str, object]:
    known = [value for value in values if value is not None]
    numbers = [number_of(value) for value in known]
    if known and None not in numbers:
        return _number_axis(name, [None if value is None else number_of(value) for value in values])
    words = ([MISSING] if len(known) < len(values) else []) + sorted({str(value) for value in known})
    codes = {word: code for code, word in enumerate(words)}
    shown = words if len(words) <= _NAMED_TICKS else []
    return {
        "label": name,
        "values": [codes[MISSING if value is None else str(value)] for value in values],
        "tickvals": [codes[word] for word in shown],
        "ticktext": [word[:_TICK] for word in shown],
    }


def _number_axis(name: str, numbers: Sequence[float | None]) -> dict[str, object]:
    """An axis of numbers, by their logarithms over two decades or more; what is missing passes below them."""
    known = sorted({number for number in numbers if number is not None})
    log = known[0] > 0 and known[-1] >= 100 * known[0]
    place = math.log10 if log else float
    below = place(known[0]) - 0.15 * ((place(known[-1]) - place(known[0])) or 1)
    axis = {"label": name, "values": [below if number is None else place(number) for number in numbers]}
    missing, few = None in numbers, len(known) <= _OWN_TICKS
    if missing or few or log:  # a few values, as a sweep has, are told by their own ticks
        ticks = known if few else [known[0], known[-1]]
        axis |= {
            "tickvals": ([below] if missing else []) + [place(tick) for tick in ticks],
            "ticktext": ([MISSING] if missing else []) + [f"{tick:.4g}" for tick in ticks],
        }
    return axis


def number_of(value: object) -> float | None:
    """A logged value as a finite number; None for words, NaN and infinities."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if number - number == 0 else None


def _marks(
    values: Sequence[float], name: str, color: str, symbol: str, size: int, sd: float | None = None
) -> go.Scatter:
    return go.Scatter(
        x=list(values),
        y=[name] * len(values),
        mode="markers",
        marker={"color": color, "size": size, "symbol": symbol, "line": {"width": 2, "color": color}},
        error_x={"type": "data", "array": [sd], "color": color} if sd else None,
        hovertemplate="%{x:.5g}<extra></extra>",
        showlegend=False,
    )


def _smoothed(values: Sequence[float], weight: float) -> Sequence[float]:
    """Exponential moving average without the bias of its start; NaN is passed over."""
    import pandas as pd

    return pd.Series(values).ewm(alpha=1 - weight).mean().to_numpy()


def _best_so_far(values: Sequence[float], towards: str) -> Sequence[float]:
    import numpy as np

    # NaN never counts as best: fmax and fmin skip it where maximum and minimum would keep it.
    return (np.fmax if towards == "higher" else np.fmin).accumulate(values)


def _figure(palette: Palette, height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor=palette.background,  # a saved picture of dark mode is read on white paper too
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.text},
        legend={"orientation": "h", "y": -0.2},
        hoverlabel={"bgcolor": palette.surface, "font": {"color": palette.text}},
    )
    figure.update_xaxes(gridcolor=palette.grid, zerolinecolor=palette.grid)
    return figure.update_yaxes(gridcolor=palette.grid, zerolinecolor=palette.grid)
