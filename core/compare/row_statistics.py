"""Statistics of test rows that can be taken with a weight per row, and with each row left out."""

from __future__ import annotations

import numpy as np

_CLIP = 1e-15  # scikit-learn's log_loss clips at the precision of the type; this is finer than any score


class RowMean:
    """The mean of a loss per row."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """The mean under each row of ``weights`` (replicates x n, each summing to n)."""
        return weights @ self.values / len(self.values)

    def leave_one_out(self) -> np.ndarray:
        """The n means without one row each."""
        return (self.values.sum() - self.values) / (len(self.values) - 1)


class Auc:
    """The area under the ROC curve as the Mann-Whitney statistic, ties by half."""

    def __init__(self, label: np.ndarray, score: np.ndarray) -> None:
        self.order = np.argsort(score, kind="stable")
        self.positive = (label[self.order] == 1).astype(np.float64)
        new_score = np.r_[True, np.diff(score[self.order]) != 0]
        self.group = np.cumsum(new_score) - 1
        self.starts = np.flatnonzero(new_score)

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """The area under each row of ``weights``; NaN where a class was not drawn."""
        drawn = weights[:, self.order]
        positive = drawn * self.positive
        negative = drawn - positive
        if len(self.starts) < len(self.group):
            positive = np.add.reduceat(positive, self.starts, axis=1)
            negative = np.add.reduceat(negative, self.starts, axis=1)
        below = np.cumsum(negative, axis=1)
        pairs = positive.sum(axis=1) * below[:, -1]
        below -= negative / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.einsum("ij,ij->i", positive, below) / pairs

    def leave_one_out(self) -> np.ndarray:
        """The n areas without one row each: a row takes only its own pairs away, none is computed anew."""
        positive = np.bincount(self.group, weights=self.positive)
        negative = np.bincount(self.group, weights=1 - self.positive)
        won = (np.cumsum(negative) - negative / 2)[self.group]
        lost = (positive.sum() - np.cumsum(positive) + positive / 2)[self.group]
        m, k = positive.sum(), negative.sum()
        area = float(self.positive @ won)
        without = np.where(self.positive == 1, (area - won) / ((m - 1) * k), (area - lost) / (m * (k - 1)))
        values = np.empty_like(without)
        values[self.order] = without
        return values


def row_loss(statistic: str, label: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The Brier or logarithmic loss of each row; ``score`` is the probability of label 1."""
    if statistic == "brier":
        return (score - label) ** 2
    kept = np.clip(score, _CLIP, 1 - _CLIP)
    return -np.where(label == 1, np.log(kept), np.log1p(-kept))
