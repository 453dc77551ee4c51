"""Formats people read, and marks that never depend on colour alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from core.privacy import small_count
from dashboard import palette
from dashboard.palette import DARK, LIGHT, mark

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0.25, "250 ms"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (34 * 86400, "34 days"),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert palette.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.91234567, "0.9123"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (-0.5, "−0.5"),
        (None, "–"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert palette.number(value) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0"), (1, "<11"), (10, "<11"), (11, "11"), (1234, "1,234")])
def test_small_counts_are_hidden(count: int, shown: str) -> None:
    assert small_count(count) == shown


def test_ago() -> None:
    assert palette.ago(NOW - timedelta(seconds=4), NOW) == "4 s ago"
    assert palette.ago(NOW, NOW) == "just now"


def test_unknown_status_gets_no_other_status_mark() -> None:
    assert mark("whatever").shape == "○"


@pytest.mark.parametrize(
    "pair", [("PASS", "FAIL"), ("FAIL", "INCONCLUSIVE"), ("OK", "DRIFT"), ("BETTER", "WORSE")]
)
def test_opposite_states_differ_in_shape_word_and_icon(pair: tuple[str, str]) -> None:
    a, b = map(mark, pair)
    assert a.shape != b.shape and a.word != b.word and a.icon != b.icon


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Contrast ratio as WCAG 2.2 defines it."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_and_series_can_be_seen(colors: palette.Palette) -> None:
    assert contrast(colors.text, colors.background) >= 7
    assert contrast(colors.muted, colors.background) >= 4.5
    for color in (*colors.series, colors.good, colors.warn, colors.bad, colors.unknown):
        assert contrast(color, colors.background) >= 3, color
