"""Monotone bucket counts: the engine sorts nothing, it only counts rows per stretch of the number line.

A first cut into equal stretches of the reference's range; where a stretch turns out to hold too many rows (an outlier
made the range wide, values cluster) it is cut again between its own extremes. So outliers cannot blur the counts, and
a value that many rows share ends up alone in its bucket.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import narwhals as nw

from core.drift.engines.bracket import Buckets
from core.drift.engines.facts import finite
from core.drift.engines.table import EngineTable

PARTS = 256
_TINY = 1e-9
_STRIDE = PARTS + 3


@dataclass(frozen=True, slots=True)
class Cut:
    """One stretch (the bucket ``key`` of the cuts before it) cut into equal parts with keys from ``base`` on."""

    key: int
    low: float
    high: float
    base: int

    @property
    def keys(self) -> range:
        """The keys of its parts."""
        return range(self.base, self.base + _STRIDE)

    def parts(self) -> nw.Expr:
        """The key of each value; ascending values have ascending keys, whatever the engine rounds."""
        value, low, span = nw.col("value"), self.low, self.high - self.low
        if span == 0:
            inside = nw.lit(1, nw.Int64)
        elif math.isinf(span):
            inside = nw.when(value < 0).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(2, nw.Int64))
        else:
            # PostgreSQL calls a quotient that rounds to zero an error, so a tiny one is not worked out.
            share = nw.when(value - low < span * _TINY).then(nw.lit(0.0)).otherwise((value - low) / span)
            inside = (share * PARTS).cast(nw.Int64) + 1
        first, last = nw.lit(0, nw.Int64), nw.lit(PARTS + 2, nw.Int64)
        key = (
            nw.when(value < low)
            .then(first)
            .otherwise(nw.when(value > self.high).then(last).otherwise(inside))
        )
        return key + nw.lit(self.base, nw.Int64)


@dataclass(frozen=True)
class Sample:
    """The finite values of one column on both sides, cut into buckets: columns value, reference, current and key."""

    left: EngineTable
    right: EngineTable
    name: str
    cuts: tuple[Cut, ...] = ()

    @cached_property
    def frame(self) -> nw.LazyFrame:
        """Both sides below each other; a row counts 1 for its side and 0 for the other."""
        both = nw.concat(
            [_side(self.left, self.name, 1, 0), _side(self.right, self.name, 0, 1)], how="vertical"
        )
        for number, cut in enumerate(self.cuts):
            key = cut.parts()
            if number:
                key = nw.when(nw.col("key") == cut.key).then(key).otherwise(nw.col("key"))
            both = both.with_columns(key=key)
        return both

    def cut(self, key: int, low: float, high: float) -> Sample:
        """The same with the bucket ``key`` cut again between its extremes."""
        return replace(self, cuts=(*self.cuts, Cut(key, low, high, len(self.cuts) * _STRIDE)))

    def counts(self, keys: Sequence[int] | None = None) -> Buckets:
        """The buckets (those with ``keys``, else all) with their rows and extremes."""
        frame = self.frame if keys is None else self.frame.filter(nw.col("key").is_in(keys))
        return self._grouped(frame, len(self.cuts) * _STRIDE)

    def values(self, most: int) -> Buckets:
        """The rows of every single value; raises TooMany for more than ``most`` different ones."""
        return self._grouped(self.frame.with_columns(key=nw.col("value")), most)

    def _grouped(self, frame: nw.LazyFrame, most: int) -> Buckets:
        asked = frame.group_by("key").agg(
            nw.col("value").min().alias("low"),
            nw.col("value").max().alias("high"),
            nw.col("reference").sum().cast(nw.Int64),
            nw.col("current").sum().cast(nw.Int64),
        )
        found = self.left.fetch(asked, most).sort_by("low")
        return Buckets(*(found[name].to_numpy() for name in ("key", "low", "high", "reference", "current")))


def _side(table: EngineTable, name: str, reference: int, current: int) -> nw.LazyFrame:
    values = table.frame.select(value=table.number(name)).filter(
        finite(nw.col("value")) & ~nw.col("value").is_null()
    )
    return values.with_columns(reference=nw.lit(reference, nw.Int64), current=nw.lit(current, nw.Int64))
