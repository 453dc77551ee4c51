"""A look into the buckets that decide: the engine sorts each by itself (never all rows in one task)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import narwhals as nw

from core.drift.bins import DEFAULT_BINS
from core.drift.engines.bracket import Buckets, quantiles
from core.drift.engines.buckets import Sample
from core.drift.engines.sides import Sides, counted, whole
from core.drift.engines.table import EngineTable

Row = dict[str, Any]
"""Part of a bucket: the widest gaps to either side inside it, counted from its start (``top``, ``bottom``). Where its
``quantile`` is not None it is that one value, and ``own_reference`` and ``own_current`` rows are equal to it,
``reference`` and ``current`` lie in the bucket up to it."""


def ranked(engine: EngineTable, columns: Sequence[tuple[Sample, Buckets]]) -> dict[int, dict[int, list[Row]]]:
    """By the sample's number and the bucket's key what lies inside the buckets that are needed."""
    found: dict[int, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    needed = [(sample, buckets) for sample, buckets in columns if buckets.needed.any()]
    if not needed:
        return found
    rows = [_inside(sample, buckets) for sample, buckets in needed]
    values = counted(engine.engine, rows, "key", "value")
    most = sum(int(buckets.needed.sum()) + DEFAULT_BINS for _, buckets in needed)
    for row in engine.fetch(_answer(values), most).to_pylist():
        found[row["column"]][row["key"]].append(row)
    return found


def _inside(sample: Sample, buckets: Buckets) -> Sides:
    """The rows in the needed buckets of one column, with what is known of bucket and column."""
    needed, offset = buckets.needed, nw.lit(None, nw.Int64)
    keys, holds = buckets.keys[needed].tolist(), needed & buckets.holds
    for key, rows in zip(buckets.keys[holds].tolist(), buckets.before[0][holds].tolist(), strict=True):
        offset = nw.when(nw.col("key") == key).then(whole(rows)).otherwise(offset)
    n, m = buckets.sizes.rows
    known = {"n_reference": whole(n), "n_current": whole(m), "finite": whole(max(1, buckets.sizes.finite[0]))}
    return sample.rows_in(keys, {**known, "offset": offset})


def _answer(values: nw.LazyFrame) -> nw.LazyFrame:
    upto = {
        f"upto_{side}": nw.col(side).cum_sum().over("column", "key", order_by="value").cast(nw.Int64)
        for side in ("reference", "current")
    }
    end = nw.col("offset") + nw.col("upto_reference")
    reached = quantiles(end) > quantiles(end - nw.col("reference"))
    marked = values.with_columns(**upto).with_columns(
        gap=nw.col("upto_reference") * nw.col("n_current") - nw.col("upto_current") * nw.col("n_reference"),
        quantile=nw.when(reached).then(nw.col("value")),
    )
    # The value of a quantile is a group of its own; all other values of a bucket are one.
    return marked.group_by("column", "key", "quantile").agg(
        nw.col("gap").max().alias("top"),
        nw.col("gap").min().alias("bottom"),
        *(nw.col(f"upto_{side}").max().alias(side) for side in ("reference", "current")),
        *(nw.col(side).max().alias(f"own_{side}") for side in ("reference", "current")),
    )
