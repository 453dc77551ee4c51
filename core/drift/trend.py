"""Drift over time: one cell per column and window, and since when a column has been away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.drift.cache import ProfileCache
from core.drift.check import check
from core.drift.policy import Policy
from core.drift.sources import Slice, Source
from core.drift.types import DriftReport, Verdict
from core.drift.windows import Window


@dataclass(frozen=True, slots=True)
class TrendWindow:
    """One window's report; ``name`` is its first day."""

    name: str
    rows: int
    report: DriftReport


def trend(
    reference: Source,
    log: Source,
    windows: Sequence[Window],
    policy: Policy,
    cache: ProfileCache | None = None,
) -> tuple[TrendWindow, ...]:
    """Every window of ``log`` against ``reference``, oldest first."""
    return tuple(
        TrendWindow(
            window.name,
            len(window.indices),
            check(reference, Slice(log, window.indices), policy, cache=cache),
        )
        for window in windows
    )


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
