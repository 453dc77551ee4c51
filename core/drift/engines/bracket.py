"""What counts per bucket say of the KS distance: a bracket that always holds it, and where it may lie.

A gap of the cumulative curves is an integer here, in units of 1 / (n * m), so that nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Stretches of the number line, ascending, none empty; ``low`` and ``high`` are the extremes in each.

    ``keys`` tell them apart inside the engine; ``reference`` and ``current`` are their rows.
    """

    keys: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reference: np.ndarray
    current: np.ndarray

    @property
    def is_atom(self) -> np.ndarray:
        """Whether a bucket holds one single value, so that it has no inside."""
        return self.low == self.high

    @property
    def sizes(self) -> tuple[int, int]:
        """All rows of the reference and of current."""
        return int(self.reference.sum()), int(self.current.sum())

    @property
    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows of each side in the buckets before each."""
        return np.cumsum(self.reference) - self.reference, np.cumsum(self.current) - self.current

    def edges(self) -> int:
        """The widest gap at the buckets' edges; the true one is at least this."""
        n, m = self.sizes
        gaps = np.cumsum(self.reference) * m - np.cumsum(self.current) * n
        return int(np.abs(gaps).max(initial=0))

    def inside(self) -> np.ndarray:
        """For each bucket the widest gap that any order of its rows could make inside it."""
        n, m = self.sizes
        earlier, before = self.before
        start = earlier * m - before * n
        up, down = self.reference * m, self.current * n
        at_edges = np.maximum(np.abs(start), np.abs(start + up - down))
        # Widest when all rows of one side come before all of the other.
        return np.where(self.is_atom, at_edges, np.maximum(start + up, down - start))

    def bracket(self) -> tuple[float, float]:
        """The smallest and the largest D that these counts allow."""
        n, m = self.sizes
        low = self.edges()
        return low / (n * m), max(low, int(self.inside().max(initial=0))) / (n * m)

    @property
    def is_open(self) -> np.ndarray:
        """Whether a bucket may hold a wider gap than all edges show."""
        return ~self.is_atom & (self.inside() > self.edges())

    def holding(self, places: np.ndarray) -> np.ndarray:
        """The index of the bucket that holds each of the ``places`` (from 0) of the ascending reference."""
        return np.searchsorted(np.cumsum(self.reference), places, side="right")

    def without(self, places: np.ndarray) -> Buckets:
        """The others than those at ``places``."""
        return Buckets(*(np.delete(getattr(self, field.name), places) for field in fields(self)))
