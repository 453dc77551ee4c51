"""A column of numbers on both sides: bracket, exact D, quantile bins and few values, from counts alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import narwhals as nw
import numpy as np

from core.drift.bins import bins_at, quantile_places
from core.drift.compare import are_few
from core.drift.engines.bracket import Buckets
from core.drift.engines.buckets import Sample
from core.drift.engines.table import EngineFailed, EngineTable, TooMany
from core.drift.kinds import FEW_VALUES

_FAT = 1 / 32
"""A bucket that has to be looked into is cut again while it holds more than this share of either side."""
_SMALL_ENOUGH = 1_000
"""A bucket of so few rows is not worth another question."""
_ROUNDS = 6
_MOST = 2**62
_MINUS, _PLUS = -1, -2  # the keys of the infinities, which no engine needs to count twice


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What the statistics need of a column of numbers; pairs are of the reference, then of current.

    D lies in ``bracket`` by the bucket counts alone, and is ``distance``. ``parts`` are the rows per quantile bin,
    ``few`` those per value where values are few, ``outside`` current's rows under and over the reference's range.
    """

    bracket: tuple[float, float]
    distance: float
    parts: tuple[np.ndarray, np.ndarray]
    few: tuple[np.ndarray, np.ndarray] | None
    outside: tuple[int, int]


def compare_numbers(left: EngineTable, right: EngineTable, name: str) -> Numbers:
    """Both sides of a column that has values on both; raises EngineFailed, also above 4e18 pairs of rows."""
    infinite = _infinities(left, right, name)
    sample, buckets = _counted(left, right, name, infinite)
    n, m = buckets.sizes
    if n * m > _MOST:
        raise EngineFailed("more rows than can be compared exactly")
    bracket = buckets.bracket()
    places = _places(buckets)
    for _ in range(_ROUNDS):
        fat = _fat(buckets, places)
        if not len(fat):
            break
        for key, low, high in zip(buckets.keys[fat], buckets.low[fat], buckets.high[fat], strict=True):
            sample = sample.cut(int(key), float(low), float(high))
        fresh = sample.counts([key for cut in sample.cuts[-len(fat) :] for key in cut.keys])
        buckets = _merged(buckets.without(fat), fresh)
    ranked = _Ranked(sample, buckets, places)
    return Numbers(
        bracket, ranked.widest() / (n * m), ranked.parts(), _few(sample, buckets, infinite),
        _outside(buckets, left.facts.of(name).low, left.facts.of(name).high),
    )  # fmt: skip


def _counted(left: EngineTable, right: EngineTable, name: str, infinite: Buckets) -> tuple[Sample, Buckets]:
    """The first cut, over the reference's range (over current's where the reference has no finite value)."""
    known, seen = left.facts.of(name), right.facts.of(name)
    span = seen if known.low is None else known
    sample = Sample(left, right, name)
    if span.low is None:
        return sample, infinite
    sample = sample.cut(0, span.low, span.high)
    return sample, _merged(sample.counts(), infinite)


def _infinities(left: EngineTable, right: EngineTable, name: str) -> Buckets:
    known, seen = left.facts.of(name), right.facts.of(name)
    ends = [(_MINUS, -np.inf, known.below, seen.below), (_PLUS, np.inf, known.above, seen.above)]
    keys, at, reference, current = zip(*ends, strict=True)
    held = np.array(reference) + np.array(current) > 0
    values = np.array(at)[held]
    return Buckets(
        np.array(keys)[held], values, values, np.array(reference, np.int64)[held], np.array(current, np.int64)[held]
    )  # fmt: skip


def _merged(one: Buckets, other: Buckets) -> Buckets:
    columns = [
        np.concatenate([getattr(one, field.name), getattr(other, field.name)]) for field in fields(Buckets)
    ]
    order = np.argsort(columns[1], kind="stable")
    return Buckets(*(column[order] for column in columns))


def _places(buckets: Buckets) -> np.ndarray:
    """The places of the reference's finite quantiles among all its values."""
    rows = buckets.reference
    infinite = {key: int(count) for key, count in zip(buckets.keys, rows, strict=True) if key < 0}
    finite = int(rows.sum()) - sum(infinite.values())
    return quantile_places(finite) + infinite.get(_MINUS, 0)


def _needed(buckets: Buckets, places: np.ndarray) -> np.ndarray:
    """The buckets whose inside decides something: the KS distance or a quantile of the reference."""
    needed = buckets.is_open
    needed[buckets.holding(places)] = True
    return needed & ~buckets.is_atom


def _fat(buckets: Buckets, places: np.ndarray) -> np.ndarray:
    n, m = buckets.sizes
    wide = (buckets.reference > _FAT * n) | (buckets.current > _FAT * m)
    many = buckets.reference + buckets.current > _SMALL_ENOUGH
    return np.flatnonzero(_needed(buckets, places) & wide & many)


def _outside(buckets: Buckets, low: float | None, high: float | None) -> tuple[int, int]:
    if low is None:
        return 0, 0
    finite = buckets.keys >= 0
    return (
        int(buckets.current[finite & (buckets.high < low)].sum()),
        int(buckets.current[finite & (buckets.low > high)].sum()),
    )


