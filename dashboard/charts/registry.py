"""Figures of the registry: a metric over the versions of a model."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.palette import Palette


def metric_over_versions(
    points: Sequence[tuple[int, float]], metric: str, live: int | None, palette: Palette
) -> go.Figure:
    """One point a version, the live one marked by a larger diamond and the word."""
    ordered = sorted(points)
    figure = go.Figure(
        go.Scatter(
            x=[f"v{version}" for version, _ in ordered],
            y=[value for _, value in ordered],
            mode="lines+markers+text",
            text=["live" if version == live else "" for version, _ in ordered],
            textposition="top center",
            line={"color": palette.series[0], "width": 2},
            marker={
                "color": [palette.accent if version == live else palette.series[0] for version, _ in ordered],
                "size": [14 if version == live else 8 for version, _ in ordered],
                "symbol": ["diamond" if version == live else "circle" for version, _ in ordered],
            },
            hovertemplate=f"%{{x}}: {metric} %{{y:.4f}}<extra></extra>",
        )
    )
    axis = {"gridcolor": palette.grid, "linecolor": palette.grid, "zeroline": False}
    figure.update_xaxes(type="category", **axis)
    figure.update_yaxes(title=metric, **axis)
    return figure.update_layout(
        height=250,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": palette.muted},
        showlegend=False,
    )
