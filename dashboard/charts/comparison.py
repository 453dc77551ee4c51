"""Figures of the Compare page. Pure: values and a palette in, Plotly figures out."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.palette import MISSING, Palette, mark
from dashboard.parts.text import shortened

if TYPE_CHECKING:
    from core.compare.grouping import Group
    from core.compare.importance import Importance
    from core.compare.types import Verdict

PARALLEL_LIMIT = 500
PARALLEL_AXES = 8
PNG = {
    "displaylogo": False,
    "toImageButtonOptions": {"format": "png", "filename": "model-desk", "scale": 2},
    "modeBarButtonsToRemove": ["autoScale2d", "zoomIn2d", "zoomOut2d"],
}
"""Plotly's own buttons, without the ones nobody needs; the camera saves the chart as a PNG of twice its size."""
_ROW, _NAMED_ROW = 34, 46
_NAMED_TICKS, _OWN_TICKS, _TICK = 20, 6, 20
_UPRIGHT_AXES = 4  # labels of more are tilted: on a phone they would be written over each other
_NAME = 56  # characters that a phone has room for


def interval_chart(verdicts: Sequence[Verdict], labels: Mapping[str, str], palette: Palette) -> go.Figure:
    """Difference to the baseline with its interval, one line a candidate; zero is drawn."""
    colors = {"better": palette.good, "worse": palette.bad}
    figure, names = base_figure(palette, height=110 + _NAMED_ROW * len(verdicts)), []
    for verdict in verdicts:
        color = colors.get(verdict.word.value, palette.unknown)
        known = verdict.low is not None and verdict.high is not None
        names.append(f"{mark(verdict.word.value).shape} {labels[verdict.candidate]}")
        figure.add_trace(
            go.Scatter(
                x=[verdict.difference],
                y=[names[-1]],
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
    return _named_rows(figure, names, palette)


def group_chart(groups: Sequence[Group], names: Sequence[str], metric: str, palette: Palette) -> go.Figure:
    """One row a setting: every run as a point, the mean as a bar mark with one standard deviation."""
    figure, drawn = base_figure(palette, height=110 + _NAMED_ROW * len(groups)), []
    for name, group in zip(names, groups, strict=True):
        found = group.metrics.get(metric)
        if found is None or not found.n:
            continue
        drawn.append(name)
        points = [item.metrics[metric] for item in group.items if metric in item.metrics]
        figure.add_trace(_marks(points, name, palette.series[0], "circle-open", 8))
        figure.add_trace(_marks([found.mean], name, palette.text, "line-ns-open", 16, found.sd))
    figure.update_xaxes(title=f"{metric}: runs, mean and sd")
    return _named_rows(figure, drawn, palette)


def box_chart(groups: Sequence[Group], names: Sequence[str], metric: str, palette: Palette) -> go.Figure:
    """One box a setting (quartiles, whiskers of 1.5 ranges), with every run as a point."""
    figure, drawn = base_figure(palette, height=110 + _NAMED_ROW * len(groups)), []
    for name, group in zip(names, groups, strict=True):
        points = [item.metrics[metric] for item in group.items if metric in item.metrics]
        if not points:
            continue
        drawn.append(name)
        figure.add_trace(
            go.Box(
                x=points, name=name, boxpoints="all", pointpos=0, jitter=0.4, showlegend=False,
                line={"color": palette.series[0], "width": 1.5}, fillcolor="rgba(0,0,0,0)", width=0.32,
                marker={"size": 6, "color": palette.text, "opacity": 0.7},
                hovertemplate="%{x:.5g}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(title=f"{metric}: quartiles and every run")
    return _named_rows(figure, drawn, palette)


def importance_chart(importance: Importance, palette: Palette) -> go.Figure:
    """Rank correlation and forest importance beside each other, params in the same order."""
    names = [row.param for row in importance.rows]
    figure = base_figure(palette, height=130 + _ROW * len(names))
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
        xaxis={"domain": [0, 0.48], "range": [-1, 1], "title": "rank correlation"},
        xaxis2={"domain": [0.52, 1], "title": "forest: fall of R²", "gridcolor": palette.grid},
        showlegend=False,
    )
    return figure.update_yaxes(autorange="reversed", automargin=True)


def parallel_chart(axes: Sequence[tuple[str, Sequence[object]]], palette: Palette) -> go.Figure:
    """Parallel coordinates; the last axis colours the lines. Words become numbered ticks."""
    dimensions, tilted = [_dimension(name, values) for name, values in axes], len(axes) > _UPRIGHT_AXES
    figure = base_figure(palette, height=440)
    figure.add_trace(
        go.Parcoords(
            dimensions=dimensions,
            line={
                "color": dimensions[-1]["values"],
                "colorscale": [[0, palette.series[4]], [0.5, palette.muted], [1, palette.series[0]]],
            },
            labelfont={"color": palette.text, "size": 12},
            labelangle=-30 if tilted else 0,
            tickfont={"color": palette.text, "size": 10},
            rangefont={"color": palette.muted, "size": 10},
        )
    )
    longest = max(
        map(len, dimensions[0].get("ticktext", ())), default=0
    )  # Plotly gives axes of words no room
    return figure.update_layout(
        margin={"l": max(44, 16 + 6 * longest), "r": 40, "t": 96 if tilted else 60, "b": 24}
    )


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
        "ticktext": [shortened(word, _TICK) for word in shown],
    }


def _named_rows(figure: go.Figure, names: Sequence[str], palette: Palette) -> go.Figure:
    """The rows' names above them: beside them, a setting's name would leave a phone no room to draw."""
    for name in names:
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=name, yshift=16, showarrow=False,
            text=html.escape(shortened(name, _NAME)), font={"size": 11, "color": palette.text},
        )  # fmt: skip
    return figure.update_yaxes(type="category", autorange="reversed", showticklabels=False)


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


def base_figure(palette: Palette, height: int) -> go.Figure:
    """An empty figure in the page's colours."""
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
