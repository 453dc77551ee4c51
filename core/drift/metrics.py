"""Quality of predictions with an interval each: binary classes, any classes, or numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.drift.statistics.domain_classifier import auc_interval
from core.drift.statistics.proportions import wilson

Z95 = 1.959963984540054
HEADLINE = ("auroc", "accuracy", "mae")
"""The metrics that decide whether a model counts as degraded, where they were measured."""
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse"})
SOURCE = "shares: Wilson 1927; AUROC: Hanley and McNeil 1982; F1: delta method; means: normal approximation"


@dataclass(frozen=True, slots=True)
class Metric:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error that the interval stands for."""
        return (self.high - self.low) / (2 * Z95)


def is_binary(labels: np.ndarray) -> bool:
    """True when every label is 0 or 1."""
    return bool(np.isin(labels, (0, 1)).all())


def measure(
    labels: np.ndarray, predictions: np.ndarray | None, scores: np.ndarray | None
) -> dict[str, Metric]:
    """Every metric that these rows allow; AUROC, sensitivity and specificity need both classes."""
    if len(labels) == 0:
        return {}
    if labels.dtype.kind in "OUS" or not np.isfinite(labels).all() or not is_binary(labels):
        return _other_classes(labels, predictions)
    found: dict[str, Metric] = {}
    if predictions is not None:
        hit = predictions == 1
        table = [float((labels == truth)[hit == said].sum()) for truth in (1, 0) for said in (True, False)]
        found |= from_confusion(*table)
    if scores is not None:
        found |= _from_scores(labels, scores)
    return found


def _other_classes(labels: np.ndarray, predictions: np.ndarray | None) -> dict[str, Metric]:
    if predictions is None:
        return {}
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        errors = np.abs(labels - predictions.astype(float))
        return {"mae": _mean(errors), "rmse": _root(_mean(errors**2))}
    right = int((labels == predictions).sum())
    return {"accuracy": Metric(right / len(labels), *wilson(right, len(labels)))}


def from_confusion(tp: float, fn: float, fp: float, tn: float) -> dict[str, Metric]:
    """Accuracy, sensitivity, specificity, precision and F1 from (possibly expected) counts."""
    shares = {
        "accuracy": (tp + tn, tp + fn + fp + tn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (tp, tp + fp),
    }
    found = {
        name: Metric(part / whole, *wilson(part, whole))
        for name, (part, whole) in shares.items()
        if whole > 0
    }
    if 2 * tp + fp + fn > 0 and tp + fn > 0:
        found["f1"] = _f1(tp, fn, fp)
    return found


def _f1(tp: float, fn: float, fp: float) -> Metric:
    """F1 = h(s) of the share s of hits among hits and misses, so that Wilson's interval carries over."""
    low, high = wilson(tp, tp + fp + fn)
    return Metric(2 * tp / (2 * tp + fp + fn), 2 * low / (1 + low), 2 * high / (1 + high))


def _from_scores(labels: np.ndarray, scores: np.ndarray) -> dict[str, Metric]:
    clipped = np.clip(scores, 1e-15, 1 - 1e-15)
    losses = -np.where(labels == 1, np.log(clipped), np.log1p(-clipped))
    found = {"brier": _mean((scores - labels) ** 2), "log_loss": _mean(losses)}
    if 0 < labels.sum() < len(labels):
        found["auroc"] = Metric(*auc_interval(labels, scores))
    return found


def _mean(values: np.ndarray) -> Metric:
    mean = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Metric(mean, mean - half, mean + half)


def _root(square: Metric) -> Metric:
    return Metric(*(math.sqrt(max(0.0, part)) for part in (square.value, square.low, square.high)))


def direction(name: str, declared: Mapping[str, str]) -> int:
    """1 where a higher value is better, -1 where a lower one is; ``declared`` (settings) goes first."""
    if name in declared:
        return 1 if declared[name] == "higher" else -1
    return -1 if name in LOWER_IS_BETTER else 1
