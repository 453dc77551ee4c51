"""Hellinger distance over shares of bins or levels (0 the same, 1 disjoint)."""

from __future__ import annotations

import math

import numpy as np

from core.drift.thresholds import Threshold

NAME = "hellinger"
THRESHOLD = Threshold("hellinger", 0.1)
SOURCE = "Hellinger 1909"


def hellinger(reference: np.ndarray, current: np.ndarray) -> float:
    """The distance between two sets of counts over the same bins; NaN when one is empty."""
    if reference.sum() == 0 or current.sum() == 0:
        return math.nan
    p, q = reference / reference.sum(), current / current.sum()
    return float(min(1.0, np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)))
