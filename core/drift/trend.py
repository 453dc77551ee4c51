"""Drift over time: one cell per column and window, and since when a column has been away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.drift.types import DriftReport, Verdict


@dataclass(frozen=True, slots=True)
class TrendWindow:
    """One window's report; ``name`` is its first day."""

    name: str
    rows: int
    report: DriftReport


def since(windows: Sequence[TrendWindow], column: str) -> str | None:
    """The window in which the column's present drift began; None when it is not drifting now.

    Windows that could not be judged (too few rows) neither begin nor end a drift.
    """
    began = None
    for window in reversed(windows):
        found = next((c for c in window.report.columns if c.name == column), None)
        if found is None or found.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_TESTED):
            continue
        if not found.verdict.is_alarm:
            break
        began = window.name
    return began
