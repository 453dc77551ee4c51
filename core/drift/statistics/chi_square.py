"""Chi-square test of homogeneity: do two sets of rows have the same shares of levels?"""

from __future__ import annotations

import numpy as np

from core.drift.thresholds import Direction, Threshold
from core.drift.types import TestResult

NAME = "chi2"
THRESHOLD = Threshold("alpha", 0.05, Direction.BELOW)
SOURCE = "Pearson 1900, Cochran 1954; equals scipy.stats.chi2_contingency(correction=False)"

MIN_EXPECTED = 5.0
"""Cochran's rule: levels expected in fewer rows than this are pooled before testing."""


def pool_rare(reference: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both counts with the rare levels joined, so that no expected count stays under ``MIN_EXPECTED``.

    The pool takes the rarest levels first and keeps taking until it is large enough itself.
    """
    total = reference + current
    smaller_share = min(reference.sum(), current.sum()) / max(total.sum(), 1)
    order = np.argsort(total, kind="stable")
    expected = total[order] * smaller_share
    rare = int((expected < MIN_EXPECTED).sum())
    while 0 < rare < len(order) and expected[:rare].sum() < MIN_EXPECTED:
        rare += 1
    if rare <= 1:
        return reference, current
    joined, kept = order[:rare], order[rare:]
    return np.append(reference[kept], reference[joined].sum()), np.append(
        current[kept], current[joined].sum()
    )


def chi_square(reference: np.ndarray, current: np.ndarray) -> TestResult:
    """The statistic and p-value from counts per level, without Yates' correction, rare levels pooled.

    One level left, or no rows on one side, gives statistic 0 and p 1: there is nothing to tell apart.
    """
    used = (reference + current) > 0
    reference, current = pool_rare(reference[used], current[used])
    n, m = reference.sum(), current.sum()
    if len(reference) < 2 or min(n, m) == 0:
        return TestResult(0.0, 1.0, "one level")
    total = reference + current
    expected = np.outer([n, m], total / (n + m))
    statistic = float((((np.vstack([reference, current]) - expected) ** 2) / expected).sum())
    from scipy.special import chdtrc

    return TestResult(statistic, float(chdtrc(len(total) - 1, statistic)), "chi-square, rare levels pooled")
