"""Two settings compared over repeated runs: Welch's interval, with a permutation test beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.stats import t

from core.compare.types import Estimate

_EXACT_LIMIT = 20_000
_SAMPLED = 9_999


def welch(first: Sequence[float], second: Sequence[float], *, level: float, seed: int) -> Estimate | None:
    """Mean of ``second`` minus mean of ``first`` with Welch's t interval; None without any spread.

    Both groups need two values or more. The p-value is Welch's; the permutation test, which does not need
    normal values but cannot be small with few runs, is told in the note.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    errors = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    variance = sum(errors)
    # Runs that ignore their seed repeat a value exactly: the spread is rounding, not evidence.
    if variance <= (1e-12 * max(1.0, abs(a.mean()), abs(b.mean()))) ** 2:
        return None
    freedom = variance**2 / (errors[0] ** 2 / (len(a) - 1) + errors[1] ** 2 / (len(b) - 1))
    difference = float(b.mean() - a.mean())
    half = float(t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    permuted = permutation_p(a, b, seed)
    return Estimate(
        difference=difference,
        low=difference - half,
        high=difference + half,
        p_value=float(2 * t.sf(abs(difference) / math.sqrt(variance), freedom)),
        n=len(a) + len(b),
        method="Welch t interval over seeds",
        note=f"permutation test over {len(a)} and {len(b)} runs: p = {permuted:.3g}",
    )


def permutation_p(first: np.ndarray, second: np.ndarray, seed: int) -> float:
    """Two-sided p of the difference of means over relabellings: all of them if few, else a seeded sample."""
    pooled = np.concatenate([first, second])
    size, total = len(first), len(pooled)
    if math.comb(total, size) <= _EXACT_LIMIT:
        chosen = np.array(list(combinations(range(total), size)))
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
