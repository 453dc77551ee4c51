"""Columns as numbers for models and kernels: numbers stay, text becomes the rank of how often it occurs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from core.drift.sources import Source


def even_rows(rows: int, most: int) -> np.ndarray:
    """At most ``most`` row numbers, evenly over ``rows`` of them."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(most, rows)).astype(np.int64))


def coded(parts: Sequence[pa.ChunkedArray]) -> np.ndarray:
    """One column of several tables, one after the other, as doubles coded alike; missing is NaN.

    Infinities are missing too, and a column without any value is 0: models and kernels take neither.
    """
    import pandas as pd

    both = pd.concat([part.to_pandas().astype("object") for part in parts], ignore_index=True)
    numbers = pd.to_numeric(both, errors="coerce")
    if numbers.notna().sum() == both.notna().sum():
        found = numbers.to_numpy(dtype=np.float64)
        found = np.where(np.isfinite(found), found, np.nan)
        return np.zeros(len(found)) if np.isnan(found).all() else found
    order = {level: float(rank) for rank, level in enumerate(both.astype(str).value_counts().index)}
    return both.astype(str).map(order).to_numpy(dtype=np.float64)


def one_thread() -> AbstractContextManager[object]:
    """Inside it OpenMP uses one thread: on a busy machine the trees' threads wait for each other ten times longer."""
    import sklearn.ensemble  # noqa: F401 - loads OpenMP, which can only be limited once it is there
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def coded_table(sides: Sequence[tuple[Source, np.ndarray]], columns: Sequence[str]) -> np.ndarray:
    """The chosen rows of each source below each other, one column of doubles for each name."""
    return np.column_stack(
        [coded([source.column(name).take(rows) for source, rows in sides]) for name in columns]
    )
