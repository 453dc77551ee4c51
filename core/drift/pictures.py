"""Pictures of a drift export as SVG: a metric by window, and the map of columns by window."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.drift.performance import WindowPerformance
from core.drift.timeline import Mark
from core.drift.trend import TrendWindow
from core.drift.types import ColumnReport

_REAL, _GUESS, _MUTED = "#0072b2", "#d55e00", "#7a8194"
_FONT = 'font-family="system-ui, sans-serif" font-size="11" fill="currentColor"'
_CELL, _ROW, _NAMES = 14, 16, 150


def metric_line(
    windows: Sequence[WindowPerformance],
    metric: str,
    marks: Sequence[Mark],
    width: int = 900,
    height: int = 240,
) -> str:
    """Realised values as a line, estimates dashed, deployments as upright lines; '' where there is no line to draw."""
    values = [
        value.value
        for part in windows
        for value in (part.metrics.get(metric), part.estimated.get(metric))
        if value
    ]
    if len(windows) < 2 or not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(place: int) -> float:
        return 45 + place * (width - 60) / (len(windows) - 1)

    def y(value: float) -> float:
        return height - 25 - (value - low) / span * (height - 50)

    def line(name: str, style: str) -> str:
        points = [
            f"{x(place):.1f},{y(getattr(part, name)[metric].value):.1f}"
            for place, part in enumerate(windows)
            if metric in getattr(part, name)
        ]
        return f'<polyline points="{" ".join(points)}" fill="none" {style}/>' if points else ""

    upright = [
        f'<line x1="{x(place):.1f}" x2="{x(place):.1f}" y1="10" y2="{height - 25}" stroke="{_MUTED}"/>'
        f'<text x="{x(place) + 3:.1f}" y="20">{escape(mark.text)}</text>'
        for mark in marks
        for place, part in enumerate(windows)
        if mark.version and part.start and part.end and part.start <= mark.at < part.end
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(metric)} by window" {_FONT}>'
        + "".join(upright)
        + line("estimated", f'stroke="{_GUESS}" stroke-dasharray="4 3"')
        + line("metrics", f'stroke="{_REAL}" stroke-width="2"')
        + f'<text x="2" y="{y(high) + 4:.0f}">{high:.2f}</text><text x="2" y="{y(low) + 4:.0f}">{low:.2f}</text>'
        f'<text x="45" y="{height - 6}">{escape(windows[0].name)}</text>'
        f'<text x="{width - 15}" y="{height - 6}" text-anchor="end">{escape(windows[-1].name)}</text></svg>'
    )


def column_map(windows: Sequence[TrendWindow], columns: Sequence[str]) -> str:
    """Column by window: the darker the larger the effect, a triangle where it drifted; '' without either."""
    if not windows or not columns:
        return ""
    by_window = [{column.name: column for column in window.report.columns} for window in windows]
    parts = []
    for row, name in enumerate(columns):
        short = name if len(name) <= 22 else f"{name[:21]}…"
        parts.append(
            f'<text x="{_NAMES - 6}" y="{row * _ROW + 12}" text-anchor="end">{escape(short)}'
            f"<title>{escape(name)}</title></text>"
        )
        for place, (window, found) in enumerate(zip(windows, by_window, strict=True)):
            if name in found and found[name].effect is not None:
                parts.append(_cell(_NAMES + place * _CELL, row * _ROW, window.name, found[name]))
    width, height = max(_NAMES + len(windows) * _CELL, 600), len(columns) * _ROW + 2
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="columns by window" {_FONT}>'
        + "".join(parts)
        + "</svg>"
    )


def _cell(x: int, y: int, window: str, column: ColumnReport) -> str:
    shade = min((column.effect or 0) / 0.3, 1.0)
    said = escape(f"{window}: {column.verdict.value}, {column.reason}")
    sign = f'<text x="{x + 2}" y="{y + 12}" font-size="9">▲</text>' if column.verdict.is_alarm else ""
    return (
        f'<g><title>{said}</title><rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_ROW - 1}" fill="{_GUESS}" '
        f'fill-opacity="{max(shade, 0.06):.2f}"/>{sign}</g>'
    )
