"""Can a classifier tell the two tables apart? One number for the whole row, on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.drift.coding import coded_table, even_rows, one_thread
from core.drift.sources import Source
from core.drift.thresholds import Threshold

NAME = "domain_classifier"
THRESHOLD = Threshold("domain_classifier_auc", 0.55, lowest=0.5)
SOURCE = "Lopez-Paz and Oquab 2017; interval after Hanley and McNeil 1982"


def domain_classifier(
    reference: Source, current: Source, columns: Sequence[str], *, rows: int = 5_000, seed: int = 0
) -> tuple[float, float, float] | None:
    """Out-of-fold AUC of gradient-boosted trees telling the two apart, with its 95 % interval.

    0.5 means indistinguishable. At most ``rows`` rows of either side are drawn, evenly over the file.
    None when a side has fewer than 50 rows or no column can be used.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    sides = [even_rows(source.rows, rows) for source in (reference, current)]
    if min(len(side) for side in sides) < 50 or not columns:
        return None
    table = coded_table(list(zip((reference, current), sides, strict=True)), columns)
    truth = np.repeat([0, 1], [len(side) for side in sides])
    model = HistGradientBoostingClassifier(max_iter=60, max_depth=4, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    with one_thread():
        scores = cross_val_predict(model, table, truth, cv=folds, method="predict_proba")[:, 1]
    return auc_interval(truth, scores)


def auc_interval(truth: np.ndarray, scores: np.ndarray) -> tuple[float, float, float]:
    """The area under the ROC curve (ties count half) and its 95 % interval."""
    from scipy.stats import rankdata

    positive = truth == 1
    n, m = int(positive.sum()), int((~positive).sum())
    area = float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m))
    first, second = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (n - 1) * (first - area**2) + (m - 1) * (second - area**2)
    half = 1.959963984540054 * math.sqrt(max(spread, 0.0) / (n * m))
    return area, max(0.0, area - half), min(1.0, area + half)
