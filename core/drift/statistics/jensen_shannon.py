"""Jensen-Shannon distance (the square root of the divergence, base 2: 0 the same, 1 disjoint)."""

from __future__ import annotations

import math

import numpy as np

from core.drift.thresholds import Threshold

NAME = "jensen_shannon"
THRESHOLD = Threshold("jensen_shannon", 0.1)
SOURCE = "Lin 1991, Endres and Schindelin 2003; equals scipy.spatial.distance.jensenshannon"


def jensen_shannon(reference: np.ndarray, current: np.ndarray, base: float = 2.0) -> float:
    """The distance between two sets of counts or shares over the same bins; NaN when one is empty."""
    if reference.sum() == 0 or current.sum() == 0:
        return math.nan
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    divergence = (_kullback_leibler(p, middle) + _kullback_leibler(q, middle)) / 2
    return math.sqrt(max(divergence, 0.0) / math.log(base))


def _kullback_leibler(p: np.ndarray, q: np.ndarray) -> float:
    held = p > 0
    return float((p[held] * np.log(p[held] / q[held])).sum())
