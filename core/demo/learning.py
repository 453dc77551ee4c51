"""Training and scoring for the runs that people make outside the pipeline (notebooks and sweeps)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

LOGISTIC, FOREST, BOOSTING = "logistic_regression", "random_forest", "gradient_boosting"
TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A data set's two sides; the index holds the pseudonymous row ids. ``digest`` is of the training side."""

    name: str
    source: str
    train: pd.DataFrame
    train_labels: pd.Series
    test: pd.DataFrame
    test_labels: pd.Series
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a training gave: metrics by name, boosting rounds as (step, loss, auroc), test scores."""

    pipeline: Pipeline
    seconds: float
    metrics: Mapping[str, float]
    rounds: tuple[tuple[int, float, float], ...]
    scores: np.ndarray
    predictions: np.ndarray


def split(name: str, source: str, features: pd.DataFrame, labels: pd.Series, seed: int) -> Split:
    """A stratified three-to-one split; the same seed gives the same rows."""
    import pandas as pd
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        features.index.to_numpy(dtype=object), test_size=0.25, random_state=seed, stratify=labels
    )
    content = pd.util.hash_pandas_object(features.loc[train].assign(label=labels[train])).to_numpy()
    return Split(
        name=name,
        source=source,
        train=features.loc[train],
        train_labels=labels[train],
        test=features.loc[test],
        test_labels=labels[test],
        digest=hashlib.md5(content.tobytes()).hexdigest(),
    )


def fit(data: Split, model_type: str, settings: Mapping[str, Any], seed: int) -> Fitted:
    """Train on most of the training side (``seed`` chooses the rows), measure on the test side.

    The rest of the training side is what boosting rounds are validated on. Raises scikit-learn's ValueError.
    """
    from sklearn.model_selection import train_test_split

    rows, check, labels, check_labels = train_test_split(
        data.train, data.train_labels, test_size=0.15, random_state=seed, stratify=data.train_labels
    )
    started = time.perf_counter()
    pipeline = build(model_type, settings, seed, data.train).fit(rows, labels)
    seconds = time.perf_counter() - started
    scores = pipeline.predict_proba(data.test)[:, 1]
    predictions = (scores >= 0.5).astype(int)
    return Fitted(
        pipeline=pipeline,
        seconds=seconds,
        metrics=measure(data.test_labels, scores, predictions),
        rounds=tuple(_rounds(pipeline, check, check_labels)),
        scores=scores,
        predictions=predictions,
    )


def build(model_type: str, settings: Mapping[str, Any], seed: int, features: pd.DataFrame) -> Pipeline:
    """An unfitted pipeline from the columns of ``features`` to a probability."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    estimators = {
        LOGISTIC: lambda: LogisticRegression(max_iter=2000, **settings),
        FOREST: lambda: RandomForestClassifier(random_state=seed, n_jobs=1, **settings),
        BOOSTING: lambda: HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **settings),
    }
    numbers = features.select_dtypes("number").columns.tolist()
    levels = [name for name in features.columns if name not in numbers]
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), levels),
    )
    return Pipeline([("encode", encode), ("model", estimators[model_type]())])


def measure(labels: pd.Series, scores: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Test metrics by name; precision is NaN when nothing was predicted positive."""
    import numpy as np
    from sklearn import metrics

    values = {
        "auroc": metrics.roc_auc_score(labels, scores),
        "accuracy": metrics.accuracy_score(labels, predictions),
        "f1": metrics.f1_score(labels, predictions, zero_division=0),
        "sensitivity": metrics.recall_score(labels, predictions),
        "specificity": metrics.recall_score(labels, predictions, pos_label=0),
        "precision": metrics.precision_score(labels, predictions, zero_division=np.nan),
        "log_loss": metrics.log_loss(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
    }
    return {name: float(value) for name, value in values.items()}


def _rounds(pipeline: Pipeline, rows: pd.DataFrame, labels: pd.Series) -> Iterator[tuple[int, float, float]]:
    from sklearn.metrics import log_loss, roc_auc_score

    staged = getattr(pipeline["model"], "staged_predict_proba", None)
    if staged is None:
        return
    for step, scores in enumerate(staged(pipeline["encode"].transform(rows)), 1):
        yield step, float(log_loss(labels, scores[:, 1])), float(roc_auc_score(labels, scores[:, 1]))
