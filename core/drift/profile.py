"""What is remembered of a column: its sorted numbers, or its levels and their counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.drift.csv_file import parse_numbers
from core.drift.kinds import Family, family, numeric_kind, text_kind, type_name
from core.drift.plain import PER_SECOND, fitted
from core.drift.statistics.wasserstein import Sums, sums
from core.drift.types import ColumnKind

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2.0**53
"""Beyond this doubles do not tell neighbouring integers apart."""
_ORDERED = frozenset({ColumnKind.NUMERIC})
_BY_LEVEL = frozenset({ColumnKind.CATEGORICAL, ColumnKind.BOOLEAN})


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One column of one table.

    ``values`` are ascending doubles without NaN (numbers, or seconds since 1970 for times); ``levels`` and
    ``counts`` belong together; ``keys`` are ascending 64-bit hashes of identifiers, so that no identifier
    is ever kept. Exactly one of the three is set for a column with data that can be compared. ``rounded`` says that
    integers are too large for doubles to tell neighbours apart. ``kept_sums`` are what
    the Wasserstein distance needs of ``finite``, where they were worked out before.
    """

    name: str
    kind: ColumnKind
    type: str
    family: Family
    rows: int
    missing: int
    values: np.ndarray | None = None
    levels: np.ndarray | None = None
    counts: np.ndarray | None = None
    keys: np.ndarray | None = None
    parsed: bool = False
    rounded: bool = False
    kept_sums: Sums | None = None

    @property
    def present(self) -> int:
        """Rows that hold a value."""
        return self.rows - self.missing

    @property
    def outline(self) -> Profile:
        """The same without its arrays."""
        return replace(self, values=None, levels=None, counts=None, keys=None, kept_sums=None)

    @property
    def finite(self) -> np.ndarray:
        """The values without infinities."""
        if self.values is None:
            return np.empty(0)
        low = np.searchsorted(self.values, -np.inf, side="right")
        return self.values[low : np.searchsorted(self.values, np.inf, side="left")]

    @property
    def sums(self) -> Sums:
        """What the Wasserstein distance needs of the finite values."""
        return self.kept_sums or sums(self.finite)

    @property
    def infinite(self) -> int:
        """How many values are infinite."""
        return 0 if self.values is None else len(self.values) - len(self.finite)


def profile_reference(name: str, column: pa.ChunkedArray, override: ColumnKind | None = None) -> Profile:
    """The profile of a reference column, its kind decided by the rules unless ``override`` says it."""
    group = family(column.type)
    if group is Family.OTHER or override is ColumnKind.UNSUPPORTED:
        return _bare(name, ColumnKind.UNSUPPORTED, column)
    if override is not None:
        return _as_kind(name, column, override)
    if column.null_count == len(column):
        return _bare(name, ColumnKind.EMPTY, column)
    if group is Family.NUMBER:
        return _numbers(name, column)
    if group is Family.TIME:
        return _times(name, column)
    if group is Family.BOOLEAN:
        return _levels(name, column, ColumnKind.BOOLEAN)
    times = _iso_times(column)
    return _text(name, column) if times is None else replace(_times(name, times), type="text in ISO 8601")


def profile_like(reference: Profile, column: pa.ChunkedArray) -> Profile:
    """The profile of the current column in the shape of the reference's, so that the two compare."""
    name, group = reference.name, family(column.type)
    if group is Family.OTHER or reference.kind in (ColumnKind.UNSUPPORTED, ColumnKind.EMPTY):
        return _bare(name, reference.kind, column)
    if column.null_count == len(column):
        return _bare(name, reference.kind, column)
    if reference.keys is not None:
        return _keys(name, column)
    if reference.levels is not None:
        return _levels(name, _booleans_if_so(reference, column), reference.kind)
    if reference.values is None:
        return _bare(name, reference.kind, column)
    if reference.kind is ColumnKind.DATETIME:
        times = column if group is Family.TIME else _mostly_times(column)
        return _bare(name, reference.kind, column) if times is None else _times(name, times)
    if group is Family.TEXT:
        return _ordered(name, column, reference.kind, parse_numbers(_plain(column)), parsed=True)
    if group is Family.TIME:
        return _bare(name, reference.kind, column)
    return _ordered(name, column, reference.kind, column)


