"""A prediction log joined with its late labels; what is odd about either becomes a fact, not a crash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from core.drift.present import count
from core.drift.sources import Source
from core.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_REACH = 4990 * 365.25 * 86400
_MIDDLE = 5000 * 365.25 * 86400 - 62135596800.0
"""Times further than so many seconds from the year 5000 have no day in a calendar of four-digit years."""
_YES_NO = {"true": 1.0, "false": 0.0, "True": 1.0, "False": 0.0}


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
class Answers:
    """What a model answered to ``rows``; None for what (nearly) none of them has."""

    rows: np.ndarray
    predictions: np.ndarray | None
    scores: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class PredictionLog:
    """Arrays of equal length, one place per request. Missing labels and scores are NaN (or None for text).

    ``versions`` say which model version answered, as text ('' where unknown), where that is logged; ``rows`` is how
    many requests there are.
    """

    seconds: np.ndarray | None
    predictions: np.ndarray | None
    scores: np.ndarray | None
    labels: np.ndarray | None
    facts: tuple[str, ...]
    versions: np.ndarray | None = None
    rows: int = 0

    @property
    def labelled(self) -> np.ndarray:
        """Which requests have a label."""
        if self.labels is None:
            return np.zeros(self.rows, dtype=bool)
        return _known(self.labels)

    def answers(self, rows: np.ndarray, least: int) -> Answers:
        """What was answered to those of ``rows`` that have it; what fewer than ``least`` of them have is left out."""
        kept: list[np.ndarray | None] = []
        for array in (self.predictions, self.scores):
            enough = array is not None and int(_known(array[rows]).sum()) >= least
            kept.append(array if enough else None)
        for array in kept:
            rows = rows if array is None else rows[_known(array[rows])]
        said, scores = (None if array is None else array[rows] for array in kept)
        return Answers(rows, said, scores)


def _known(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    return ~pd.isna(values)


def read_log(
    predictions: Source, labels: Source | None, columns: LogColumns, now: datetime | None = None
) -> PredictionLog:
    """The log with labels joined by request id (the newest label of a request counts).

    Raises BadInput when neither prediction nor score is there, or labels cannot be joined.
    """
    facts: list[str] = []
    frame = _frame(predictions, columns, facts)
    if columns.prediction not in frame and (columns.score is None or columns.score not in frame):
        raise BadInput(
            f"The predictions hold neither '{columns.prediction}' nor '{columns.score}'.",
            f"Name the columns; the file has: {', '.join(predictions.names)}.",
        )
    known = _join(frame, labels, columns, facts) if labels is not None else frame.get(columns.label)
    found, truth = _classes(frame.get(columns.prediction)), _classes(known)
    if found is not None and truth is not None and (found.dtype == object) != (truth.dtype == object):
        facts.append(
            "predictions and labels are of different kinds (text and numbers): they are not compared with each other"
        )
        found = None
    scores = _scores(frame, columns, facts)
    if found is None:
        found = _from_scores(scores) if truth is None or truth.dtype != object else None
    _one_class(truth, facts)
    return PredictionLog(
        _seconds(frame, columns.timestamp, now, facts), found, scores, truth, tuple(facts),
        texts(predictions.column(columns.version)) if columns.version in predictions.names else None,
        predictions.rows,
    )  # fmt: skip


def times_of(source: Source, name: str) -> np.ndarray | None:
    """The rows' times in seconds since 1970, NaN where there is none; None without such a column."""
    import pandas as pd

    if name not in source.names:
        return None
    return _seconds(pd.DataFrame({name: source.column(name).to_pandas()}), name, None, [])


def texts(column: pa.ChunkedArray) -> np.ndarray:
    """A column as text, '' where there is none; 1.0 and 1 both read '1'. All '' for a column of lists and the like."""
    import pyarrow as pa

    try:
        return column.cast(pa.string()).fill_null("").to_numpy().astype(object)
    except pa.ArrowException:
        return np.full(len(column), "", dtype=object)


def _frame(source: Source, columns: LogColumns, facts: list[str]) -> pd.DataFrame:
    """The columns that are there and hold one value a row; what the source found odd becomes facts."""
    import pandas as pd
    import pyarrow.types as t

    wanted = (
        columns.request_id, columns.timestamp, columns.prediction, columns.score, columns.label,
        columns.observed_at, columns.version,
    )  # fmt: skip
    there = [name for name in dict.fromkeys(wanted) if name is not None and name in source.names]
    nested = [name for name in there if t.is_nested(source.type_of(name))]
    facts += [f"'{name}' holds lists or structures, not one value a row: it is left out" for name in nested]
    return pd.DataFrame({name: source.column(name).to_pandas() for name in there if name not in nested})


