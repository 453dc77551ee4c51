"""Metric histories: long rows to one series a run, and an honest reduction to what a chart can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.experiments.types import History

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

M4 = "M4: first, last, lowest and highest point per pixel column"


def histories_from(
    run_ids: Sequence[str],
    metric: str,
    places: pa.Array | pa.ChunkedArray,
    steps: pa.ChunkedArray,
    values: pa.ChunkedArray,
    times: pa.ChunkedArray,
    max_points: int | None = None,
) -> tuple[History, ...]:
    """One History a run that has points, in the order of ``run_ids``, each at most ``max_points`` long.

    ``places`` says for each point which of ``run_ids`` (each there once) it is of.
    """
    import numpy as np
    import pyarrow as pa

    rows = places.cast(pa.int64()).to_numpy()
    step, time = (column.cast(pa.int64()).to_numpy() for column in (steps, times))
    value = values.cast(pa.float64()).to_numpy()
    order = np.lexsort((time, step, rows))
    bounds = np.searchsorted(rows[order], np.arange(len(run_ids) + 1))
    series = []
    for index, run_id in enumerate(run_ids):
        mine = order[bounds[index] : bounds[index + 1]]
        if len(mine):
            series.append(_series(run_id, metric, step[mine], value[mine], time[mine], max_points))
    return tuple(series)


def _series(
    run_id: str, metric: str, steps: np.ndarray, values: np.ndarray, times: np.ndarray, limit: int | None
) -> History:
    points = len(steps)
    kept = m4(steps, values, limit) if limit and points > limit else None
    if kept is not None:
        steps, values, times = steps[kept], values[kept], times[kept]
    return History(
        run_id=run_id,
        metric=metric,
        steps=steps,
        values=values,
        times=times,
        points=points,
        reduced=None if kept is None else M4,
    )


def m4(steps: np.ndarray, values: np.ndarray, limit: int) -> np.ndarray:
    """Positions kept by M4 with at most ``limit`` points (at least 4) over sorted ``steps``.

    The step range is cut into ``limit // 4`` equal columns; each keeps its first, last, lowest and highest
    point, so a line drawn that many pixels wide looks the same (Jugel et al., M4, VLDB 2014). NaN is
    neither lowest nor highest.
    """
    import numpy as np

    columns = max(limit // 4, 1)
    low, high = float(steps[0]), float(steps[-1])
    width = (high - low) / columns or 1.0
    column = np.minimum(((steps - low) / width).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
    ends = np.r_[starts[1:], len(steps)]
    by_value = np.lexsort((np.where(np.isnan(values), np.inf, values), column))
    finite = np.add.reduceat(~np.isnan(values), starts)
    lowest = by_value[starts]
    highest = by_value[starts + np.maximum(finite, 1) - 1]
    return np.unique(np.r_[starts, ends - 1, lowest, highest])
