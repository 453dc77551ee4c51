"""Population stability index over shares of bins or levels."""

from __future__ import annotations

import math

import numpy as np

from core.drift.thresholds import Threshold

NAME = "psi"
THRESHOLD = Threshold("psi", 0.1, highest=100.0)
SOURCE = "Siddiqi 2006; noise floor after Yurdakul 2018: (1/n + 1/m) times the chi-square 95 % quantile"

EMPTY_SHARE = 1e-4
"""A share of zero counts as this (Evidently's rule), so that one empty bin does not make PSI infinite."""


def contributions(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    """What each bin adds to the PSI, from counts per bin; zero shares count as ``EMPTY_SHARE``."""
    p = np.maximum(reference / reference.sum(), EMPTY_SHARE)
    q = np.maximum(current / current.sum(), EMPTY_SHARE)
    return (q - p) * np.log(q / p)


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    """The index from counts per bin (bins that are empty in both are left out); NaN without rows."""
    if reference.sum() == 0 or current.sum() == 0:
        return math.nan
    used = (reference + current) > 0
    return float(contributions(reference[used], current[used]).sum())


def noise_floor(bins: int, n: int, m: int) -> float:
    """The PSI that 95 % of undrifted samples stay under, with ``bins`` bins and n and m rows."""
    if bins < 2 or min(n, m) == 0:
        return 0.0
    from scipy.special import chdtri

    return float(chdtri(bins - 1, 0.05) * (1 / n + 1 / m))
