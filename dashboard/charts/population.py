"""Figures over all runs of a search: every one is drawn, by WebGL. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dashboard.palette import Palette

if TYPE_CHECKING:
    import pyarrow as pa

COLORS = 8
NO_COLOR = "(none)"


def scatter_chart(
    x: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    palette: Palette,
    *,
    labels: tuple[str, str],
    color: tuple[str, Sequence[str] | np.ndarray] | None = None,
) -> tuple[go.Figure, list[np.ndarray]]:
    """One point a run, and for each trace the positions of its points.

    ``color`` is a title with numbers (a colour scale) or words (one trace a word, the most frequent seven
    and all others together).
    """
    figure = go.Figure()
    groups = (
        _groups(color[1]) if color and not isinstance(color[1], np.ndarray) else [("", np.arange(len(x)))]
    )
    for index, (group, rows) in enumerate(groups):
        marker: dict[str, object] = {"size": 6 if len(x) > 2_000 else 8, "opacity": 0.75}
        if color and isinstance(color[1], np.ndarray):
            scale = [[0, palette.series[4]], [0.5, palette.muted], [1, palette.series[0]]]
            bar = {"title": {"text": color[0]}, "thickness": 12, "outlinewidth": 0}
            marker |= {"color": color[1], "colorscale": scale, "showscale": True, "colorbar": bar}
        else:
            marker["color"] = palette.series[index % len(palette.series)]
        figure.add_trace(
            go.Scattergl(
                x=x[rows],
                y=y[rows],
                text=[names[row] for row in rows],
                name=group,
                mode="markers",
                marker=marker,
                hovertemplate="%{text}<br>%{x:.5g}, %{y:.5g}<extra></extra>",
            )
        )
    figure.update_layout(
        height=430,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor=palette.background,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.text},
        legend={"orientation": "h", "y": 1.08, "title": {"text": color[0] if color else ""}},
        showlegend=len(groups) > 1,
        hoverlabel={"bgcolor": palette.surface, "font": {"color": palette.text}},
        dragmode="lasso",
    )
    axis = {"gridcolor": palette.grid, "zeroline": False, "linecolor": palette.grid}
    figure.update_xaxes(title=labels[0], **axis)
    figure.update_yaxes(title=labels[1], **axis)
    return figure, [rows for _, rows in groups]


def _groups(words: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Positions by word, the most frequent words first; rare ones share the last group."""
    kinds, codes, counts = np.unique(np.asarray(words, dtype=object), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    own = order if len(kinds) <= COLORS else order[: COLORS - 1]
    groups = [(str(kinds[code]), np.flatnonzero(codes == code)) for code in own]
    if len(own) < len(kinds):
        groups.append((f"{len(kinds) - len(own)} others", np.flatnonzero(~np.isin(codes, own))))
    return groups


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column as float64, NaN where there is no value."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
