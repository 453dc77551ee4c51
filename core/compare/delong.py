"""DeLong's test of two correlated areas under the ROC curve.

DeLong, DeLong and Clarke-Pearson, Biometrics 44:837 (1988); computed by midranks after Sun and Xu, IEEE
Signal Processing Letters 21:1389 (2014): O(n log n) instead of a pass over all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr


@dataclass(frozen=True, slots=True, eq=False)
class DeLong:
    """Two areas, their 2 x 2 covariance matrix and the two-sided p of "equal"."""

    areas: tuple[float, float]
    covariance: np.ndarray
    p_value: float


def delong(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> DeLong:
    """The test on n rows; needs two rows of each class (ValueError otherwise)."""
    positive = label == 1
    m, k = int(positive.sum()), int((~positive).sum())
    if min(m, k) < 2:
        raise ValueError("DeLong's variance needs two rows of each class")
    # Placements: for a positive the share of negatives below it, for a negative the share of positives above.
    of_positives, of_negatives = np.empty((2, m)), np.empty((2, k))
    for index, score in enumerate((first, second)):
        ranks = _midranks(score)
        of_positives[index] = (ranks[positive] - _midranks(score[positive])) / k
        of_negatives[index] = 1 - (ranks[~positive] - _midranks(score[~positive])) / m
    areas = of_positives.mean(axis=1)
    covariance = np.cov(of_positives) / m + np.cov(of_negatives) / k
    return DeLong((float(areas[0]), float(areas[1])), covariance, _p_value(areas, covariance))


def _midranks(score: np.ndarray) -> np.ndarray:
    # By pandas, which read the scores: loading scipy.stats costs a gate more than its whole evaluation.
    return pd.Series(score).rank().to_numpy()


def _p_value(areas: np.ndarray, covariance: np.ndarray) -> float:
    difference = float(areas[1] - areas[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 1e-18:  # the same ranking twice: rounding is all that is left
        return 1.0 if abs(difference) < 1e-12 else 0.0
    return float(2 * ndtr(-abs(difference) / np.sqrt(variance)))
