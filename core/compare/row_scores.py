"""Per-row test scores of two models laid over each other, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.compare.directions import base_name
from core.privacy import SMALLEST

if TYPE_CHECKING:
    import pandas as pd

_PREFIXES = ("test", "eval", "evaluation", "holdout")
_NAMES = {
    "accuracy": "accuracy", "f1": "f1", "f1_score": "f1", "precision": "precision",
    "sensitivity": "sensitivity", "recall": "sensitivity", "specificity": "specificity",
    "auc": "auroc", "auroc": "auroc", "roc_auc": "auroc", "brier": "brier", "brier_score": "brier",
    "log_loss": "log_loss", "logloss": "log_loss",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PairedScores:
    """The same n test rows scored by baseline (``first``) and candidate (``second``).

    Arrays of length n: ``label`` and the predictions are integers, the scores probabilities of class 1 or
    None when a model logged none.
    """

    label: np.ndarray
    first_prediction: np.ndarray
    second_prediction: np.ndarray
    first_score: np.ndarray | None
    second_score: np.ndarray | None

    @property
    def n(self) -> int:
        """Number of paired rows."""
        return len(self.label)

    @property
    def binary(self) -> bool:
        """Whether labels and predictions are all 0 or 1."""
        return all(
            np.isin(values, (0, 1)).all()
            for values in (self.label, self.first_prediction, self.second_prediction)
        )

    @property
    def scored(self) -> bool:
        """Whether both models logged finite scores."""
        return self.first_score is not None and self.second_score is not None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why two score tables are not about the same test rows."""

    reason: str


def row_metric(metric: str) -> str | None:
    """The statistic of test rows behind a logged metric's name; None for others and for other splits."""
    lowered = metric.strip().lower()
    if base_name(metric) != lowered.replace("-", "_") and not lowered.startswith(_PREFIXES):
        return None
    return _NAMES.get(base_name(metric))


def pair(first: pd.DataFrame, second: pd.DataFrame) -> PairedScores | Mismatch:
    """Rows matched by ``row_id``; a Mismatch when count, ids or labels are not the same."""
    for name, table in (("baseline", first), ("candidate", second)):
        lacking = [column for column in ("row_id", "label", "prediction") if column not in table.columns]
        if lacking:
            return Mismatch(f"the row scores of the {name} lack the column {lacking[0]}")
        if table["row_id"].duplicated().any():
            return Mismatch(f"the row scores of the {name} name a test row twice")
    if len(first) != len(second):
        return Mismatch("the test sets have different numbers of rows: another split")
    if len(first) < SMALLEST:
        return Mismatch(f"fewer than {SMALLEST} test rows")
    left, right = (table.sort_values("row_id", kind="stable") for table in (first, second))
    if not np.array_equal(left["row_id"].astype(str).to_numpy(), right["row_id"].astype(str).to_numpy()):
        return Mismatch("the test rows are not the same: another split")
    labels = left["label"].to_numpy()
    if not np.array_equal(labels, right["label"].to_numpy()):
        return Mismatch("the same test rows carry different labels")
    return PairedScores(
        np.asarray(labels),
        left["prediction"].to_numpy(),
        right["prediction"].to_numpy(),
        _scores(left),
        _scores(right),
    )


def _scores(table: pd.DataFrame) -> np.ndarray | None:
    if "score" not in table.columns:
        return None
    scores = table["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    return scores if np.isfinite(scores).all() else None
