"""Small pictures as inline SVG: no library, no script, readable in dark mode and by a screen reader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

WIDTH = 720
_ROW = 26
_LEFT = 190
_RIGHT = 16
_INK = 'fill="currentColor" font-size="12" font-family="system-ui, sans-serif"'
_FAINT = 'stroke="currentColor" stroke-opacity=".35"'


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its interval; ``word`` is the verdict, which colour only repeats."""

    label: str
    difference: float
    low: float
    high: float
    word: str


_COLOURS = {"better": "#2e8b57", "worse": "#d1495b"}


def intervals(rows: Sequence[Interval]) -> str:
    """Differences as dots with their intervals around zero, one line a metric; '' without rows."""
    if not rows:
        return ""
    reach = max(max(abs(row.low), abs(row.high)) for row in rows) or 1.0
    middle, half = (_LEFT + WIDTH - _RIGHT) / 2, (WIDTH - _RIGHT - _LEFT) / 2

    def x(value: float) -> float:
        return middle + half * value / reach

    height = _ROW * len(rows) + 30
    parts = [f'<line x1="{middle}" x2="{middle}" y1="4" y2="{height - 24}" {_FAINT} stroke-dasharray="3 3"/>']
    for number, row in enumerate(rows):
        y = _ROW * number + 18
        colour = _COLOURS.get(row.word, "#8a8fa3")
        said = f"{row.label}: {row.difference:+.4g} ({row.low:+.4g} to {row.high:+.4g}), {row.word}"
        parts.append(
            f'<g><title>{escape(said)}</title><text x="0" y="{y + 4}" {_INK}>{escape(_fit(row.label))}</text>'
            f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="2"/><circle cx="{x(row.difference):.1f}" cy="{y}" r="4.5" fill="{colour}"/></g>'
        )
    low, high = f"{-reach:+.3g}", f"{reach:+.3g}"
    ends = ((low, "start", _LEFT), ("0", "middle", middle), (high, "end", WIDTH - _RIGHT))
    parts += [
        f'<text x="{place}" y="{height - 6}" text-anchor="{anchor}" {_INK}>{said}</text>'
        for said, anchor, place in ends
    ]
    return _svg(height, "Differences with 95 % intervals; the table below has the numbers", parts)


def days(counts: Mapping[date, int]) -> str:
    """Counts per day as columns; '' without days."""
    if not counts:
        return ""
    most, step = max(max(counts.values()), 1), (WIDTH - 20) / len(counts)
    parts = []
    for number, (day, count) in enumerate(counts.items()):
        left, tall = 10 + number * step, 80 * count / most
        centre = left + step / 2
        parts.append(
            f"<g><title>{day.isoformat()}: {count}</title>"
            f'<rect x="{left + step * 0.15:.1f}" y="{104 - tall:.1f}" width="{step * 0.7:.1f}" '
            f'height="{tall:.1f}" rx="3" fill="#5b6ee1"/>'
            f'<text x="{centre:.1f}" y="{98 - tall:.1f}" text-anchor="middle" {_INK}>{count}</text>'
            f'<text x="{centre:.1f}" y="122" text-anchor="middle" {_INK}>{day:%a %d}</text></g>'
        )
    parts.append(f'<line x1="10" x2="{WIDTH - 10}" y1="104.5" y2="104.5" {_FAINT}/>')
    return _svg(130, "Decisions per day", parts)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; ``tone`` is bad, good or plain."""

    at: datetime
    label: str
    tone: str = "plain"


_TONES = {"bad": "#d1495b", "good": "#2e8b57", "plain": "#8a8fa3"}


def timeline(moments: Sequence[Moment]) -> str:
    """Events on a line from the first to the last, their words below each other; '' without events."""
    if not moments:
        return ""
    first, last = moments[0].at, moments[-1].at
    length = max((last - first).total_seconds(), 1.0)
    height = 40 + 18 * len(moments)
    parts = [f'<line x1="12" x2="{WIDTH - 12}" y1="16" y2="16" {_FAINT}/>']
    for number, moment in enumerate(moments):
        x = 12 + (WIDTH - 24) * (moment.at - first).total_seconds() / length
        y, colour = 44 + 18 * number, _TONES[moment.tone]
        left = x > WIDTH * 0.55
        said = f"{moment.at:%d %b %H:%M:%S} {moment.label}"
        parts.append(
            f'<g><title>{escape(said)}</title><circle cx="{x:.1f}" cy="16" r="5" fill="{colour}"/>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="22" y2="{y - 4}" {_FAINT}/>'
            f'<text x="{x + (-6 if left else 6):.1f}" y="{y}" text-anchor="{"end" if left else "start"}" {_INK}>'
            f"{escape(_fit(said, 62))}</text></g>"
        )
    return _svg(height, "Timeline of the incident", parts)


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {math.ceil(height)}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _fit(text: str, most: int = 28) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
