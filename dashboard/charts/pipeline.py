"""Figures of DVC's plots: rows of one or several revisions and a palette in, one Plotly figure out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from core.privacy import small_count
from dashboard.palette import Palette

if TYPE_CHECKING:
    from core.pipeline.plots import Plot

MARKERS = ("scatter", "scatter_jitter")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def plot_chart(plots: Sequence[Plot], names: Mapping[str | None, str], palette: Palette) -> go.Figure:
    """The same plot of each revision in one figure; ``names`` are what the revisions are called.

    DVC's ``template`` chooses the form: scatter, bar_horizontal, confusion, else a line.
    """
    first = plots[0]
    template = str(first.options.get("template", "linear"))
    if template.startswith("confusion"):
        return confusion_chart(first, names[first.revision], palette)
    figure = go.Figure()
    for index, plot in enumerate(plots):
        x, ys = axes(plot)
        for position, y in enumerate(ys):
            label = names[plot.revision] if len(ys) == 1 else f"{names[plot.revision]}: {y}"
            colour = palette.series[index % len(palette.series)]
            figure.add_trace(
                _trace(plot, x, y, template, label, colour, DASHES[(index + position) % len(DASHES)])
            )
    x, ys = axes(first)
    sideways = template.startswith("bar_horizontal")
    titles = (first.options.get("x_label") or x or "step", first.options.get("y_label") or ", ".join(ys))
    return _framed(figure, first, titles[::-1] if sideways else titles, palette)


def axes(plot: Plot) -> tuple[str | None, tuple[str, ...]]:
    """The column for x (None: the row's number) and those for y, by the options or as DVC guesses."""
    columns = list(plot.points[0]) if plot.points else []
    wanted = plot.options.get("y")
    if isinstance(wanted, Mapping):
        wanted = wanted.get(plot.path) or next(
            (columns for path, columns in wanted.items() if plot.path.endswith(str(path))), None
        )
    listed = [wanted] if isinstance(wanted, str) else list(wanted or ())
    x = plot.options.get("x")
    x = x if isinstance(x, str) and x in columns else None
    ys = tuple(str(name) for name in listed if name in columns)
    if not ys:
        numbers = [name for name in columns if name != x and isinstance(plot.points[0][name], int | float)]
        ys = tuple(numbers[-1:])
    return x, ys


def confusion_chart(plot: Plot, name: str, palette: Palette) -> go.Figure:
    """Counts of actual against predicted classes; the darker, the more."""
    x, ys = axes(plot)
    columns = list(plot.points[0])
    across = x or columns[-1]
    down = ys[0] if ys else columns[0]
    counts = Counter((_class(row.get(down)), _class(row.get(across))) for row in plot.points)
    rows, cells = sorted({pair[0] for pair in counts}), sorted({pair[1] for pair in counts})
    # Counts of 1 to 10 may be people: they are shown as the range alone.
    texts = [[small_count(counts[row, cell]) for cell in cells] for row in rows]
    values = [[_blurred(counts[row, cell]) for cell in cells] for row in rows]
    figure = go.Figure(
        go.Heatmap(
            x=cells,
            y=rows,
            z=values,
            text=texts,
            texttemplate="%{text}",
            hovertemplate=f"{across} %{{x}}, {down} %{{y}}: %{{text}}<extra>{name}</extra>",
            colorscale=[[0, palette.surface], [1, palette.accent]],
            showscale=False,
        )
    )
    figure.update_xaxes(type="category").update_yaxes(type="category", autorange="reversed")
    return _framed(figure, plot, (across, down), palette)


def _class(value: Any) -> str:
    """A class as it was written: CSV turns 1 into 1.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _blurred(count: int) -> int:
    return 5 if 1 <= count <= 10 else count


def _trace(plot: Plot, x: str | None, y: str, template: str, label: str, colour: str, dash: str) -> Any:
    xs = [row.get(x) for row in plot.points] if x else list(range(len(plot.points)))
    values = [row.get(y) for row in plot.points]
    if template.startswith("bar_horizontal"):
        return go.Bar(x=values, y=xs, orientation="h", name=label, marker={"color": colour})
    if template in MARKERS:
        return go.Scatter(x=xs, y=values, mode="markers", name=label, marker={"color": colour})
    mode = "lines" if len(values) > 1 else "markers"
    return go.Scatter(x=xs, y=values, mode=mode, name=label, line={"color": colour, "width": 2, "dash": dash})


def _framed(figure: go.Figure, plot: Plot, titles: tuple[str, str], palette: Palette) -> go.Figure:
    axis = {"gridcolor": palette.grid, "linecolor": palette.grid, "zeroline": False, "automargin": True}
    figure.update_xaxes(title={"text": titles[0], "standoff": 8}, **axis)
    figure.update_yaxes(title={"text": titles[1], "standoff": 8}, **axis)
    title = str(plot.options.get("title") or plot.name)
    return figure.update_layout(
        title={"text": title, "font": {"size": 14, "color": palette.text}, "x": 0},
        height=320,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.muted},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        showlegend=len(figure.data) > 1,
    )
