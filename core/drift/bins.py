"""Bins from the reference's quantiles, with a bin of its own for each value that many rows share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.privacy import SMALLEST

DEFAULT_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Cuts on the number line; ``after[i]`` says whether values equal to ``cuts[i]`` lie left of the cut."""

    cuts: np.ndarray
    after: np.ndarray

    def counts(self, values: np.ndarray) -> np.ndarray:
        """How many of the ascending ``values`` fall into each bin, leftmost first."""
        left = np.searchsorted(values, self.cuts, side="left")
        right = np.searchsorted(values, self.cuts, side="right")
        return self.between(left, right, len(values))

    def between(self, below: np.ndarray, upto: np.ndarray, rows: int) -> np.ndarray:
        """The same from how many of ``rows`` values lie below each cut, and how many not above it."""
        places = np.where(self.after, upto, below)
        return np.diff(np.concatenate([[0], places, [rows]]))


def quantile_places(rows: int, bins: int = DEFAULT_BINS) -> np.ndarray:
    """The places (from 0) of the inner quantiles among ``rows`` ascending values; none without rows."""
    if rows == 0:
        return np.empty(0, dtype=np.int64)
    return np.minimum((np.arange(1, bins) * rows) // bins, rows - 1)


def quantile_bins(reference: np.ndarray, bins: int = DEFAULT_BINS) -> Bins:
    """Bins of about equal counts in the ascending, finite ``reference``.

    A value that holds a bin's worth of rows or more (an atom: a zero, a default) gets a bin of its own; else
    a change in how often it occurs would move whole quantiles. Outliers cannot stretch quantile bins.
    """
    edges = np.unique(reference[quantile_places(len(reference), bins)])
    held = np.searchsorted(reference, edges, side="right") - np.searchsorted(reference, edges, side="left")
    return bins_at(edges, held, len(reference), bins)


def bins_at(edges: np.ndarray, held: np.ndarray, rows: int, bins: int = DEFAULT_BINS) -> Bins:
    """The bins between the ascending ``edges`` of which each is the value of ``held`` of the ``rows``."""
    atoms = edges[held * bins >= rows]
    cuts = np.concatenate([edges, atoms])
    after = np.concatenate([np.ones(len(edges), dtype=bool), np.zeros(len(atoms), dtype=bool)])
    order = np.lexsort((after, cuts))
    return Bins(cuts[order], after[order])


def rare_levels(reference: np.ndarray, current: np.ndarray, rare: np.ndarray | bool = False) -> np.ndarray:
    """Which levels are told together as one, the commonest being first: those of 1 to 10 rows on a side and ``rare``.

    As many of the least common ones as it takes that the rows of those together are no small count either.
    """
    found = small_cells(reference) | small_cells(current) | rare
    while found.any() and not found.all():
        if not small_cells(np.array([reference[found].sum(), current[found].sum()])).any():
            break
        found[np.flatnonzero(~found)[-1]] = True
    return found


def small_cells(counts: np.ndarray) -> np.ndarray:
    """Which counts of people must not be told."""
    return (counts > 0) & (counts < SMALLEST)


def level_counts(
    reference: tuple[np.ndarray, np.ndarray], current: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels of either side, and both counts over them: (levels, reference counts, current counts)."""
    left = dict(zip(*reference, strict=True))
    right = dict(zip(*current, strict=True))
    levels = list(left) + [level for level in right if level not in left]
    return (
        np.array(levels, dtype=object),
        np.array([left.get(level, 0) for level in levels], dtype=np.int64),
        np.array([right.get(level, 0) for level in levels], dtype=np.int64),
    )
