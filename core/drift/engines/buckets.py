"""Monotone bucket counts: the engine sorts no values, it only counts rows per stretch of the number line.

The reference's range is cut into many equal stretches, so fine that few of them can still hold the KS distance. Where
one that decides something turns out to hold too many rows (an outlier made the range wide, values cluster) it is cut
again between its own extremes. So outliers cannot blur the counts, and a value that many rows share ends up alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np

from core.drift.engines.bracket import Buckets, Sizes
from core.drift.engines.facts import finite
from core.drift.engines.sides import Sides, counted, whole
from core.drift.engines.table import EngineTable

_TINY = 1e-9
_COARSE = 256
_ROWS_IN_PART = 64
"""About the rows in a part: fewer parts leave more of them to be looked into, more parts cost memory in the engine."""
_FEWEST, _MOST = 2**8, 2**20
_FAT = 1 / 32
"""A bucket that has to be looked into is cut again while it holds more than this share of either side."""
_SMALL_ENOUGH = 1_000
"""A bucket of so few rows is not worth another question."""
_MOST_CUTS, _ROUNDS = 64, 6


@dataclass(frozen=True, slots=True)
class Cut:
    """One stretch (the bucket ``key`` of the cuts before it) cut into equal parts with keys from ``base`` on."""

    key: int
    low: float
    high: float
    parts: int
    base: int

    @property
    def outer(self) -> int:
        """The key of what lies above the stretch."""
        return self.base + self.parts + 2

    def keys(self) -> nw.Expr:
        """The key of each value; ascending values have ascending keys, whatever the engine rounds."""
        value, low, span = nw.col("value"), self.low, self.high - self.low
        if span == 0:
            inside = nw.lit(1, nw.Int64)
        elif math.isinf(span):
            inside = nw.when(value < 0).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(2, nw.Int64))
        else:
            # PostgreSQL calls a quotient that rounds to zero an error, so a tiny one is not worked out.
            share = nw.when(value - low < span * _TINY).then(nw.lit(0.0)).otherwise((value - low) / span)
            inside = (share * self.parts).cast(nw.Int64) + 1
        first, last = nw.lit(0, nw.Int64), nw.lit(self.parts + 2, nw.Int64)
        key = (
            nw.when(value < low)
            .then(first)
            .otherwise(nw.when(value > self.high).then(last).otherwise(inside))
        )
        return key + nw.lit(self.base, nw.Int64) if self.base else key


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The finite values of one column on both sides, cut into buckets; ``number`` tells columns apart in an answer."""

    left: EngineTable
    right: EngineTable
    name: str
    number: int
    sizes: Sizes
    parts: int
    cuts: tuple[Cut, ...]
    rounds: int = 0

    @classmethod
    def of(cls, left: EngineTable, right: EngineTable, name: str, number: int) -> Sample:
        """Cut over the reference's range, or over current's where the reference has no finite value."""
        known, seen = left.facts.of(name), right.facts.of(name)
        sizes = Sizes(
            finite=(known.finite(left.rows), seen.finite(right.rows)),
            below=(known.below, seen.below),
            above=(known.above, seen.above),
        )
        wanted = 2 ** math.ceil(math.log2(max(1, sum(sizes.rows) / _ROWS_IN_PART)))
        parts = min(max(wanted, _FEWEST), _MOST)
        sample = cls(left=left, right=right, name=name, number=number, sizes=sizes, parts=parts, cuts=())
        return sample._whole(parts)

    def _whole(self, parts: int) -> Sample:
        known, seen = self.left.facts.of(self.name), self.right.facts.of(self.name)
        span = seen if known.low is None else known
        if span.low is None:
            return self
        return replace(self, parts=parts, cuts=(Cut(0, span.low, span.high, parts, 0),), rounds=0)

    def finer(self, buckets: Buckets) -> Sample | None:
        """The same with the deciding buckets that hold too many rows cut again; None if there are none."""
        if self.parts == 1 or self.rounds == _ROUNDS:
            return None
        n, m = buckets.sizes.rows
        wide = (buckets.reference > _FAT * n) | (buckets.current > _FAT * m)
        many = buckets.reference + buckets.current > _SMALL_ENOUGH
        fat = np.flatnonzero(buckets.needed & wide & many)
        if not len(fat) or len(self.cuts) + len(fat) > _MOST_CUTS:
            return None
        cuts = list(self.cuts)
        for index in fat.tolist():
            base = len(cuts) * (self.parts + 3)
            low, high = float(buckets.low[index]), float(buckets.high[index])
            cuts.append(Cut(int(buckets.keys[index]), low, high, self.parts, base))
        return replace(self, cuts=tuple(cuts), rounds=self.rounds + 1)

    def coarser(self) -> Sample:
        """The same in fewer buckets, of which all can be told; in the end in one."""
        return self._whole(_COARSE if self.parts > _COARSE else 1)

    def counted(self) -> Sides:
        """The rows by their buckets, with what :func:`deciding` wants to know of the column."""
        n, m = self.sizes.rows
        known = {
            "n_reference": n,
            "n_current": m,
            "finite": max(1, self.sizes.finite[0]),
            "start": self.sizes.gap(0, 0),
            "outer": self.cuts[0].outer,
        }
        sides = self._side(self.left), self._side(self.right)
        return Sides(*sides, self.number, {name: whole(value) for name, value in known.items()})

    def rows_in(self, keys: Sequence[int], known: Mapping[str, nw.Expr]) -> Sides:
        """The rows in the buckets with ``keys``."""
        inside = nw.col("key").is_in(keys)
        sides = self._side(self.left).filter(inside), self._side(self.right).filter(inside)
        return Sides(*sides, self.number, known)

    def values(self) -> nw.LazyFrame:
        """Each value with its rows."""
        sides = Sides(self._side(self.left), self._side(self.right), self.number)
        return counted(self.left.engine, [sides], "value")

    def _side(self, table: EngineTable) -> nw.LazyFrame:
        values = table.frame.select(value=table.number(self.name))
        values = values.filter(~nw.col("value").is_null())
        if not table.facts.of(self.name).is_clean:
            values = values.filter(finite(nw.col("value")))
        for number, cut in enumerate(self.cuts):
            key = cut.keys()
            if number:
                key = nw.when(nw.col("key") == cut.key).then(key).otherwise(nw.col("key"))
            values = values.with_columns(key=key)
        return values
