"""Which kind a column is: rules that are shown to the reader and can be overridden by a policy."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from core.drift.types import ColumnKind

if TYPE_CHECKING:
    import pyarrow as pa

RULES = (
    ("empty", "every reference value is missing"),
    ("boolean", "the type is boolean"),
    ("datetime", "the type is a date or a time, or every value is text in ISO 8601"),
    ("identifier", "50 rows or more, over 90 % of values differ, and it is text or an integer that counts "
     "up, is named like an id or goes beyond 2^53"),
    ("text", "text of four words or more on average, over half of the values differ"),
    ("constant", "one single value in the reference"),
    ("numeric", "the type is a number"),
    ("categorical", "any other text"),
    ("unsupported", "lists, structures and binary data"),
)  # fmt: skip
"""Kind and rule, first match first."""

FEW_VALUES = 10
"""A numeric column with at most this many reference values is tested by level: ties make KS conservative."""
_MIN_ROWS_FOR_ID = 50
_ID_NAME = re.compile(r"(^|[_\W])(id|ids|uuid|guid|key|mrn|ssn)$|[a-z]I[dD]$|^id[_\W]", re.IGNORECASE)


class Family(StrEnum):
    """Types whose values can be compared with each other."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIME = "time"
    NOTHING = "nothing"
    OTHER = "other"


def type_name(kind: pa.DataType) -> str:
    """An Arrow type in one word: how text is held in memory is nobody's business."""
    import pyarrow.types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    return "string" if t.is_large_string(kind) or t.is_string_view(kind) else str(kind)


def family(kind: pa.DataType) -> Family:
    """The family of an Arrow type."""
    import pyarrow.types as t

    if t.is_dictionary(kind):
        return family(kind.value_type)
    if t.is_null(kind):
        return Family.NOTHING
    if t.is_boolean(kind):
        return Family.BOOLEAN
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return Family.NUMBER
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return Family.TEXT
    if t.is_timestamp(kind) or t.is_date(kind) or t.is_time(kind):
        return Family.TIME
    return Family.OTHER


def numeric_kind(name: str, *, rows: int, distinct: int, whole: bool, counts_up: bool) -> ColumnKind:
    """The kind of a column of numbers; ``rows`` without missing values, ``whole`` for integer types."""
    if distinct == 1:
        return ColumnKind.CONSTANT
    many = rows >= _MIN_ROWS_FOR_ID and distinct > 0.9 * rows
    if whole and many and (counts_up or is_named_like_id(name)):
        return ColumnKind.IDENTIFIER
    return ColumnKind.NUMERIC


def is_named_like_id(name: str) -> bool:
    """Whether a column of integers with this name may be an identifier."""
    return _ID_NAME.search(name) is not None


def text_kind(*, rows: int, distinct: int, words: float) -> ColumnKind:
    """The kind of a column of text; ``words`` is the mean number of words of its distinct values."""
    if distinct == 1:
        return ColumnKind.CONSTANT
    if words >= 4 and distinct > 0.5 * rows and distinct > _MIN_ROWS_FOR_ID:
        return ColumnKind.TEXT
    if rows >= _MIN_ROWS_FOR_ID and distinct > 0.9 * rows:
        return ColumnKind.IDENTIFIER
    return ColumnKind.CATEGORICAL
