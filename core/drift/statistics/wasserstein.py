"""Wasserstein-1 (earth mover's) distance in units of the reference's spread."""

from __future__ import annotations

import math

import numpy as np

from core.drift.thresholds import Threshold

NAME = "wasserstein_normed"
THRESHOLD = Threshold("wasserstein_normed", 0.1, highest=1e6)
SOURCE = "Vallender 1974; equals scipy.stats.wasserstein_distance / np.std(reference) on finite values"

_OUTLIER_RATIO = 10.0
"""A standard deviation over ten times the quartile-based one is made by outliers, not by spread."""


def distance(reference: np.ndarray, current: np.ndarray) -> float:
    """The area between the two cumulative curves of ascending finite arrays; NaN when one is empty."""
    if min(len(reference), len(current)) == 0:
        return math.nan
    merged = np.concatenate([reference, current])
    # 'stable' merges two sorted runs in linear time (NumPy's timsort for doubles).
    merged.sort(kind="stable")
    gaps = np.diff(merged)
    p = np.searchsorted(reference, merged[:-1], side="right") / len(reference)
    q = np.searchsorted(current, merged[:-1], side="right") / len(current)
    return float((np.abs(p - q) * gaps).sum())


def normed(reference: np.ndarray, current: np.ndarray) -> float:
    """The distance divided by the reference's standard deviation (population), finite values only.

    Where a few outliers make that standard deviation (more than ten times IQR / 1.349), both samples are
    first cut at the reference's quartiles -/+ 10 IQR and IQR / 1.349 is the unit, so that one value of 1e9
    cannot hide a shift. A reference without spread gives 0 for the same constant and infinity for another.
    """
    if min(len(reference), len(current)) == 0:
        return math.nan
    unit = float(np.std(reference))
    first, third = reference[len(reference) // 4], reference[(3 * len(reference)) // 4]
    spread = float(third - first)
    if spread > 0 and unit > _OUTLIER_RATIO * spread / 1.349:
        unit = spread / 1.349
        fence = (first - 10 * spread, third + 10 * spread)
        reference, current = np.clip(reference, *fence), np.clip(current, *fence)
    moved = distance(reference, current)
    if unit > 0:
        return moved / unit
    return 0.0 if moved == 0 else math.inf
