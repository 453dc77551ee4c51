"""A prediction log joined with its late labels; what is odd about either becomes a fact, not a crash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from core.drift.present import count
from core.drift.sources import Source
from core.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LogColumns:
    """What the columns of the log and of the labels are called."""

    request_id: str = "request_id"
    timestamp: str = "timestamp"
    prediction: str = "prediction"
    score: str | None = "score"
    label: str = "label"
    observed_at: str = "observed_at"
    version: str = "model_version"


@dataclass(frozen=True, slots=True, eq=False)
class PredictionLog:
    """Arrays of equal length, one place per request. Missing labels and scores are NaN (or None for text).

    ``versions`` say which model version answered, as text, where that is logged.
    """

    seconds: np.ndarray | None
    predictions: np.ndarray | None
    scores: np.ndarray | None
    labels: np.ndarray | None
    facts: tuple[str, ...]
    versions: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """How many requests the log holds."""
        arrays = (self.predictions, self.scores, self.seconds, self.labels)
        return next((len(array) for array in arrays if array is not None), 0)

    @property
    def labelled(self) -> np.ndarray:
        """Which requests have a label."""
        if self.labels is None:
            return np.zeros(self.rows, dtype=bool)
        import pandas as pd

        return ~pd.isna(self.labels)


def read_log(
    predictions: Source, labels: Source | None, columns: LogColumns, now: datetime | None = None
) -> PredictionLog:
    """The log with labels joined by request id (the newest label of a request counts).

    Raises BadInput when neither prediction nor score is there, or labels cannot be joined.
    """
    facts: list[str] = []
    frame = _frame(predictions, columns)
    if columns.prediction not in frame and (columns.score is None or columns.score not in frame):
        raise BadInput(
            f"The predictions hold neither '{columns.prediction}' nor '{columns.score}'.",
            f"Name the columns; the file has: {', '.join(predictions.names)}.",
        )
    known = _join(frame, labels, columns, facts) if labels is not None else frame.get(columns.label)
    return PredictionLog(
        _seconds(frame, columns.timestamp, now, facts),
        _predictions(frame, columns),
        _scores(frame, columns, facts),
        _labels(known, facts),
        tuple(facts),
        frame[columns.version].astype(str).to_numpy() if columns.version in frame else None,
    )


def times_of(source: Source, name: str) -> np.ndarray | None:
    """The rows' times in seconds since 1970, NaN where there is none; None without such a column."""
    import pandas as pd

    if name not in source.names:
        return None
    return _seconds(pd.DataFrame({name: source.column(name).to_pandas()}), name, None, [])


def _frame(source: Source, columns: LogColumns) -> pd.DataFrame:
    import pandas as pd

    wanted = (
        columns.request_id, columns.timestamp, columns.prediction, columns.score, columns.label,
        columns.observed_at, columns.version,
    )  # fmt: skip
    return pd.DataFrame({name: source.column(name).to_pandas() for name in wanted if name in source.names})


def _join(frame: pd.DataFrame, labels: Source, columns: LogColumns, facts: list[str]) -> pd.Series:
    given = _frame(labels, columns)
    for table, what in ((frame, "predictions"), (given, "labels")):
        if columns.request_id not in table:
            raise BadInput(
                f"The {what} have no column '{columns.request_id}' to join by.", "Name it with --request-id."
            )
    if columns.label not in given:
        raise BadInput(f"The labels have no column '{columns.label}'.", "Name it with --label.")
    if columns.observed_at in given:
        given = given.sort_values(columns.observed_at, kind="stable")
    repeated = int(given[columns.request_id].duplicated().sum())
    if repeated:
        facts.append(f"labels given twice: {count(repeated)}; the newest label of a request counts")
    newest = given.drop_duplicates(columns.request_id, keep="last").set_index(columns.request_id)[
        columns.label
    ]
    unknown = int((~newest.index.isin(frame[columns.request_id])).sum())
    if unknown:
        facts.append(f"labels for unknown requests: {count(unknown)}; they are left out")
    twice = int(frame[columns.request_id].duplicated().sum())
    if twice:
        facts.append(f"requests logged twice: {count(twice)}; each is counted as logged")
    return frame[columns.request_id].map(newest)


def _seconds(frame: pd.DataFrame, name: str, now: datetime | None, facts: list[str]) -> np.ndarray | None:
    import pandas as pd

    if name not in frame:
        return None
    column = frame[name]
    times = pd.to_datetime(
        column, utc=True, errors="coerce", format=None if column.dtype.kind == "M" else "mixed"
    )
    if getattr(column.dtype, "tz", None) is None and not _says_zone(column):
        facts.append("timestamps without a zone are read as UTC")
    bad = int(times.isna().sum())
    if bad:
        facts.append(f"rows without a readable timestamp: {count(bad)}; they join no day or week")
    seconds = times.dt.as_unit("us").astype("int64").to_numpy() / 1e6
    seconds = np.where(times.isna(), np.nan, seconds)
    ahead = int((seconds > now.timestamp()).sum()) if now is not None else 0
    if ahead:
        facts.append(f"timestamps in the future: {count(ahead)}")
    return seconds


def _says_zone(column: pd.Series) -> bool:
    first = column.dropna().head(1)
    return bool(len(first)) and str(first.iloc[0]).endswith(("Z", "+00:00"))


def _predictions(frame: pd.DataFrame, columns: LogColumns) -> np.ndarray | None:
    if columns.prediction in frame:
        return frame[columns.prediction].to_numpy()
    import pandas as pd

    scores = pd.to_numeric(frame[columns.score], errors="coerce").to_numpy(dtype=float)
    return (scores >= 0.5).astype(int)


def _scores(frame: pd.DataFrame, columns: LogColumns, facts: list[str]) -> np.ndarray | None:
    import pandas as pd

    if columns.score is None or columns.score not in frame:
        return None
    scores = pd.to_numeric(frame[columns.score], errors="coerce").to_numpy(dtype=float)
    wrong = (scores < 0) | (scores > 1)
    if wrong.any():
        facts.append(f"scores outside 0 to 1: {count(int(wrong.sum()))}; they are left out")
    return np.where(wrong, np.nan, scores)


def _labels(known: Any, facts: list[str]) -> np.ndarray | None:
    import pandas as pd

    if known is None:
        return None
    if known.dtype == bool:
        return known.to_numpy(dtype=float)
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.notna().sum() < known.notna().sum():
        return known.astype(object).to_numpy()
    labels = numbers.to_numpy(dtype=float)
    if len(np.unique(labels[~np.isnan(labels)])) == 1:
        facts.append("every label is of one class: AUROC, and sensitivity or specificity, cannot be told")
    return labels