def _as_kind(name: str, column: pa.ChunkedArray, kind: ColumnKind) -> Profile:
    if column.null_count == len(column):
        return _bare(name, ColumnKind.EMPTY, column)
    if kind is ColumnKind.IDENTIFIER:
        return _keys(name, column)
    if kind in _BY_LEVEL:
        return _levels(name, column, kind)
    if kind is ColumnKind.DATETIME:
        times = column if family(column.type) is Family.TIME else _iso_times(column)
        return _bare(name, kind, column) if times is None else _times(name, times)
    if kind in _ORDERED and family(column.type) is Family.TEXT:
        return _ordered(name, column, kind, parse_numbers(_plain(column)), parsed=True)
    if kind in _ORDERED and family(column.type) in (Family.NUMBER, Family.BOOLEAN):
        return _ordered(name, column, kind, column)
    return _bare(name, kind, column)


def _bare(name: str, kind: ColumnKind, column: pa.ChunkedArray) -> Profile:
    import pyarrow.compute as pc
    import pyarrow.types as t

    missing = column.null_count
    if t.is_floating(column.type):
        missing += pc.sum(pc.is_nan(column)).as_py() or 0
    return Profile(name, kind, type_name(column.type), family(column.type), len(column), missing)


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    if column.null_count:
        column = column.drop_null()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not pa.types.is_float64(column.type):
        column = column.cast(pa.float64(), safe=False)
    return doubles(column)


def doubles(column: pa.ChunkedArray) -> np.ndarray:
    """A float64 column as one new array; what lies under a null is undefined.

    Read from Arrow's buffers, since ``to_numpy`` of a column imports pandas: half of a small check's time and memory.
    """
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype=np.float64, count=len(chunk), offset=8 * chunk.offset)
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _ordered(
    name: str, column: pa.ChunkedArray, kind: ColumnKind, numbers: pa.ChunkedArray, *, parsed: bool = False
) -> Profile:
    import pyarrow.types as t

    values = _doubles(numbers)
    values.sort()
    # NaN sorts behind everything, so one search finds where the numbers end.
    values = values[: np.searchsorted(values, np.nan)]
    missing = len(column) - len(values)
    return Profile(
        name,
        kind,
        type_name(column.type),
        family(column.type),
        len(column),
        missing,
        values=values,
        parsed=parsed,
        rounded=t.is_integer(column.type)
        and bool(len(values))
        and bool(max(-values[0], values[-1]) > _EXACT),
    )


def _numbers(name: str, column: pa.ChunkedArray) -> Profile:
    import pyarrow.compute as pc
    import pyarrow.types as t

    profile = _ordered(name, column, ColumnKind.NUMERIC, column)
    values = profile.values
    if not len(values):
        return _with(profile, ColumnKind.EMPTY, values=None)
    distinct = 1 + int(np.count_nonzero(values[1:] != values[:-1]))
    whole = t.is_integer(column.type)
    counts_up = distinct == len(values) and float(values[-1]) - float(values[0]) + 1 == distinct
    if profile.rounded:
        # So long a number is a name, where nearly every row has another.
        distinct, counts_up = pc.count_distinct(column).as_py(), True
    kind = numeric_kind(name, rows=len(values), distinct=distinct, whole=whole, counts_up=bool(counts_up))
    if kind is ColumnKind.IDENTIFIER:
        return _keys(name, column)
    return _with(profile, kind)


def _with(profile: Profile, kind: ColumnKind, **changes: object) -> Profile:
    return replace(profile, kind=kind, **changes)


def _times(name: str, column: pa.ChunkedArray) -> Profile:
    seconds = np.sort(_seconds(column.drop_null()))
    missing = len(column) - len(seconds)
    return Profile(
        name, ColumnKind.DATETIME, type_name(column.type), Family.TIME, len(column), missing, values=seconds
    )


