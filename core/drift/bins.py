"""Bins from the reference's quantiles, with a bin of its own for each value that many rows share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        places = np.where(self.after, right, left)
        return np.diff(np.concatenate([[0], places, [len(values)]]))


def quantile_bins(reference: np.ndarray, bins: int = DEFAULT_BINS) -> Bins:
    """Bins of about equal counts in the ascending, finite ``reference``.

    A value that holds a bin's worth of rows or more (an atom: a zero, a default) gets a bin of its own; else
    a change in how often it occurs would move whole quantiles. Outliers cannot stretch quantile bins.
    """
    n = len(reference)
    if n == 0:
        return Bins(np.empty(0), np.empty(0, dtype=bool))
    places = np.minimum((np.arange(1, bins) * n) // bins, n - 1)
    edges = np.unique(reference[places])
    held = np.searchsorted(reference, edges, side="right") - np.searchsorted(reference, edges, side="left")
    atoms = edges[held * bins >= n]
    cuts = np.concatenate([edges, atoms])
    after = np.concatenate([np.ones(len(edges), dtype=bool), np.zeros(len(atoms), dtype=bool)])
    order = np.lexsort((after, cuts))
    return Bins(cuts[order], after[order])


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
