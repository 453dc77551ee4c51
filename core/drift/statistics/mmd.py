"""Maximum mean discrepancy: how far two tables are apart as whole rows, by a Gaussian kernel; on demand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.drift.coding import coded_table, even_rows
from core.drift.sources import Source
from core.drift.thresholds import Direction, Threshold
from core.drift.types import TestResult

NAME = "mmd"
THRESHOLD = Threshold("alpha", 0.05, Direction.BELOW)
SOURCE = "Gretton et al. 2012: unbiased estimate, kernel width by the median heuristic, permutation test"
_MIN_ROWS = 50


def mmd(
    reference: Source, current: Source, columns: Sequence[str], *, rows: int = 800, seed: int = 0
) -> TestResult | None:
    """The unbiased squared MMD of at most ``rows`` rows of either side, with a p-value of 500 permutations.

    Columns count alike (each is centred on its median and divided by its spread, outliers cut at 5); a missing
    value counts as the median. None when a side has fewer than 50 rows or there is no column.
    """
    sides = [(source, even_rows(source.rows, rows)) for source in (reference, current)]
    n, m = (len(chosen) for _, chosen in sides)
    if min(n, m) < _MIN_ROWS or not columns:
        return None
    table = _scaled(coded_table(sides, columns), n)
    return _test(table, n, seed)


def _scaled(table: np.ndarray, n: int) -> np.ndarray:
    table = np.where(np.isfinite(table), table, np.nan)
    known = table[:n]
    empty = ~np.isfinite(known).any(axis=0)
    known = np.where(empty, 0.0, known)
    # Numbers near the largest double become infinite and are then cut at 5.
    with np.errstate(over="ignore", invalid="ignore"):
        middle = np.nanmedian(known, axis=0)
        low, high = np.nanpercentile(known, (25, 75), axis=0)
        spread = np.where(high > low, (high - low) / 1.349, 1.0)
        return np.clip(np.nan_to_num((table - middle) / spread), -5, 5)


def _test(table: np.ndarray, n: int, seed: int, permutations: int = 500) -> TestResult:
    squares = (table**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * table @ table.T, 0)
    width = np.median(distances[np.triu_indices(len(table), 1)])
    kernel = np.exp(-distances / width) if width > 0 else np.ones_like(distances)
    np.fill_diagonal(kernel, 0)
    total, m = kernel.sum(), len(table) - n

    def statistic(first: np.ndarray) -> np.ndarray:
        """For each column of ``first`` (1 for rows of the first side): the unbiased estimate."""
        toward = kernel @ first
        within = (first * toward).sum(axis=0)
        across = toward.sum(axis=0) - within
        return within / (n * (n - 1)) + (total - within - 2 * across) / (m * (m - 1)) - 2 * across / (n * m)

    rng = np.random.default_rng(seed)
    draws = np.zeros((len(table), permutations + 1))
    draws[:n, 0] = 1
    for place in range(1, permutations + 1):
        draws[rng.permutation(len(table))[:n], place] = 1
    found = statistic(draws)
    p = float((found >= found[0]).sum()) / (permutations + 1)
    return TestResult(float(found[0]), p, f"{permutations} permutations")