def _seconds(stamps: pa.ChunkedArray) -> np.ndarray:
    """Seconds since 1970, or since midnight: by the unit of the type, so that no far date overflows."""
    import pyarrow as pa
    import pyarrow.types as t

    kind = stamps.type
    if t.is_date32(kind):
        return stamps.cast(pa.int32()).to_numpy().astype(float) * 86400
    whole = stamps.cast(pa.int32()) if t.is_time32(kind) else stamps.cast(pa.int64())
    return whole.to_numpy() / (1000 if t.is_date64(kind) else PER_SECOND[kind.unit])


def _mostly_times(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Text as times where at least half of it is; the rest is missing. None for other columns."""
    import pyarrow as pa

    if family(column.type) is not Family.TEXT:
        return None
    times = fitted(column, pa.timestamp("us", tz="UTC"))
    return times if 2 * (times.null_count - column.null_count) <= len(column) - column.null_count else None


def _iso_times(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Text as times when every value is ISO 8601 (a first look at 20 of them keeps this cheap)."""
    import pyarrow as pa

    if family(column.type) is not Family.TEXT:
        return None
    try:
        for kind in (pa.timestamp("us"), pa.timestamp("us", tz="UTC")):
            head = _plain(column.slice(0, 1000).drop_null().slice(0, 20))
            if len(head) and _casts(head, kind):
                return _plain(column).cast(kind)
    except pa.ArrowException:
        return None
    return None


def holds_iso_times(column: pa.ChunkedArray) -> bool:
    """Whether a column of text holds times in ISO 8601 alone."""
    return _iso_times(column) is not None


def _casts(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        column.cast(kind)
    except pa.ArrowException:
        return False
    return True


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _value_counts(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values as text and their counts."""
    found = column.drop_null().value_counts()
    counts = found.field("counts").to_numpy(zero_copy_only=False)
    return level_names(found.field("values")), counts.astype(np.int64)


def level_names(values: pa.Array) -> np.ndarray:
    """Distinct values as text; integers and whole doubles both read '1'."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if family(values.type) is Family.NUMBER:
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.array([repr(int(v)) if v.is_integer() else repr(float(v)) for v in numbers], dtype=object)
    return np.array(values.cast(pa.string()).to_pylist(), dtype=object)


def _levels(name: str, column: pa.ChunkedArray, kind: ColumnKind) -> Profile:
    levels, counts = _value_counts(column)
    return Profile(
        name, kind, type_name(column.type), family(column.type), len(column), len(column) - int(counts.sum()),
        levels=levels, counts=counts,
    )  # fmt: skip


def _booleans_if_so(reference: Profile, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """0 and 1 read as booleans where the reference is boolean; any other column as it is."""
    import pyarrow as pa

    if reference.family is Family.BOOLEAN and family(column.type) is Family.NUMBER:
        values = np.unique(_doubles(column))
        if np.isin(values, (0, 1)).all():
            return column.cast(pa.float64(), safe=False).cast(pa.int8()).cast(pa.bool_())
    return column


def _text(name: str, column: pa.ChunkedArray) -> Profile:
    profile = _levels(name, column, ColumnKind.CATEGORICAL)
    sample = profile.levels[:1000]
    words = float(np.mean([len(level.split()) for level in sample]))
    kind = text_kind(rows=profile.present, distinct=len(profile.levels), words=words)
    if kind is ColumnKind.IDENTIFIER:
        return _keys(name, column)
    if kind is ColumnKind.TEXT:
        return _bare(name, kind, column)
    return _with(profile, kind)


def _keys(name: str, column: pa.ChunkedArray) -> Profile:
    from pandas.util import hash_array

    values = _plain(column).drop_null()
    if family(values.type) is not Family.TEXT:
        import pyarrow as pa

        values = values.cast(pa.string())
    keys = np.sort(hash_array(values.to_numpy().astype(object), categorize=False))
    return Profile(
        name, ColumnKind.IDENTIFIER, type_name(column.type), family(column.type), len(column), column.null_count,
        keys=keys,
    )  # fmt: skip
