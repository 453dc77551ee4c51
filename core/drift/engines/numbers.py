"""Columns of numbers on both sides: bracket, exact D, quantile bins and few values, from counts alone.

One question counts the buckets of all columns, one more those of the columns that need finer ones, and the last one
ranks the values inside the buckets that decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.drift.bins import bins_at, quantile_places
from core.drift.compare import are_few
from core.drift.engines.bracket import ANSWER, FEW_BUCKETS, MOST_DECIDING, Buckets, deciding
from core.drift.engines.buckets import Sample
from core.drift.engines.failures import EngineFailed, TooMany
from core.drift.engines.ranks import Row, ranked
from core.drift.engines.sides import counted
from core.drift.engines.table import EngineTable

_MOST = 2**62


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


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """A column's buckets as they were told last, and what the first count told about the range."""

    sample: Sample
    buckets: Buckets
    outside: tuple[int, int]


def compare_numbers(left: EngineTable, right: EngineTable, names: Sequence[str]) -> dict[str, Numbers]:
    """Both sides of columns that have values on both; raises EngineFailed, also above 4e18 pairs of rows."""
    samples = [Sample.of(left, right, name, number) for number, name in enumerate(names)]
    for sample in samples:
        n, m = sample.sizes.rows
        if n * m > _MOST:
            raise EngineFailed("more rows than can be compared exactly")
    columns = _counted(left, samples)
    found = ranked(left, [(one.sample, one.buckets) for one in columns])
    return {one.sample.name: _numbers(one, found[one.sample.number]) for one in columns}


def _counted(engine: EngineTable, samples: Sequence[Sample]) -> list[_Counted]:
    """Every column counted until its deciding buckets are all told and none of them holds too many rows."""
    done: dict[int, _Counted] = {}
    pending = list(samples)
    while pending:
        again = []
        for sample, buckets in zip(pending, _count(engine, pending), strict=True):
            known = done.get(sample.number)
            outside = known.outside if known else _outside(buckets, sample)
            done[sample.number] = _Counted(sample, buckets, outside)
            finer = sample.finer(buckets)
            if finer or buckets.is_crowded:
                again.append(finer or sample.coarser())
        pending = again
    return [done[sample.number] for sample in samples]


def _count(engine: EngineTable, samples: Sequence[Sample]) -> list[Buckets]:
    asked = [sample.counted() for sample in samples if sample.cuts]
    nothing = {name: np.empty(0, np.int64) for name in ANSWER}
    if not asked:
        return [Buckets.of(nothing, sample.sizes) for sample in samples]
    counts = counted(engine.engine, asked, "key", extremes_of="value")
    table = engine.fetch(deciding(counts), (MOST_DECIDING + 20) * len(asked))
    columns = {name: table[name].to_numpy() for name in ("column", *ANSWER)}
    found = []
    for sample in samples:
        own = columns["column"] == sample.number
        buckets = Buckets.of({name: columns[name][own] for name in ANSWER}, sample.sizes)
        if buckets.rows != sum(sample.sizes.finite):
            raise EngineFailed("the table changed while it was compared")
        found.append(buckets)
    return found


def _outside(buckets: Buckets, sample: Sample) -> tuple[int, int]:
    known = sample.left.facts.of(sample.name)
    if known.low is None:
        return 0, 0
    return (
        int(buckets.current[buckets.high < known.low].sum()),
        int(buckets.current[buckets.low > known.high].sum()),
    )


def _numbers(one: _Counted, rows: dict[int, list[Row]]) -> Numbers:
    buckets = one.buckets
    n, m = buckets.sizes.rows
    widest, starts = buckets.edges(), buckets.starts()
    for index, key in enumerate(buckets.keys.tolist()):
        for row in rows.get(key, ()):
            widest = max(widest, int(starts[index]) + row["top"], -int(starts[index]) - row["bottom"])
    return Numbers(buckets.bracket(), widest / (n * m), _parts(buckets, rows), _few(one), one.outside)


def _parts(buckets: Buckets, rows: dict[int, list[Row]]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of both sides in each quantile bin of the reference."""
    sizes = buckets.sizes
    places = quantile_places(sizes.finite[0])
    holders = np.searchsorted(buckets.upto[0], places, side="right")
    edges = dict(_edge(buckets, int(at), int(place), rows) for at, place in zip(holders, places, strict=True))
    values = np.array(sorted(edges))
    upto, own = (
        np.array([edges[value][number] for value in sorted(edges)], np.int64).reshape(-1, 2)
        for number in (0, 1)
    )
    bins = bins_at(values, own[:, 0], sizes.finite[0])
    at = np.searchsorted(values, bins.cuts)
    below = np.array(sizes.below)
    first, last = (below + upto - own)[at], (below + upto)[at]
    reference, current = (
        bins.between(first[:, side], last[:, side], total) for side, total in enumerate(sizes.rows)
    )
    return reference, current


def _edge(
    buckets: Buckets, index: int, place: int, rows: dict[int, list[Row]]
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """The value of a quantile; the finite rows of both sides up to it, and those equal to it."""
    before = np.array([side[index] for side in buckets.before])
    if buckets.is_atom[index]:
        own = np.array([buckets.reference[index], buckets.current[index]])
        return float(buckets.low[index]), (before + own, own)
    offset = place - before[0]
    row = next(
        row
        for row in rows[int(buckets.keys[index])]
        if row["quantile"] is not None
        and row["reference"] - row["own_reference"] <= offset < row["reference"]
    )
    upto = before + np.array([row["reference"], row["current"]])
    return row["quantile"], (upto, np.array([row["own_reference"], row["own_current"]]))


def _few(one: _Counted) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows per value, where both sides hold few different ones."""
    buckets, sizes = one.buckets, one.buckets.sizes
    if buckets.buckets > FEW_BUCKETS:
        return None
    counts = np.array([buckets.reference, buckets.current], np.int64)
    if not buckets.is_atom.all():
        # A bucket holds one value or more, and the engine is asked for no more values than are few.
        try:
            values = one.sample.left.fetch(one.sample.values(), FEW_BUCKETS)
        except TooMany:
            return None
        counts = np.array([values["reference"].to_numpy(), values["current"].to_numpy()], np.int64)
    infinite = np.array([sizes.below, sizes.above], np.int64).T
    reference, current = np.hstack([counts, infinite[:, infinite.sum(axis=0) > 0]])
    if not are_few(int((reference > 0).sum()), int((current > 0).sum())):
        return None
    return reference, current
