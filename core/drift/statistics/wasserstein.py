"""Wasserstein-1 (earth mover's) distance in units of the reference's spread."""

from __future__ import annotations

import math

import numpy as np

from core.drift.statistics.ks import Ranks, ranks
from core.drift.thresholds import Threshold

NAME = "wasserstein_normed"
THRESHOLD = Threshold("wasserstein_normed", 0.1, highest=1e6)
SOURCE = "Vallender 1974; equals scipy.stats.wasserstein_distance / np.std(reference) on finite values"

_OUTLIER_RATIO = 10.0
"""A standard deviation over ten times the quartile-based one is made by outliers, not by spread."""


def distance(found: Ranks) -> float:
    """The mean distance that rows must move to turn one finite sample into the other; NaN when one is empty.

    Each value of the shorter array owns an equal stretch of the longer one. Inside it, values below and above
    are told apart by rank and added up from running sums: linear time, no merging.
    """
    longer, shorter = found.longer, found.shorter
    n, m = len(longer), len(shorter)
    if m == 0:
        return math.nan
    centre = longer[n // 2]
    centred = longer - centre
    totals = np.concatenate([[0.0], np.cumsum(centred)])
    whole, part = np.divmod(np.arange(m + 1, dtype=np.int64) * n, m)
    edges = whole + part / m
    at_edges = totals[whole] + part / m * centred[np.minimum(whole, n - 1)]
    low, high, own = edges[:-1], edges[1:], shorter - centre
    turn = np.clip(found.below, low, high)
    at_turn = np.where(turn == low, at_edges[:-1], np.where(turn == high, at_edges[1:], totals[found.below]))
    moved = own * (2 * turn - low - high) + at_edges[:-1] + at_edges[1:] - 2 * at_turn
    return max(0.0, float(moved.sum()) / n)


def normed(reference: np.ndarray, current: np.ndarray, found: Ranks | None = None) -> float:
    """The distance divided by the reference's standard deviation (population), ascending finite values only.

    Where a few outliers make that standard deviation (more than ten times IQR / 1.349), both samples are
    first cut at the reference's quartiles -/+ 10 IQR and IQR / 1.349 is the unit, so that one value of 1e9
    cannot hide a shift. A reference without spread gives 0 for the same constant and infinity for another.
    ``found`` are the ranks of the two where they are known already.
    """
    if min(len(reference), len(current)) == 0:
        return math.nan
    unit = float(np.std(reference))
    first, third = reference[len(reference) // 4], reference[(3 * len(reference)) // 4]
    spread = float(third - first)
    if spread > 0 and unit > _OUTLIER_RATIO * spread / 1.349:
        unit = spread / 1.349
        fence = (first - 10 * spread, third + 10 * spread)
        found = ranks(np.clip(reference, *fence), np.clip(current, *fence))
    moved = distance(found or ranks(reference, current))
    if unit > 0:
        return moved / unit
    return 0.0 if moved == 0 else math.inf