class _Ranked:
    """A look into the buckets that decide: the engine sorts each by itself (never all rows in one task).

    Per bucket it tells the widest gap to either side, and for each quantile that lies there the value, and how many
    rows of both sides lie at it and up to it.
    """

    def __init__(self, sample: Sample, buckets: Buckets, places: np.ndarray) -> None:
        self._buckets, self._n, self._m = buckets, *buckets.sizes
        self._holders = buckets.holding(places)
        self._offsets = places - buckets.before[0][self._holders]
        self._asked = np.flatnonzero(_needed(buckets, places))
        self._found = self._ask(sample) if len(self._asked) else {}

    def widest(self) -> int:
        """The widest gap, in units of 1 / (n * m)."""
        earlier, before = self._buckets.before
        widest = self._buckets.edges()
        for index in self._asked:
            start = int(earlier[index]) * self._m - int(before[index]) * self._n
            for row in self._found[int(self._buckets.keys[index])]:
                widest = max(widest, start + row["top"], -start - row["bottom"])
        return widest

    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows of both sides in each quantile bin of the reference."""
        edges = {value: (upto, own) for value, upto, own in map(self._edge, range(len(self._holders)))}
        values = np.array(sorted(edges))
        upto = np.array([edges[value][0] for value in sorted(edges)], np.int64).reshape(-1, 2)
        own = np.array([edges[value][1] for value in sorted(edges)], np.int64).reshape(-1, 2)
        rows = self._buckets.reference[self._buckets.keys >= 0].sum()
        bins = bins_at(values, own[:, 0], int(rows))
        at = np.searchsorted(values, bins.cuts)
        below = (upto - own)[at], upto[at]
        return tuple(
            bins.between(below[0][:, side], below[1][:, side], total)
            for side, total in ((0, self._n), (1, self._m))
        )

    def _edge(self, number: int) -> tuple[float, np.ndarray, np.ndarray]:
        """The value of a quantile, the rows of both sides up to it, and those equal to it."""
        index, offset = self._holders[number], self._offsets[number]
        before = np.array([side[index] for side in self._buckets.before])
        if self._buckets.is_atom[index]:
            own = np.array([self._buckets.reference[index], self._buckets.current[index]])
            return float(self._buckets.low[index]), before + own, own
        rows = (row for row in self._found[int(self._buckets.keys[index])] if row["quantile"] is not None)
        row = next(
            row for row in rows if row["reference"] - row["own_reference"] <= offset < row["reference"]
        )
        upto = before + np.array([row["reference"], row["current"]])
        return row["quantile"], upto, np.array([row["own_reference"], row["own_current"]])

    def _ask(self, sample: Sample) -> dict[int, list[dict[str, int | float]]]:
        sides = [nw.col(side).sum().cast(nw.Int64).alias(f"own_{side}") for side in ("reference", "current")]
        keys = self._buckets.keys[self._asked].tolist()
        counts = sample.frame.filter(nw.col("key").is_in(keys)).group_by("key", "value").agg(*sides)
        running = counts.with_columns(
            reference=nw.col("own_reference").cum_sum().over("key", order_by="value").cast(nw.Int64),
            current=nw.col("own_current").cum_sum().over("key", order_by="value").cast(nw.Int64),
        )
        # Integers: a literal with a point is a DECIMAL to Spark, and would round.
        n, m = nw.lit(self._n, nw.Int64), nw.lit(self._m, nw.Int64)
        gap = nw.col("reference") * m - nw.col("current") * n
        marked = running.with_columns(gap=gap, quantile=self._quantile())
        # The value of a quantile is a group of its own; all other values of a bucket are one.
        answer = marked.group_by("key", "quantile").agg(
            nw.col("gap").max().alias("top"),
            nw.col("gap").min().alias("bottom"),
            *(nw.col(name).max() for name in ("reference", "current", "own_reference", "own_current")),
        )
        found: dict[int, list[dict[str, int | float]]] = {key: [] for key in keys}
        for row in sample.left.fetch(answer, len(keys) + len(self._holders)).to_pylist():
            found[row["key"]].append(row)
        return found

    def _quantile(self) -> nw.Expr:
        """The value where a quantile of the reference lies at it; else NULL."""
        after, upto = nw.col("reference") - nw.col("own_reference"), nw.col("reference")
        reached = nw.lit(False)
        for index, offset in zip(self._holders.tolist(), self._offsets.tolist(), strict=True):
            if not self._buckets.is_atom[index]:
                at = nw.col("key") == int(self._buckets.keys[index])
                reached = reached | (at & (after <= offset) & (upto > offset))
        return nw.when(reached).then(nw.col("value"))


def _few(sample: Sample, buckets: Buckets, infinite: Buckets) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows per value, where both sides hold few different ones."""
    reference, current = buckets.reference, buckets.current
    if not buckets.is_atom.all():
        # Each bucket holds one value or more.
        if (reference > 0).sum() > FEW_VALUES or (current > 0).sum() > 2 * FEW_VALUES:
            return None
        try:
            values = _merged(sample.values(3 * FEW_VALUES), infinite)
        except TooMany:
            return None
        reference, current = values.reference, values.current
    if not are_few(int((reference > 0).sum()), int((current > 0).sum())):
        return None
    return reference, current
