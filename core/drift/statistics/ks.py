"""Two-sample Kolmogorov-Smirnov: the largest gap between two cumulative distributions."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from core.drift.thresholds import Threshold
from core.drift.types import TestResult

NAME = "ks"
THRESHOLD = Threshold("ks_effect", 0.05)
SOURCE = "Smirnov 1948; p-value as scipy.stats.ks_2samp (exact up to 10,000 rows, else asymptotic)"

EXACT_UP_TO = 10_000
"""SciPy's own limit: above this many rows its p-value is the asymptotic one."""
_KSTWO_UP_TO = 30_000
"""Effective size above which kstwo.sf costs 30 to 1,200 ms a column; see :func:`pvalue`."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where each value of the shorter array stands in the longer: how many are smaller, how many not larger."""

    longer: np.ndarray
    shorter: np.ndarray
    below: np.ndarray
    upto: np.ndarray


def ranks(reference: np.ndarray, current: np.ndarray) -> Ranks:
    """The ranks of two ascending arrays without NaN: what KS and Wasserstein are both computed from."""
    longer, shorter = (reference, current) if len(reference) >= len(current) else (current, reference)
    below = np.searchsorted(longer, shorter, side="left")
    upto = below.copy()
    inside = np.flatnonzero(below < len(longer))
    tied = inside[longer[below[inside]] == shorter[inside]]
    upto[tied] = np.searchsorted(longer, shorter[tied], side="right")
    return Ranks(longer, shorter, below, upto)


def distance(found: Ranks) -> float:
    """The exact D (infinities sort to the ends); NaN when either sample is empty.

    The gap is compared in integers (i*m - j*n) and divided once, so D carries one rounding only. It can
    only be widest at, or just before, a value of the shorter array.
    """
    n, m = len(found.longer), len(found.shorter)
    if m == 0:
        return math.nan
    steps = np.arange(m, dtype=np.int64) * n
    above, under = (steps + n - found.upto * m).max(), (found.below * m - steps).max()
    return max(int(above), int(under), 0) / (n * m)


def pvalue(reference: np.ndarray, current: np.ndarray, d: float) -> tuple[float, str]:
    """SciPy's two-sided p-value of ``d`` and how it was found: 'exact' or 'asymptotic'.

    Above an effective size of 30,000 the Kolmogorov limit with its first correction term replaces SciPy's
    kstwo.sf, which costs up to a second a column there; they differ by less than 4e-6.
    """
    n, m = len(reference), len(current)
    if min(n, m) == 0:
        return math.nan, "no rows"
    if max(n, m) <= EXACT_UP_TO:
        from scipy.stats import ks_2samp

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", RuntimeWarning)
            p = float(ks_2samp(reference, current, method="exact").pvalue)
        return p, "asymptotic" if said else "exact"  # SciPy warns when it had to fall back
    effective = n * m / (n + m)
    if effective <= _KSTWO_UP_TO:
        from scipy.stats import distributions

        return float(np.clip(distributions.kstwo.sf(d, np.round(effective)), 0, 1)), "asymptotic"
    from scipy.special import kolmogorov

    root = math.sqrt(effective)
    return float(kolmogorov(root * d + 1 / (6 * root))) if d > 0 else 1.0, "asymptotic"


def test(found: Ranks) -> TestResult:
    """D and its p-value from the ranks of two samples."""
    d = distance(found)
    p, method = pvalue(found.longer, found.shorter, d)
    return TestResult(d, p, method)


def ks(reference: np.ndarray, current: np.ndarray) -> TestResult:
    """D and p-value of two unsorted samples; NaN is dropped, infinities are kept."""
    return test(ranks(_sorted(reference), _sorted(current)))


def detectable(n: int, m: int, alpha: float) -> float:
    """The smallest D that would be significant at ``alpha`` with these row counts (asymptotic)."""
    if min(n, m) == 0:
        return 1.0
    return min(1.0, math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt((n + m) / (n * m)))


def _sorted(sample: np.ndarray) -> np.ndarray:
    values = np.sort(np.asarray(sample, dtype=np.float64))
    return values[: np.searchsorted(values, np.nan)]
