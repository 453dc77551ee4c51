"""Which way a metric improves: what the workspace declares, then a short list everyone agrees on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.compare.types import Direction

_HIGHER = (
    "accuracy", "balanced_accuracy", "f1", "f1_score", "auc", "auroc", "roc_auc", "auprc",
    "average_precision", "sensitivity", "specificity", "precision", "recall", "r2", "r2_score", "mcc",
)  # fmt: skip
_LOWER = (
    "loss", "log_loss", "logloss", "brier", "brier_score", "rmse", "mae", "mse", "mape", "error",
    "error_rate", "latency", "latency_ms", "latency_s",
)  # fmt: skip
_DEFAULTS = dict.fromkeys(_HIGHER, Direction.HIGHER) | dict.fromkeys(_LOWER, Direction.LOWER)
_SPLIT = re.compile(
    r"^(?:train(?:ing)?|val|valid(?:ation)?|test|eval(?:uation)?|holdout|cv|best|mean)[._/ -]+"
)


def base_name(metric: str) -> str:
    """The metric without the name of a split before it: "val_log_loss" and "test/log-loss" -> "log_loss"."""
    name = metric.strip().lower()
    while (shorter := _SPLIT.sub("", name)) != name:
        name = shorter
    return re.sub(r"[\s./-]+", "_", name)


def direction(metric: str, declared: Mapping[str, str]) -> Direction:
    """The metric's direction: declared by its full name, by its base name, the default list, else UNKNOWN."""
    base = base_name(metric)
    for name in (metric, base):
        if name in declared:
            return Direction(declared[name])
    return _DEFAULTS.get(base, Direction.UNKNOWN)


def improves(difference: float, towards: Direction) -> bool | None:
    """Whether a signed difference is an improvement; None when it is zero or has no direction."""
    if difference == 0 or difference != difference or towards is Direction.UNKNOWN:
        return None
    return (difference > 0) is (towards is Direction.HIGHER)