def _join(frame: pd.DataFrame, labels: Source, columns: LogColumns, facts: list[str]) -> pd.Series:
    given = _frame(labels, columns, facts)
    facts += [finding.message for finding in labels.findings]
    for table, what in ((frame, "predictions"), (given, "labels")):
        if columns.request_id not in table:
            raise BadInput(
                f"The {what} have no column '{columns.request_id}' to join by.", "Name it with --request-id."
            )
    if columns.label not in given:
        nested = f"The labels' column '{columns.label}' holds lists or structures, not one label a row."
        missing = f"The labels have no column '{columns.label}'."
        raise BadInput(nested if columns.label in labels.names else missing, "Name it with --label.")
    if columns.observed_at in given:
        given = given.sort_values(columns.observed_at, kind="stable")
    nameless = int(given[columns.request_id].isna().sum())
    if nameless:
        facts.append(f"labels without a request: {count(nameless)}; they are left out")
        given = given.dropna(subset=columns.request_id)
    repeated = int(given[columns.request_id].duplicated().sum())
    if repeated:
        facts.append(f"labels given twice: {count(repeated)}; the newest label of a request counts")
    newest = given.drop_duplicates(columns.request_id, keep="last").set_index(columns.request_id)[
        columns.label
    ]
    unknown = int((~newest.index.isin(frame[columns.request_id])).sum())
    if unknown:
        facts.append(f"labels for unknown requests: {count(unknown)}; they are left out")
    asked = frame[columns.request_id].dropna()
    if len(asked) < len(frame):
        facts.append(
            f"requests without an id: {count(len(frame) - len(asked))}; no label can be joined to them"
        )
    twice = int(asked.duplicated().sum())
    if twice:
        facts.append(f"requests logged twice: {count(twice)}; each is counted as logged")
    return frame[columns.request_id].map(newest)


def _seconds(frame: pd.DataFrame, name: str, now: datetime | None, facts: list[str]) -> np.ndarray | None:
    import pandas as pd

    if name not in frame:
        return None
    column = frame[name]
    if pd.api.types.is_numeric_dtype(column.dtype):
        times = _from_numbers(column, facts)
    else:
        times = pd.to_datetime(
            column, utc=True, errors="coerce", format=None if column.dtype.kind == "M" else "mixed"
        )
    if column.dtype.kind in "MOU" and getattr(column.dtype, "tz", None) is None and not _says_zone(column):
        facts.append("timestamps without a zone are read as UTC")
    seconds = times.dt.as_unit("us").astype("int64").to_numpy() / 1e6
    seconds = np.where(times.isna() | (np.abs(seconds - _MIDDLE) > _REACH), np.nan, seconds)
    bad = int(np.isnan(seconds).sum())
    if bad:
        facts.append(f"rows without a readable timestamp: {count(bad)}; they join no day or week")
    ahead = int((seconds > now.timestamp()).sum()) if now is not None else 0
    if ahead:
        facts.append(f"timestamps in the future: {count(ahead)}")
    return seconds


def _from_numbers(column: pd.Series, facts: list[str]) -> pd.Series:
    """Times that are written as numbers: 20260131, or seconds, milliseconds and so on since 1970, by their size."""
    import pandas as pd

    size = float(column.abs().median())
    if 19_000_000 < size < 22_000_000:
        facts.append("timestamps are numbers: read as year, month and day")
        days = column.astype("Int64").astype("string")
        return pd.to_datetime(days, format="%Y%m%d", utc=True, errors="coerce")
    units = (("s", "seconds"), ("ms", "milliseconds"), ("us", "microseconds"), ("ns", "nanoseconds"))
    unit, words = units[sum(size >= limit for limit in (1e11, 1e14, 1e17))]
    facts.append(f"timestamps are numbers: read as {words} since 1970")
    return pd.to_datetime(column, unit=unit, utc=True, errors="coerce")


def _says_zone(column: pd.Series) -> bool:
    first = column.dropna().head(1)
    return bool(len(first)) and str(first.iloc[0]).endswith(("Z", "+00:00"))


def _from_scores(scores: np.ndarray | None) -> np.ndarray | None:
    """Class 1 from a score of 0.5 on; NaN where there is no score."""
    return None if scores is None else np.where(np.isnan(scores), np.nan, scores >= 0.5)


def _scores(frame: pd.DataFrame, columns: LogColumns, facts: list[str]) -> np.ndarray | None:
    import pandas as pd

    if columns.score is None or columns.score not in frame:
        return None
    given = frame[columns.score]
    scores = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    unread = int(np.isnan(scores).sum() - given.isna().sum())
    if unread:
        facts.append(f"scores that are no numbers: {count(unread)}; they are left out")
    wrong = (scores < 0) | (scores > 1)
    if wrong.any():
        facts.append(f"scores outside 0 to 1: {count(int(wrong.sum()))}; they are left out")
    return np.where(wrong, np.nan, scores)


def _classes(given: pd.Series | None) -> np.ndarray | None:
    """Labels or predictions as doubles where all of them are numbers or yes and no, else as they are (objects)."""
    import pandas as pd

    if given is None:
        return None
    words = given.map(_YES_NO) if given.dtype == object or pd.api.types.is_string_dtype(given) else given
    plain = given.where(words.isna(), words) if words is not given else given
    numbers = pd.to_numeric(plain, errors="coerce")
    if numbers.notna().sum() < given.notna().sum():
        return given.astype(object).to_numpy()
    found = numbers.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _one_class(labels: np.ndarray | None, facts: list[str]) -> None:
    if labels is not None and labels.dtype != object and len(np.unique(labels[~np.isnan(labels)])) == 1:
        facts.append("every label is of one class: AUROC, and sensitivity or specificity, cannot be told")
