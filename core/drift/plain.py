"""Columns in the few Arrow types that the rest of the room compares, whatever a file or a table holds them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def plain_type(kind: pa.DataType) -> pa.DataType:
    """What a column of ``kind`` is compared as: durations as seconds, encodings and extensions as what they hold."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if t.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if t.is_dictionary(kind):
        return kind if _is_text(kind.value_type) else plain_type(kind.value_type)
    if t.is_duration(kind):
        return pa.float64()
    if t.is_float16(kind):
        return pa.float32()
    return pa.string() if t.is_string_view(kind) else kind


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in its plain type; may raise ArrowException."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(pa.chunked_array([chunk.storage for chunk in column.chunks], type=kind.storage_type))
    if t.is_run_end_encoded(kind):
        return plain(
            pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], type=kind.value_type)
        )
    if t.is_dictionary(kind) and (
        not _is_text(kind.value_type) or any(chunk.dictionary.null_count for chunk in column.chunks)
    ):
        return plain(
            pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], type=kind.value_type)
        )
    if t.is_duration(kind):
        return pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), float(PER_SECOND[kind.unit]))
    wanted = plain_type(kind)
    return column if wanted == kind else column.cast(wanted)


def common_type(held: dict[pa.DataType, int]) -> pa.DataType:
    """The type for a column that files hold differently, by the rows of each type: that of the most rows' family.

    Numbers widen to double; times become UTC where one of them has a zone.
    """
    import pyarrow as pa

    from core.drift.kinds import Family

    known = {kind: rows for kind, rows in held.items() if not pa.types.is_null(kind)}
    if len(known) <= 1:
        return next(iter(known), pa.null())
    rows_of: dict[Family, int] = {}
    for kind, rows in known.items():
        group = _family(kind)
        rows_of[group] = rows_of.get(group, 0) + rows
    most = max(rows_of, key=lambda group: rows_of[group])
    kinds = [kind for kind in known if _family(kind) is most]
    if len(kinds) == 1:
        return kinds[0]
    if most is Family.NUMBER:
        return pa.float64()
    if most is Family.TIME and not any(pa.types.is_time(kind) for kind in kinds):
        zoned = any(pa.types.is_timestamp(kind) and kind.tz for kind in kinds)
        return pa.timestamp("us", tz="UTC" if zoned else None)
    return max(kinds, key=lambda kind: known[kind]) if most is Family.OTHER else pa.string()


def are_alike(kinds: set[pa.DataType]) -> bool:
    """Whether columns of these types hold the same sort of values (a column without values fits any)."""
    import pyarrow as pa

    return len({_family(kind) for kind in kinds if not pa.types.is_null(kind)}) <= 1


def fitted(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """The column as ``wanted``; a value that cannot be read so is missing."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if t.is_dictionary(wanted):
        wanted = wanted.value_type
    if column.type == wanted:
        return column
    if t.is_timestamp(wanted) and not (t.is_timestamp(column.type) or t.is_date(column.type)):
        return (
            _times(column, wanted)
            if _is_text(column.type)
            else pa.chunked_array([pa.nulls(len(column), wanted)])
        )
    try:
        return column.cast(wanted, safe=False)
    except pa.ArrowException:
        if _is_text(column.type) and t.is_floating(wanted):
            from core.drift.csv_file import parse_numbers

            return parse_numbers(column).cast(wanted, safe=False)
        return pa.chunked_array([pa.nulls(len(column), wanted)])


def _times(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pandas as pd
    import pyarrow as pa

    times = pd.to_datetime(column.to_pandas(), utc=True, errors="coerce", format="ISO8601")
    return pa.chunked_array([pa.Array.from_pandas(times.dt.tz_localize(None))]).cast(wanted, safe=False)


def _family(kind: pa.DataType) -> object:
    """The family of a type; booleans count as numbers, as a file that has no missing value holds them."""
    from core.drift.kinds import Family, family

    found = family(kind)
    return Family.NUMBER if found is Family.BOOLEAN else found


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_string(kind) or t.is_large_string(kind)
