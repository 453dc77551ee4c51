"""What counts per bucket say of the KS distance: a bracket that always holds it, and where it may lie.

A gap of the cumulative curves is an integer here, in units of 1 / (n * m), so that nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from core.drift.bins import DEFAULT_BINS, quantile_places
from core.drift.kinds import FEW_VALUES

FEW_BUCKETS = 3 * FEW_VALUES
"""A column of no more buckets tells them all: its values may be few enough to be tested one by one."""
MOST_DECIDING = 300
"""No more buckets of a column leave the engine; where more decide something, coarser ones are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Pairs of the reference's and of current's count: finite values, and those that are minus or plus infinity."""

    finite: tuple[int, int]
    below: tuple[int, int]
    above: tuple[int, int]

    @property
    def rows(self) -> tuple[int, int]:
        """All values."""
        n, m = (sum(side) for side in zip(self.finite, self.below, self.above, strict=True))
        return n, m

    def gap(self, reference: int, current: int) -> int:
        """The gap behind so many finite values of either side."""
        n, m = self.rows
        return (self.below[0] + reference) * m - (self.below[1] + current) * n


def deciding(counted: nw.LazyFrame) -> nw.LazyFrame:
    """Of all columns' buckets those whose inside decides something, found inside the engine.

    ``counted`` holds per bucket ``column``, ``low`` and ``high`` (its extremes), ``reference`` and ``current`` (rows),
    and for each column ``n_reference`` and ``n_current`` (all rows), ``finite`` (of the reference), ``start`` (the gap
    behind the minus infinities) and ``outer`` (the key of what lies above the reference's range; below it is 0).
    What decides: the KS distance may lie inside, or a quantile of the reference does. ``kept`` counts these before
    they are cut down to :data:`MOST_DECIDING`; ``widest`` is the widest gap at any bucket's end, ``rows`` are those
    that were counted.
    """
    reference, current = nw.col("reference"), nw.col("current")
    up, down = reference * nw.col("n_current"), current * nw.col("n_reference")
    upto = {
        f"upto_{side}": nw.col(side).cum_sum().over("column", order_by="low").cast(nw.Int64)
        for side in ("reference", "current")
    }
    gap = (
        nw.col("start")
        + nw.col("upto_reference") * nw.col("n_current")
        - nw.col("upto_current") * nw.col("n_reference")
    )
    end = nw.col("upto_reference")
    holds = quantiles(end) > quantiles(end - reference)
    outside = (nw.col("key") == 0) | (nw.col("key") == nw.col("outer"))
    frame = (
        counted.with_columns(**upto)
        .with_columns(gap=gap, holds=holds, outside=outside)
        .with_columns(
            before=nw.col("gap") - up + down,
            widest=nw.col("gap").abs().max().over("column"),
            buckets=nw.len().over("column").cast(nw.Int64),
            rows=(reference + current).sum().over("column").cast(nw.Int64),
        )
    )
    # Widest when all rows of one side come before all of the other.
    wider = (nw.col("before") + up > nw.col("widest")) | (down - nw.col("before") > nw.col("widest"))
    is_open = wider & (nw.col("low") < nw.col("high"))
    keep = is_open | nw.col("holds") | nw.col("outside") | (nw.col("buckets") <= FEW_BUCKETS)
    kept = nw.when(nw.col("keep")).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64))
    frame = frame.with_columns(keep=keep).with_columns(kept=kept.sum().over("column").cast(nw.Int64))
    told = nw.col("keep") & ((nw.col("kept") <= MOST_DECIDING) | nw.col("holds") | nw.col("outside"))
    return frame.filter(told).select("column", *ANSWER)


def quantiles(places: nw.Expr) -> nw.Expr:
    """How many quantiles of the reference lie among its first ``places`` finite values."""
    found, none, most = (places * DEFAULT_BINS - 1) // nw.col("finite"), nw.lit(0, nw.Int64), DEFAULT_BINS - 1
    return (
        nw.when(found < 0)
        .then(none)
        .otherwise(nw.when(found > most).then(nw.lit(most, nw.Int64)).otherwise(found))
    )


ANSWER = (
    "key", "low", "high", "reference", "current", "upto_reference", "upto_current", "widest", "buckets", "kept",
    "rows",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Buckets:
    """The deciding stretches of one column, ascending; ``low`` and ``high`` are the extremes in each.

    ``keys`` tell them apart inside the engine; ``reference`` and ``current`` are their rows, ``upto`` those of finite
    values up to the end of each. ``widest`` is the widest gap at the end of any bucket, told or not; ``buckets`` are
    all there are, ``kept`` those that decide, of which all are told unless they are too many. ``rows`` were counted.
    """

    sizes: Sizes
    keys: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reference: np.ndarray
    current: np.ndarray
    upto: tuple[np.ndarray, np.ndarray]
    widest: int = 0
    buckets: int = 0
    kept: int = 0
    rows: int = 0

    @classmethod
    def of(cls, found: dict[str, np.ndarray], sizes: Sizes) -> Buckets:
        """From the answer to :func:`deciding` about one column."""
        order = np.argsort(found["low"], kind="stable")
        column: dict[str, Any] = {name: found[name][order] for name in ANSWER}
        upto = column.pop("upto_reference"), column.pop("upto_current")
        whole = {
            name: int(values[0]) if len(values) else 0
            for name, values in ((name, column.pop(name)) for name in ("widest", "buckets", "kept", "rows"))
        }
        return cls(sizes=sizes, keys=column.pop("key"), upto=upto, **column, **whole)

    @property
    def is_atom(self) -> np.ndarray:
        """Whether a bucket holds one single value, so that it has no inside."""
        return self.low == self.high

    @property
    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """The finite rows of each side in all buckets before each."""
        return self.upto[0] - self.reference, self.upto[1] - self.current

    @property
    def is_crowded(self) -> bool:
        """Whether more buckets decide something than are told."""
        return self.kept > MOST_DECIDING

    def edges(self) -> int:
        """The widest gap at the buckets' ends; the true one is at least this."""
        return max(self.widest, abs(self.sizes.gap(0, 0)), abs(self.sizes.gap(*self.sizes.finite)))

    def starts(self) -> np.ndarray:
        """The gap before each bucket."""
        n, m = self.sizes.rows
        earlier, before = self.before
        return self.sizes.gap(0, 0) + earlier * m - before * n

    def bracket(self) -> tuple[float, float]:
        """The smallest and the largest D that these counts allow."""
        n, m = self.sizes.rows
        low = self.edges()
        inside = self._inside()[~self.is_atom]
        return low / (n * m), max(low, int(inside.max(initial=0))) / (n * m)

    @property
    def needed(self) -> np.ndarray:
        """Whether a bucket's inside decides something: the KS distance or a quantile of the reference."""
        return ~self.is_atom & (self.holds | (self._inside() > self.edges()))

    @property
    def holds(self) -> np.ndarray:
        """Whether a quantile of the reference lies in a bucket."""
        places = quantile_places(self.sizes.finite[0])
        return np.searchsorted(places, self.upto[0]) > np.searchsorted(places, self.before[0])

    def _inside(self) -> np.ndarray:
        n, m = self.sizes.rows
        start = self.starts()
        return np.maximum(start + self.reference * m, self.current * n - start)
