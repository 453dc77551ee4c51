"""What to ask a server again when most of its runs are known. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.experiments.types import RunTable

if TYPE_CHECKING:
    import pyarrow as pa

RECHECKED = 50
"""Finished runs looked at again by each refresh, with what else began in their time."""
OVERLAP_MS = 600_000
"""Clocks of training machines differ: runs that started this long before the newest are asked for again."""
LASTING = timedelta(days=14)
"""An unfinished run that began earlier is asked only whether it has ended."""
_IN_ONE_FILTER = 100
_RUN_ID = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask again of a server: filters, the runs that are gone if no answer has them, and the next cursor."""

    filters: tuple[str, ...]
    about: frozenset[str]
    cursor: int


def questions(table: RunTable, cursor: int, now: datetime) -> Questions:
    """Unfinished runs, the next stretch of the others, and of long unfinished ones only whether they have ended.

    A run that began long ago and never ended is mostly dead: only its end is news, until its turn comes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    frame = table.attributes.select(["run_id", "start_time", "end_time"])
    frame = frame.sort_by([("start_time", "ascending"), ("run_id", "ascending")])
    ended = pc.is_valid(frame["end_time"])
    recent = pc.fill_null(
        pc.greater(frame["start_time"], pa.scalar(now - LASTING, frame["start_time"].type)), True
    )
    going = frame.filter(pc.and_not(recent, ended))["run_id"].to_pylist()
    others = frame.filter(pc.or_(ended, pc.invert(recent)))
    first = cursor if cursor < len(others) else 0
    stretch = _stretch(others["start_time"], first)
    again = others["run_id"].slice(first, RECHECKED).to_pylist()
    lasting = set(frame.filter(pc.invert(pc.or_(ended, recent)))["run_id"].to_pylist()) - set(again)
    about = frozenset(filter(_RUN_ID.fullmatch, going + again))
    if stretch == "":  # all there are
        return Questions(("",), about, first + len(again))
    filters = [f"attributes.run_id IN ({ids})" for ids in _lists(going if stretch else going + again)]
    filters += [
        f"attributes.status != 'RUNNING' AND attributes.run_id IN ({ids})" for ids in _lists(sorted(lasting))
    ]
    return Questions(tuple([stretch, *filters] if stretch else filters), about, first + len(again))


def _stretch(starts: pa.ChunkedArray, first: int) -> str | None:
    """A filter for all that began in the time of the runs from ``first`` on; None where that may be very many.

    ``starts`` ascend. Stretches meet, and the outer ones are open, so that in turn they cover all of time.
    """
    import numpy as np
    import pyarrow as pa

    if starts.null_count or not RECHECKED:
        return None
    times = starts.cast(pa.int64()).to_numpy()
    last = first + RECHECKED - 1
    since = times[first - 1] if first else None
    until = times[last] if last < len(times) - 1 else None
    begin = 0 if since is None else np.searchsorted(times, since)
    end = len(times) if until is None else np.searchsorted(times, until, "right")
    if end - begin > 4 * RECHECKED:
        return None
    bounds = ((">=", since), ("<=", until))
    return " AND ".join(f"attributes.start_time {sign} {time}" for sign, time in bounds if time is not None)


def without_runs(table: RunTable, ids: Sequence[str]) -> list[str]:
    """Experiments of which nothing is known: one may have been restored, with runs that began long ago."""
    seen = set(table.attributes["experiment_id"].unique().to_pylist())
    return [number for number in ids if number not in seen]


def _lists(run_ids: Sequence[str]) -> Iterator[str]:
    """The ids as lists for a filter, a hundred each."""
    run_ids = [run_id for run_id in run_ids if _RUN_ID.fullmatch(run_id)]
    for start in range(0, len(run_ids), _IN_ONE_FILTER):
        yield ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + _IN_ONE_FILTER])


def started_since(table: RunTable) -> str:
    """A filter for the runs that began after those of the table, or about when they did."""
    import pyarrow as pa
    import pyarrow.compute as pc

    latest = pc.max(pc.cast(table.attributes["start_time"], pa.int64())).as_py()
    if latest is None:
        return ""
    # One run whose start lies in the future must not hide all that start until then.
    return f"attributes.start_time >= {min(latest, int(table.as_of.timestamp() * 1000)) - OVERLAP_MS}"
