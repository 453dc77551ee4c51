"""Two-sample Kolmogorov-Smirnov: the largest gap between two cumulative distributions."""

from __future__ import annotations

import math
import warnings

import numpy as np

from core.drift.thresholds import Threshold
from core.drift.types import TestResult

NAME = "ks"
THRESHOLD = Threshold("ks_effect", 0.05)
SOURCE = "Smirnov 1948; p-value as scipy.stats.ks_2samp (exact up to 10,000 rows, else asymptotic)"

EXACT_UP_TO = 10_000
"""SciPy's own limit: above this many rows its p-value is the asymptotic one."""
NEGLIGIBLE = 1e-15
"""A p-value that is certainly smaller than this is not computed exactly."""
_KSTWO_UP_TO = 30_000
"""Effective size above which kstwo.sf costs 30 to 1,200 ms a column; see :func:`pvalue`."""


_STEP = 64
"""Every so many values are looked at first; see :func:`distance`."""


def distance(reference: np.ndarray, current: np.ndarray) -> float:
    """The exact D of two ascending arrays without NaN (infinities at the ends); NaN when either is empty.

    The gap is compared in integers (i*m - j*n) and divided once, so D carries one rounding only. It can only be
    widest at, or just before, a value of the shorter array. Of those every 64th is looked at first; the ones
    between two of them only where their gap, which cannot exceed a bound from both, may be wider than what was seen.
    """
    longer, shorter = (reference, current) if len(reference) >= len(current) else (current, reference)
    n, m = len(longer), len(shorter)
    if m == 0:
        return math.nan
    pivots = np.append(np.arange(0, m - 1, _STEP, dtype=np.int64), m - 1)
    below, upto = _ranks(longer, shorter[pivots])
    widest = _widest(pivots, below, upto, n, m)
    first, last = pivots[:-1], pivots[1:]
    bound = np.maximum(last * n - upto[:-1] * m, below[1:] * m - (first + 1) * n)
    open_ends = np.flatnonzero((bound > widest) & (last - first > 1))
    if len(open_ends):
        between = first[open_ends, None] + np.arange(1, _STEP)
        places = between[between < last[open_ends, None]]
        widest = max(widest, _widest(places, *_ranks(longer, shorter[places]), n, m))
    return max(widest, 0) / (n * m)


def _ranks(longer: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of ``longer`` are smaller than each of the ascending ``values``, and how many are not larger."""
    below = np.searchsorted(longer, values, side="left")
    upto = below.copy()
    inside = np.flatnonzero(below < len(longer))
    tied = inside[longer[below[inside]] == values[inside]]
    upto[tied] = np.searchsorted(longer, values[tied], side="right")
    return below, upto


def _widest(places: np.ndarray, below: np.ndarray, upto: np.ndarray, n: int, m: int) -> int:
    """The widest gap, in units of 1/(n*m), at or just before the values at ``places`` of the shorter array."""
    steps = places * n
    return max(int((steps + n - upto * m).max()), int((below * m - steps).max()))


def pvalue(n: int, m: int, d: float) -> tuple[float, str]:
    """SciPy's two-sided p-value of ``d`` for n and m values, and how it was found: 'exact' or 'asymptotic'.

    Above an effective size of 30,000 the Kolmogorov limit with its first correction term replaces SciPy's
    kstwo.sf, which costs up to a second a column there; they differ by less than 4e-6.
    """
    if min(n, m) == 0:
        return math.nan, "no rows"
    effective = n * m / (n + m)
    # Massart's bound: where it is under 1e-15 the exact value costs 30 ms a column and tells nobody more.
    if max(n, m) <= EXACT_UP_TO and 2 * math.exp(-2 * effective * d * d) > NEGLIGIBLE:
        from scipy.stats import ks_2samp

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", RuntimeWarning)
            p = float(ks_2samp(*_two_values(n, m, d), method="exact").pvalue)
        return p, "asymptotic" if said else "exact"  # SciPy warns when it had to fall back
    if effective <= _KSTWO_UP_TO:
        from scipy.stats import distributions

        return float(np.clip(distributions.kstwo.sf(d, np.round(effective)), 0, 1)), "asymptotic"
    from scipy.special import kolmogorov

    root = math.sqrt(effective)
    return float(kolmogorov(root * d + 1 / (6 * root))) if d > 0 else 1.0, "asymptotic"


def _two_values(n: int, m: int, d: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples of n and m zeros and ones whose distance is ``d``, for SciPy wants samples; it looks at no more of them.

    The widest gap lies between i of n and j of m values for some i and j, which are looked for.
    """
    gap = round(d * n * m)
    left = np.arange(n + 1, dtype=np.int64) * m - gap
    i = int(np.flatnonzero((left % n == 0) & (left >= 0))[0])
    j = int(left[i]) // n
    return np.arange(n) >= i, np.arange(m) >= j


def test(reference: np.ndarray, current: np.ndarray) -> TestResult:
    """D and its p-value of two ascending arrays without NaN."""
    d = distance(reference, current)
    return TestResult(d, *pvalue(len(reference), len(current), d))


def ks(reference: np.ndarray, current: np.ndarray) -> TestResult:
    """D and p-value of two unsorted samples; NaN is dropped, infinities are kept."""
    return test(_sorted(reference), _sorted(current))


def detectable(n: int, m: int, alpha: float) -> float:
    """The smallest D that would be significant at ``alpha`` with these row counts (asymptotic)."""
    if min(n, m) == 0:
        return 1.0
    return min(1.0, math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt((n + m) / (n * m)))


def _sorted(sample: np.ndarray) -> np.ndarray:
    values = np.sort(np.asarray(sample, dtype=np.float64))
    return values[: np.searchsorted(values, np.nan)]
