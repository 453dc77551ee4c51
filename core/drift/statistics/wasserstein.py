"""Wasserstein-1 (earth mover's) distance in units of the reference's spread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.drift.thresholds import Threshold

NAME = "wasserstein_normed"
THRESHOLD = Threshold("wasserstein_normed", 0.1, highest=1e6)
SOURCE = "Vallender 1974; equals scipy.stats.wasserstein_distance / np.std(reference) on finite values"

_OUTLIER_RATIO = 10.0
_HUGE = 1e150
"""A standard deviation over ten times the quartile-based one is made by outliers, not by spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of ascending finite values: one in the middle, the running sums of the distances from it, and the spread."""

    centre: float
    totals: np.ndarray
    deviation: float


def sums(values: np.ndarray) -> Sums:
    """The running sums of ascending values; what a cached reference need not work out again."""
    if not len(values):
        return Sums(0.0, np.zeros(1), 0.0)
    centre = float(values[len(values) // 2])
    totals = np.empty(len(values) + 1)
    totals[0] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # of huge values, whose sums `normed` does not use
        np.subtract(values, centre, out=totals[1:])
        deviation = float(np.std(totals[1:]))
        np.cumsum(totals[1:], out=totals[1:])
    return Sums(centre, totals, deviation)


def distance(reference: np.ndarray, current: np.ndarray, known: Sums | None = None) -> float:
    """The mean distance that rows must move to turn one ascending finite sample into the other; NaN when one is empty.

    Each value of the shorter array owns an equal stretch of the longer one. A stretch that lies on one side of its
    value adds up from the running sums (``known``, those of the longer); the few that hold it are cut where it stands.
    """
    longer, shorter = (reference, current) if len(reference) >= len(current) else (current, reference)
    n, m = len(longer), len(shorter)
    if m == 0:
        return math.nan
    known = known or sums(longer)
    cuts = _stretches(n, m)
    first, last = longer[cuts.first], longer[cuts.last]
    at_edges = known.totals[cuts.whole]
    if cuts.part.any():
        at_edges += cuts.part * (first - known.centre)
    own = shorter - known.centre
    moved = np.abs(own * (n / m) - np.diff(at_edges))
    inside = np.flatnonzero((shorter > first[:-1]) & (shorter < last))
    low, high = cuts.edges[inside], cuts.edges[inside + 1]
    turn = np.searchsorted(longer, shorter[inside])  # a whole place, at which the stretch is cut in two
    at_turn = known.totals[np.clip(turn, np.ceil(low).astype(np.int64), np.floor(high).astype(np.int64))]
    turn = np.clip(turn, np.ceil(low), np.floor(high))
    moved[inside] = (
        own[inside] * (2 * turn - low - high) + at_edges[inside] + at_edges[inside + 1] - 2 * at_turn
    )
    return max(0.0, float(moved.sum()) / n)


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Where m equal stretches of n places begin and end: ``edges`` = ``whole`` + ``part``.

    ``first`` and ``last`` are the places of the first and the last value of a stretch.
    """

    whole: np.ndarray
    part: np.ndarray
    edges: np.ndarray
    first: np.ndarray
    last: np.ndarray


@lru_cache(maxsize=1)
def _stretches(n: int, m: int) -> _Stretches:
    """The stretches are the same for every column without missing values, so they are worked out once."""
    whole, part = np.divmod(np.arange(m + 1, dtype=np.int64) * n, m)
    last = np.maximum(whole[1:] + (part[1:] > 0) - 1, whole[:-1])
    return _Stretches(whole, part / m, whole + part / m, np.minimum(whole, n - 1), last)


def normed(reference: np.ndarray, current: np.ndarray, known: Sums | None = None) -> float:
    """The distance divided by the reference's standard deviation (population), ascending finite values only.

    Where a few outliers make that standard deviation (more than ten times IQR / 1.349), both samples are
    first cut at the reference's quartiles -/+ 10 IQR and IQR / 1.349 is the unit, so that one value of 1e9
    cannot hide a shift. A reference without spread gives 0 for the same constant and infinity for another.
    ``known`` are the reference's sums, where they are known already.
    """
    if min(len(reference), len(current)) == 0:
        return math.nan
    largest = max(map(abs, (reference[0], reference[-1], current[0], current[-1])))
    if largest > _HUGE:  # squares would overflow, and the ratio is the same at any scale
        return normed(reference / largest, current / largest)
    known = known or sums(reference)
    unit = known.deviation
    first, third = reference[len(reference) // 4], reference[(3 * len(reference)) // 4]
    spread = float(third - first)
    if spread > 0 and unit > _OUTLIER_RATIO * spread / 1.349:
        unit = spread / 1.349
        fence = (first - 10 * spread, third + 10 * spread)
        moved = distance(np.clip(reference, *fence), np.clip(current, *fence))
    else:
        moved = distance(reference, current, known if len(reference) >= len(current) else None)
    if unit > 0:
        return moved / unit
    return 0.0 if moved == 0 else math.inf
