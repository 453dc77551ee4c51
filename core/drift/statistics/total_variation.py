"""Total variation and L-infinity distance between shares of levels."""

from __future__ import annotations

import math

import numpy as np

from core.drift.thresholds import Threshold

NAME = "total_variation"
THRESHOLD = Threshold("tvd_effect", 0.05)
SOURCE = "Levin, Peres and Wilmer 2009, section 4.1; L-infinity as in TensorFlow Data Validation"


def total_variation(reference: np.ndarray, current: np.ndarray) -> float:
    """Half the sum of absolute differences of shares: how far any set of levels can differ (0 to 1)."""
    if reference.sum() == 0 or current.sum() == 0:
        return math.nan
    return float(np.abs(reference / reference.sum() - current / current.sum()).sum() / 2)


def l_infinity(reference: np.ndarray, current: np.ndarray) -> float:
    """The largest difference of one level's share (0 to 1)."""
    if reference.sum() == 0 or current.sum() == 0:
        return math.nan
    return float(np.abs(reference / reference.sum() - current / current.sum()).max())
