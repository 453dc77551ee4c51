"""Performance before the labels come: confidence-based performance estimation for binary models.

A calibrated score is the chance that the label is 1, so the expected confusion matrix follows from scores and
predictions alone (method published with NannyML). It sees covariate drift; it cannot see that the relation
between features and outcome itself has changed, which only labels can show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.drift.metrics import Z95, Metric, from_confusion

SOURCE = "NannyML documentation, 'Confidence-based performance estimation'; isotonic: Zadrozny and Elkan 2002"
MIN_ROWS = 200


@dataclass(frozen=True, slots=True)
class Calibration:
    """``apply`` turns scores into chances; ``fitted`` is False where the scores were already calibrated."""

    apply: Callable[[np.ndarray], np.ndarray]
    fitted: bool


def calibrate(labels: np.ndarray, scores: np.ndarray) -> Calibration | None:
    """A calibration from labelled rows; None with fewer than 200 rows or one class.

    Isotonic regression is used only where it lowers the expected calibration error on the half of the rows
    that it was not fitted on.
    """
    if len(labels) < MIN_ROWS or not 0 < labels.sum() < len(labels):
        return None
    half = np.arange(len(labels)) % 2 == 0
    trial = _isotonic(labels[half], scores[half])
    held_labels, held = labels[~half], scores[~half]
    if calibration_error(held_labels, trial(held)) < calibration_error(held_labels, held):
        return Calibration(_isotonic(labels, scores), True)
    return Calibration(lambda values: values, False)


def _isotonic(labels: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels).predict


def calibration_error(labels: np.ndarray, chances: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Naeini 2015)."""
    bucket = np.minimum((chances * bins).astype(int), bins - 1)
    gaps = np.bincount(bucket, weights=chances - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def estimate(
    scores: np.ndarray, predictions: np.ndarray | None, calibration: Calibration
) -> dict[str, Metric]:
    """Expected accuracy, sensitivity, specificity, precision, F1, AUROC and Brier score of unlabelled rows."""
    if len(scores) == 0:
        return {}
    chances = np.clip(calibration.apply(scores), 0, 1)
    found: dict[str, Metric] = {}
    if predictions is not None:
        hit = predictions == 1
        found |= from_confusion(
            float(chances[hit].sum()),
            float(chances[~hit].sum()),
            float((1 - chances[hit]).sum()),
            float((1 - chances[~hit]).sum()),
        )
    area = _expected_auroc(scores, chances)
    if area is not None:
        found["auroc"] = area
    errors = chances * (1 - scores) ** 2 + (1 - chances) * scores**2
    half = Z95 * float(errors.std()) / np.sqrt(len(errors))
    found["brier"] = Metric(float(errors.mean()), float(errors.mean() - half), float(errors.mean() + half))
    return found


def _expected_auroc(scores: np.ndarray, chances: np.ndarray) -> Metric | None:
    """The area when each row counts as a positive by its chance and as a negative by the rest."""
    positives, negatives = float(chances.sum()), float((1 - chances).sum())
    if min(positives, negatives) < 1e-9:
        return None
    _, groups = np.unique(scores, return_inverse=True)
    up = np.bincount(groups, weights=chances)
    down = np.bincount(groups, weights=1 - chances)
    below = np.cumsum(down) - down
    area = float((up * (below + down / 2)).sum() / (positives * negatives))
    first, second = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (first - area**2) + (negatives - 1) * (second - area**2)
    half = Z95 * float(np.sqrt(max(spread, 0.0) / (positives * negatives)))
    return Metric(area, max(0.0, area - half), min(1.0, area + half))
