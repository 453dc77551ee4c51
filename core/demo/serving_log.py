"""Six weeks of predictions of the served versions, and the labels that came late.

What goes wrong is written in story.py; every score is the registered model's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from core.demo import mlflow_store, patients, story
from core.demo.patients import Rule
from core.demo.story import Scale

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SEED = 4711


def build(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    """Write ``root/predictions`` up to ``now`` and ``root/labels`` up to last midnight."""
    log = _requests(scale, now)
    advance()
    log = _score(root, scale, now, log)
    advance()
    days = log["timestamp"].dt.date
    for day, rows in log.groupby(days):
        columns = [name for name in rows if name not in ("label", "observed_at")]
        if _days_ago(now, day) == story.MISSING_COLUMN_DAYS_AGO:
            columns.remove(story.MISSING_COLUMN)
        _write(rows[columns], root / "predictions" / story.MODEL, day)
    labels = known_labels(log, now)
    for day, rows in labels.groupby(labels["observed_at"].dt.date):
        _write(rows, root / "labels" / story.MODEL, day)
    advance()


def known_labels(log: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The labels that have come by last midnight, in the order of their coming.

    A nightly export, as hospitals make them: what is known of the performance hangs on the day, not on the hour.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    come = log.loc[log["observed_at"] < midnight, ["request_id", "label", "observed_at"]]
    return come.sort_values("observed_at", kind="stable")


def _write(rows: pd.DataFrame, folder: Path, day: date) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(folder / f"{day.isoformat()}.parquet", index=False)


def _days_ago(now: datetime, day: date) -> int:
    return (now.astimezone(UTC).date() - day).days


def _requests(scale: Scale, now: datetime) -> pd.DataFrame:
    """Requests with features, the outcome and when it became known; without scores."""
    import pandas as pd

    today = now.astimezone(UTC).date()
    days = [_day(scale, today - timedelta(days=ago), ago) for ago in range(scale.days - 1, -1, -1)]
    log = pd.concat(days, ignore_index=True)
    return log[log["timestamp"] <= now].reset_index(drop=True)


def _day(scale: Scale, day: date, ago: int) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    # Seeds count back from today, so that two builds on different days tell the same story.
    rng = np.random.default_rng((SEED, ago))
    weekend = 0.7 if day.weekday() >= 5 else 1.0
    rows = round(scale.rows_per_day * weekend * rng.uniform(0.9, 1.25))
    features = patients.generate(rows, SEED + ago)
    rule = Rule.CHANGED if ago <= story.RULE_CHANGE_DAYS_AGO else Rule.TRAINING
    label = patients.draw_labels(features, SEED + 1000 + ago, rule)
    progress = 1 - ago / (scale.days - 1)
    features[story.DRIFTING_FEATURE] *= 1 + story.DRIFT_BY_TODAY * progress
    column, level = story.NEW_CATEGORY
    if ago <= story.NEW_CATEGORY_SINCE_DAYS:
        features.loc[rng.random(rows) < 0.12, column] = level
    midnight = pd.Timestamp(day, tz="UTC")
    seconds = np.sort(rng.beta(2.2, 1.9, rows)) * 86_399
    timestamp = (midnight + pd.to_timedelta(seconds, unit="s")).floor("ms")
    delay = pd.to_timedelta(rng.uniform(*story.LABEL_DELAY_DAYS, rows), unit="D")
    ids = pd.Series([f"r-{ago:02d}-{number:04d}-{rng.integers(2**32):08x}" for number in range(rows)])
    return features.assign(
        request_id=ids, timestamp=timestamp, label=label, observed_at=(timestamp + delay).floor("s")
    )


def _score(root: Path, scale: Scale, now: datetime, log: pd.DataFrame) -> pd.DataFrame:
    """The log with the version that served each request, its score and prediction."""
    import mlflow
    import mlflow.sklearn
    import numpy as np

    mlflow.set_tracking_uri(mlflow_store.tracking_uri(root))
    features = _add_features(root / "project", log[list(patients.RAW_FEATURES)])
    served = _served_version(scale, now, log)
    hidden = _days_ago_of(log, now) == story.MISSING_COLUMN_DAYS_AGO
    features[story.MISSING_COLUMN] = features[story.MISSING_COLUMN].mask(hidden)
    scores = np.zeros(len(log))
    for version in np.unique(served):
        model = mlflow.sklearn.load_model(f"models:/{story.MODEL}/{version}")
        rows = served == version
        scores[rows] = model.predict_proba(features[rows])[:, 1]
    return log[["request_id", "timestamp"]].assign(
        model_version=served.astype(str),
        **{name: features[name] for name in features},
        prediction=(scores >= 0.5).astype(np.int64),
        score=scores,
        label=log["label"],
        observed_at=log["observed_at"],
    )


def _days_ago_of(log: pd.DataFrame, now: datetime) -> pd.Series:
    import pandas as pd

    today = pd.Timestamp(now.astimezone(UTC).date(), tz="UTC")
    return (today - log["timestamp"].dt.floor("D")).dt.days


def _served_version(scale: Scale, now: datetime, log: pd.DataFrame) -> np.ndarray:
    import numpy as np

    versions = np.zeros(len(log), dtype=np.int64)
    for decision in story.served(scale):
        versions[log["timestamp"] >= now - timedelta(days=decision.days_ago)] = decision.version
    return versions


def _add_features(project: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The project's own feature engineering, as its newest commit has it."""
    spec = importlib.util.spec_from_file_location(
        "demo_feature_engineering", project / "src" / "feature_engineering.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.add_features(rows)
