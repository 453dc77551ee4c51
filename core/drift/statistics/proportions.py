"""Shares: the two-proportion test and Wilson's interval."""

from __future__ import annotations

import math

import numpy as np

SOURCE = "Wilson 1927; two-proportion z-test with pooled variance (Fleiss 1981); Fisher 1935 for new levels"


def two_proportions(count1: int, rows1: int, count2: int, rows2: int) -> float:
    """Two-sided p-value that two shares are the same; 1 where they cannot differ or rows are absent."""
    if min(rows1, rows2) == 0:
        return 1.0
    pooled = (count1 + count2) / (rows1 + rows2)
    variance = pooled * (1 - pooled) * (1 / rows1 + 1 / rows2)
    if variance <= 0:
        return 1.0
    z = (count1 / rows1 - count2 / rows2) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def all_in_one(count: int, other_rows: int, own_rows: int) -> float:
    """The chance that ``count`` rows, drawn blindly from both sides together, all come from the own side."""
    whole = other_rows + own_rows
    return math.exp(
        math.lgamma(own_rows + 1) - math.lgamma(own_rows - count + 1)
        - math.lgamma(whole + 1) + math.lgamma(whole - count + 1)
    )  # fmt: skip


def so_many_new(reference: np.ndarray, current: np.ndarray) -> float:
    """The chance that so many levels, drawn blindly from both sides' rows, fall into ``current`` alone.

    Counts of both sides by level. A level of c rows does so with :func:`all_in_one`; the number of those that do is
    at most as spread as a Poisson number (Hoeffding 1956). This is what a chi-square test, which pools rare levels,
    does not see: thousands of codes that were replaced by others.
    """
    from scipy.special import gammainc, gammaln

    rows, other = float(current.sum()), float(reference.sum())
    found = int(((reference == 0) & (current > 0)).sum())
    if found == 0 or other == 0:
        return 1.0
    total = (reference + current)[reference + current <= rows].astype(float)
    whole = rows + other
    chances = np.exp(
        gammaln(rows + 1) - gammaln(rows - total + 1) - gammaln(whole + 1) + gammaln(whole - total + 1)
    )
    return float(gammainc(found, chances.sum()))


def wilson(count: int, rows: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The interval of a share (95 % by default); (0, 1) without rows."""
    if rows == 0:
        return 0.0, 1.0
    share, square = count / rows, z * z
    centre = (share + square / (2 * rows)) / (1 + square / rows)
    half = z * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows)) / (1 + square / rows)
    return max(0.0, centre - half), min(1.0, centre + half)
