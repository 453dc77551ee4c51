"""Groups of rows judged by themselves: the same check, and the same metric, per level of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.drift.check import check
from core.drift.kinds import Family, family
from core.drift.metrics import HEADLINE, Metric, measure
from core.drift.performance import MIN_LABELLED
from core.drift.prediction_log import PredictionLog, read_log
from core.drift.sources import Slice, Source
from core.drift.types import DriftReport
from core.drift.watched import Watched, labels_of, log_columns, rows_of
from core.drift.windows import Window
from core.errors import ModelDeskError
from core.privacy import HIDDEN, is_small, shown_cells

if TYPE_CHECKING:
    from core.workspace import Workspace

MOST = 12
"""Columns with more levels than this are no segments."""
NEWEST = 5
"""The metric of a segment is taken over the newest so many windows that have labels."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One level: its rows in the window, its drift against the reference's rows of the same level.

    ``metric`` is the headline metric over ``labelled`` rows of the newest labelled windows, where there are enough.
    ``told_rows`` and ``told_labelled`` may be shown: no other group's small count follows from them and the whole.
    """

    level: str
    rows: int
    report: DriftReport
    labelled: int
    metric_name: str | None
    metric: Metric | None
    told_rows: int | str = HIDDEN
    told_labelled: int | str = HIDDEN


def segment_columns(watched: Watched) -> tuple[str, ...]:
    """The features whose levels are few enough to look at one by one."""
    return tuple(name for name in watched.features if 2 <= len(_levels(watched.reference, name)) <= MOST)


def segments_of(ws: Workspace, watched: Watched, window: Window, column: str) -> tuple[Segment, ...]:
    """The segments of a window, the largest first; levels of 1 to 10 rows on a side are left out."""
    log = _labelled_log(ws, watched)
    labelled = _newest_labelled(watched, log) if log else np.empty(0, dtype=np.int64)
    reference, current = _text(watched.reference, column), _text(watched.log, column)
    others = [name for name in watched.features if name != column]
    found = []
    for level in _levels(watched.reference, column):
        before = np.flatnonzero(reference == level)
        now = window.indices[current[window.indices] == level]
        if is_small(len(before)) or is_small(len(now)):
            continue
        report = check(
            Slice(watched.reference, before), Slice(watched.log, now), watched.policy, columns=others
        )
        scored = labelled[current[labelled] == level]
        found.append(Segment(level, len(now), report, len(scored), *_metric(log, scored)))
    rows = _told([segment.rows for segment in found], len(window.indices))
    known = _told([segment.labelled for segment in found], len(labelled))
    told = [
        replace(segment, told_rows=n, told_labelled=m)
        for segment, n, m in zip(found, rows, known, strict=True)
    ]
    return tuple(sorted(told, key=lambda segment: -segment.rows))


def _told(counts: Sequence[int], whole: int) -> tuple[int | str, ...]:
    """Rows by level as they may be shown beside the rows of all, which the page tells elsewhere."""
    return shown_cells([*counts, whole - sum(counts)])[: len(counts)]


def _labelled_log(ws: Workspace, watched: Watched) -> PredictionLog | None:
    """The log with its labels; None where they cannot be used, which the report says."""
    try:
        return read_log(watched.log, labels_of(ws, watched.section), log_columns(watched.section))
    except ModelDeskError:
        return None


def _newest_labelled(watched: Watched, log: PredictionLog) -> np.ndarray:
    """The labelled rows of the newest five windows that have enough of them."""
    known = log.labelled
    enough = [part for part in watched.windows if known[part.indices].sum() >= MIN_LABELLED]
    rows = rows_of(enough[-NEWEST:])
    return rows[known[rows]]


def _metric(log: PredictionLog | None, rows: np.ndarray) -> tuple[str | None, Metric | None]:
    if log is None or log.labels is None or len(rows) < MIN_LABELLED:
        return None, None
    answered = log.answers(rows, MIN_LABELLED)
    if len(answered.rows) < MIN_LABELLED:
        return None, None
    metrics = measure(log.labels[answered.rows], answered.predictions, answered.scores)
    return next(((name, metrics[name]) for name in HEADLINE if name in metrics), (None, None))


def _levels(source: Source, name: str) -> Sequence[str]:
    if family(source.type_of(name)) not in (Family.TEXT, Family.BOOLEAN):
        return ()
    values = _text(source, name)
    levels, counts = np.unique(values[values != ""], return_counts=True)
    return levels[np.argsort(-counts, kind="stable")].tolist() if len(levels) <= MOST else ()


def _text(source: Source, name: str) -> np.ndarray:
    """The column as text; missing is ''."""
    import pyarrow as pa

    column = source.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()).fill_null("").to_numpy().astype(str)
