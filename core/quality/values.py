"""Text (or what Parquet holds) turned into values of a declared type; what does not fit becomes missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.quality.schema_file import ColumnType

if TYPE_CHECKING:
    import pandas as pd

_TRUE, _FALSE = frozenset({"true", "yes", "1", "1.0"}), frozenset({"false", "no", "0", "0.0"})


def converted(column: pd.Series, kind: ColumnType) -> pd.Series:
    """The column as ``kind``: float64 for numbers, text for text and category, UTC times for dates."""
    import pandas as pd

    match kind:
        case ColumnType.INTEGER | ColumnType.NUMBER:
            numbers = pd.to_numeric(column, errors="coerce").astype("float64")
            return numbers.where(numbers % 1 == 0) if kind is ColumnType.INTEGER else numbers
        case ColumnType.BOOLEAN:
            words = column.astype("string").str.strip().str.lower()
            return words.where(words.isin(_TRUE | _FALSE)).isin(_TRUE).where(words.isin(_TRUE | _FALSE))
        case ColumnType.DATE:
            return pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        case _:
            return column.where(column.isna(), column.astype("string"))


def level_text(level: object) -> str:
    """A level as :func:`converted` writes it, so that 1, "1" and true can be named in YAML."""
    if isinstance(level, bool):
        return "true" if level else "false"
    return str(level)
