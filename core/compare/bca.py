"""Bias-corrected and accelerated bootstrap interval, and the p-value that inverts it.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 14.3.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri


def acceleration(jackknife: np.ndarray, weights: np.ndarray) -> float:
    """The acceleration from leave-one-out values, each standing for ``weights`` rows."""
    centred = np.average(jackknife, weights=weights) - jackknife
    squares = float(np.sum(weights * centred**2))
    if squares <= 0:
        return 0.0
    return float(np.sum(weights * centred**3)) / (6.0 * squares**1.5)


def interval(estimate: float, replicates: np.ndarray, accel: float, level: float) -> tuple[float, float]:
    """The BCa interval of ``level`` (0.95, say) from bootstrap ``replicates`` of ``estimate``."""
    if np.ptp(replicates) == 0:
        return float(replicates[0]), float(replicates[0])
    bias = _bias(estimate, replicates)
    tails = ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    shifted = bias + tails
    stretch = 1 - accel * shifted
    levels = np.where(stretch > 0, ndtr(bias + shifted / np.where(stretch > 0, stretch, 1)), shifted > 0)
    low, high = np.quantile(replicates, levels)
    return float(low), float(high)


def p_value(estimate: float, replicates: np.ndarray, accel: float) -> float:
    """Two-sided p of "no difference": one minus the largest level whose BCa interval leaves out zero."""
    if np.ptp(replicates) == 0:
        return 1.0 if estimate == 0 else 1 / (len(replicates) + 1)
    bias = _bias(estimate, replicates)
    position = ndtri(_share(replicates, 0.0)) - bias
    stretch = 1 + accel * position
    # Beyond the pole of the correction no level of confidence reaches zero.
    below = float(ndtr(position / stretch - bias)) if stretch > 0 else 0.0
    return min(1.0, max(2 * min(below, 1 - below), 1 / (len(replicates) + 1)))


def _bias(estimate: float, replicates: np.ndarray) -> float:
    return float(ndtri(_share(replicates, estimate)))


def _share(replicates: np.ndarray, value: float) -> float:
    """Share of replicates below ``value``, ties by half, kept off 0 and 1 (where the normal is infinite)."""
    count = len(replicates)
    below = np.count_nonzero(replicates < value) + np.count_nonzero(replicates == value) / 2
    return math.nan if not count else min(max(below / count, 1 / (count + 1)), count / (count + 1))
