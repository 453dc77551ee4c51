"""From long rows (run, key, value) to one column a key, without an object a row. Pure; Arrow and NumPy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MLFLOW_INFINITY = 1.7976931348623157e308
"""MLflow stores an infinite metric as the largest double of its sign."""

_LARGE = 1 << 30


def attribute_schema() -> pa.Schema:
    """Columns of ``RunTable.attributes``."""
    import pyarrow as pa

    text = ("run_id", "name", "experiment", "experiment_id", "status", "user", "lifecycle_stage")
    time = pa.timestamp("ms", tz="UTC")
    return pa.schema(
        [
            *((name, pa.string()) for name in text),
            ("artifact_uri", pa.string()),
            ("start_time", time),
            ("end_time", time),
            ("duration_s", pa.float64()),
        ]
    )


def dataset_schema() -> pa.Schema:
    """Columns of ``RunTable.datasets``, one row a data set of a run."""
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in ("run_id", "name", "digest", "context", "source")])


def attributes(columns: Mapping[str, Any]) -> pa.Table:
    """The attributes table from its columns; times in Unix ms, where null or below 0 means none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = dict(columns)
    for name in ("start_time", "end_time"):
        stamps = pc.cast(found[name], pa.int64())
        found[name] = pc.if_else(pc.greater_equal(stamps, 0), stamps, None)
    milliseconds = pc.subtract(found["end_time"], found["start_time"])
    found["duration_s"] = pc.divide(pc.cast(milliseconds, pa.float64()), 1000.0)
    return pa.table({field.name: pc.cast(found[field.name], field.type) for field in attribute_schema()})


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as strings: a driver that saw no row gives it another type."""
    import pyarrow as pa

    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def metric_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Stored metric values as they were logged: NaN where null is stored, infinities from the largest double."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = values.cast(pa.float64())
    infinite = pc.greater_equal(pc.abs(values), MLFLOW_INFINITY)
    if pc.any(infinite).as_py():
        values = pc.if_else(infinite, pc.multiply(values, float("inf")), values)
    return pc.fill_null(values, float("nan"))


def metric_value(value: float | None) -> float:
    """One stored metric value as it was logged; see :func:`metric_values`."""
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= MLFLOW_INFINITY else float(value)


def pivot(
    run_ids: pa.Array | pa.ChunkedArray,
    owners: pa.ChunkedArray,
    keys: pa.ChunkedArray,
    values: pa.ChunkedArray,
) -> pa.Table:
    """One column a key (sorted), one row a run of ``run_ids``; null where a run lacks the key.

    ``owners``, ``keys`` and ``values`` are the long rows; rows of other runs are left out.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.nbytes > _LARGE and pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    run_ids = as_array(run_ids)
    rows = as_array(pc.index_in(owners, value_set=run_ids).fill_null(-1)).to_numpy()
    coded = as_array(as_array(keys).dictionary_encode())
    kept = np.flatnonzero(rows >= 0)
    codes = coded.indices.to_numpy()[kept]
    places = np.full((len(coded.dictionary), len(run_ids)), -1, dtype=np.int64)
    places[codes, rows[kept]] = kept
    names = coded.dictionary.to_pylist()
    used = np.unique(codes).tolist()
    flat = as_array(values)
    columns = {names[code]: flat.take(pa.array(places[code], mask=places[code] < 0)) for code in used}
    table = {name: columns[name] for name in sorted(columns)}
    return pa.table(table) if table else empty(len(run_ids))


def empty(rows: int) -> pa.Table:
    """A table without columns that still has ``rows`` rows."""
    import pyarrow as pa

    return pa.table({"": pa.nulls(rows)}).select([])


def as_array(column: Any) -> Any:
    """A chunked column as one array; an array as it is."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
