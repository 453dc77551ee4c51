"""Colours, status marks, number and time formats: one place, so that every page says the same thing alike.

Series colours follow Okabe and Ito's colour-blind-safe set (2008), lightened for dark mode. A status is never
told by colour alone: it has an icon, a shape, a colour and a word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one mode, as hex strings, for charts that Streamlit's theme does not reach."""

    mode: str
    text: str
    muted: str
    grid: str
    background: str
    surface: str
    accent: str
    good: str
    warn: str
    bad: str
    unknown: str
    series: tuple[str, ...]


LIGHT = Palette(
    mode="light",
    text="#10131b",
    muted="#5c6475",
    grid="#e3e6ee",
    background="#ffffff",
    surface="#f4f5f9",
    accent="#4654d8",
    good="#0072b2",
    warn="#b87700",
    bad="#c44e00",
    unknown="#7a8194",
    series=("#0072b2", "#d55e00", "#009e73", "#a8528a", "#b87700", "#3d9bd0", "#5b4fc4", "#6b7280"),
)
DARK = Palette(
    mode="dark",
    text="#e8eaf1",
    muted="#9aa3b8",
    grid="#2a3040",
    background="#11141b",
    surface="#1a1e28",
    accent="#98a2ff",
    good="#56b4e9",
    warn="#e69f00",
    bad="#ff8547",
    unknown="#8b93a7",
    series=("#56b4e9", "#ff8547", "#2fc99a", "#dd92bd", "#e6b13c", "#8ec9f0", "#a49bf5", "#9aa3b8"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How one status looks: ``icon`` for badges, ``shape`` for plain-text cells, ``color`` by Streamlit name."""

    word: str
    icon: str
    shape: str
    color: str

    @property
    def text(self) -> str:
        """Shape and word, for table cells and chart labels."""
        return f"{self.shape} {self.word}"


_GOOD, _WARN, _BAD, _NONE = "blue", "orange", "red", "gray"
_MARKS = (
    Mark("PASS", ":material/check_circle:", "●", _GOOD),
    Mark("OK", ":material/check_circle:", "●", _GOOD),
    Mark("IN SYNC", ":material/check_circle:", "●", _GOOD),
    Mark("HEALTHY", ":material/check_circle:", "●", _GOOD),
    Mark("LIVE", ":material/check_circle:", "●", _GOOD),
    Mark("APPROVED", ":material/verified:", "●", _GOOD),
    Mark("BETTER", ":material/trending_up:", "▲", _GOOD),
    Mark("WORSE", ":material/trending_down:", "▼", _BAD),
    Mark("NOT DISTINGUISHABLE", ":material/drag_handle:", "=", _NONE),
    Mark("NOT COMPARABLE", ":material/block:", "⊘", _WARN),
    Mark("FAIL", ":material/dangerous:", "■", _BAD),
    Mark("DRIFT", ":material/change_history:", "▲", _WARN),
    Mark("DEGRADED", ":material/dangerous:", "■", _BAD),
    Mark("DOWN", ":material/dangerous:", "■", _BAD),
    Mark("FAILED OVER", ":material/swap_horiz:", "▲", _WARN),
    Mark("STARTING", ":material/progress_activity:", "◔", _WARN),
    Mark("UNHEALTHY", ":material/dangerous:", "■", _BAD),
    Mark("OUT OF SYNC", ":material/sync_problem:", "■", _BAD),
    Mark("FROZEN", ":material/ac_unit:", "◆", _WARN),
    Mark("INCONCLUSIVE", ":material/help:", "◆", _WARN),
    Mark("STALE", ":material/history:", "◇", _WARN),
    Mark("EXPIRED", ":material/timer_off:", "◇", _WARN),
    Mark("PAUSED", ":material/pause_circle:", "◔", _WARN),
    Mark("NO VERDICT", ":material/help:", "◆", _WARN),
    Mark("PENDING", ":material/pending:", "◔", _WARN),
    Mark("OPEN", ":material/pending:", "◔", _WARN),
    Mark("OVERDUE", ":material/alarm:", "■", _BAD),
    Mark("CHANGES WANTED", ":material/edit_note:", "◆", _WARN),
    Mark("DONE", ":material/task_alt:", "●", _NONE),
    Mark("ARCHIVED", ":material/archive:", "○", _NONE),
    Mark("WITHDRAWN", ":material/undo:", "○", _NONE),
    Mark("REJECTED", ":material/cancel:", "■", _BAD),
    Mark("UP TO DATE", ":material/check_circle:", "●", _GOOD),
    Mark("CHANGED", ":material/change_history:", "▲", _WARN),
    Mark("READY", ":material/check_circle:", "●", _GOOD),
    Mark("FINISHED", ":material/check_circle:", "●", _GOOD),
    Mark("RUNNING", ":material/progress_activity:", "◔", _WARN),
    Mark("SCHEDULED", ":material/schedule:", "◔", _NONE),
    Mark("FAILED", ":material/dangerous:", "■", _BAD),
    Mark("KILLED", ":material/cancel:", "■", _BAD),
    Mark("RECORDED", ":material/check_circle:", "●", _GOOD),
    Mark("NOTICED", ":material/visibility:", "◔", _WARN),
    Mark("NOT RECORDED", ":material/visibility_off:", "○", _NONE),
    Mark("NOT MONITORED", ":material/visibility_off:", "○", _NONE),
    Mark("SENT", ":material/check_circle:", "●", _GOOD),
    Mark("WAITING", ":material/schedule:", "◔", _WARN),
    Mark("GIVEN UP", ":material/dangerous:", "■", _BAD),
    Mark("TOLD BEFORE", ":material/content_copy:", "○", _NONE),
    Mark("NOT TESTED", ":material/remove_circle_outline:", "○", _NONE),
)
_BY_WORD = {mark.word: mark for mark in _MARKS}


def mark(word: str) -> Mark:
    """The mark of a status word (any case); an unknown word gets a neutral ring, never another's mark."""
    upper = word.upper()
    return _BY_WORD.get(upper, Mark(upper, ":material/radio_button_unchecked:", "○", _NONE))


MISSING = "–"
NBSP = "\u00a0"  # holds together what a narrow column would break


def number(value: float | None, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits; NaN and infinities in words people know."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


def metric(value: float | None) -> str:
    """A metric with four decimals, so that a column of them can be read downwards; by its digits when it is huge
    or tiny."""
    if value is None or not (value == 0 or 0.001 <= abs(value) < 1000):
        return number(value)
    return f"{value:.4f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign always shown."""
    return MISSING if value is None else ("+" if value > 0 else "") + number(value, digits)


def duration(seconds: float | None) -> str:
    """Seconds as the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``34 days``."""
    if seconds is None:
        return MISSING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def moment(at: datetime | None) -> str:
    """An instant as UTC, to the minute, with its zone said."""
    return MISSING if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago(at: datetime | None, now: datetime) -> str:
    """How long before ``now``: ``4 s ago``, ``3 days ago``."""
    if at is None:
        return MISSING
    age = max(now - at, timedelta())
    return f"{duration(float(round(age.total_seconds())))} ago" if age >= timedelta(seconds=1) else "just now"


def short_hash(value: str | None, length: int = 7) -> str:
    """The first characters of a hash, as people quote it."""
    return value[:length] if value else MISSING
