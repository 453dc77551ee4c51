"""Two settings compared over repeated runs: Welch's interval, with a permutation test beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import stdtr, stdtrit

from core.compare.types import Estimate

_EXACT_LIMIT = 20_000
_SAMPLED = 9_999


def welch(first: Sequence[float], second: Sequence[float], *, level: float) -> Estimate | None:
    """Mean of ``second`` minus mean of ``first`` with Welch's t interval; None without any spread.

    Both groups need two values or more.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    errors = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    variance = sum(errors)
    # Runs that ignore their seed repeat a value exactly: the spread is rounding, not evidence.
    if variance <= (1e-12 * max(1.0, abs(a.mean()), abs(b.mean()))) ** 2:
        return None
    freedom = variance**2 / (errors[0] ** 2 / (len(a) - 1) + errors[1] ** 2 / (len(b) - 1))
    difference = float(b.mean() - a.mean())
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance)
    return Estimate(
        difference=difference,
        low=difference - half,
        high=difference + half,
        p_value=float(2 * stdtr(freedom, -abs(difference) / math.sqrt(variance))),
        n=len(a) + len(b),
        method="Welch t interval over seeds",
    )


def permutation_note(first: Sequence[float], second: Sequence[float], seed: int = 0) -> str:
    """The permutation test in words, beside Welch's: free of normality, but never small with few runs."""
    p_value = permutation_p(np.asarray(first, dtype=float), np.asarray(second, dtype=float), seed)
    return f"permutation test over {len(first)} and {len(second)} runs: p = {p_value:.2g}"


def permutation_p(first: np.ndarray, second: np.ndarray, seed: int) -> float:
    """Two-sided p of the difference of means over relabellings: all of them if few, else a seeded sample."""
    pooled = np.concatenate([first, second])
    size, total = len(first), len(pooled)
    if math.comb(total, size) <= _EXACT_LIMIT:
        chosen = _splits(total, size)
        extra = 0
    else:
        rng = np.random.default_rng(seed)
        chosen = rng.permuted(np.tile(np.arange(total), (_SAMPLED, 1)), axis=1)[:, :size]
        extra = 1  # the labelling that was observed belongs to the sample
    sums = pooled[chosen].sum(axis=1)
    differences = np.abs((pooled.sum() - sums) / (total - size) - sums / size)
    observed = abs(second.mean() - first.mean())
    as_large = np.count_nonzero(differences >= observed * (1 - 1e-12))
    return float((as_large + extra) / (len(chosen) + extra))


@lru_cache(maxsize=64)
def _splits(total: int, size: int) -> np.ndarray:
    return np.array(list(combinations(range(total), size)))
