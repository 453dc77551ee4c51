"""A statistic of one model's test rows, as the paired comparison computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.compare.resampling import OF_THE_TABLE
from core.compare.row_statistics import Auc, row_loss
from core.privacy import is_small

if TYPE_CHECKING:
    import pandas as pd


def row_value(statistic: str, rows: pd.DataFrame) -> float | None:
    """``statistic`` of test rows (label, prediction, score); None where these rows cannot give it."""
    label = rows["label"].to_numpy()
    if statistic in OF_THE_TABLE:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = OF_THE_TABLE[statistic](*(np.float64(count) for count in cells(rows)))
    elif "score" not in rows.columns:
        return None
    elif statistic == "auroc":
        if len(np.unique(label)) < 2:
            return None
        value = Auc(label, rows["score"].to_numpy(float)).weighted(np.ones((1, len(label))))[0]
    else:
        value = row_loss(statistic, label, rows["score"].to_numpy(float)).mean()
    return float(value) if np.isfinite(value) else None


def cells(rows: pd.DataFrame) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives."""
    label, prediction = rows["label"].to_numpy() == 1, rows["prediction"].to_numpy() == 1
    counts = (label & prediction, ~label & prediction, label & ~prediction, ~label & ~prediction)
    tp, fp, fn, tn = (int(kind.sum()) for kind in counts)
    return tp, fp, fn, tn


def gives_away(statistic: str, rows: pd.DataFrame) -> bool:
    """Whether the statistic, next to the number of rows, would tell a count of 1 to 10 people."""
    return statistic in OF_THE_TABLE and any(is_small(count) for count in cells(rows))
