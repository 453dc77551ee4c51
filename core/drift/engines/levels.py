"""Columns that are compared by level, and identifiers: counts per value, never the values of an identifier."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pyarrow as pa

from core.drift.engines.sides import Sides, counted
from core.drift.engines.table import EngineTable
from core.drift.kinds import Family
from core.drift.profile import level_names

Levels = tuple[np.ndarray, np.ndarray]


def distinct(table: EngineTable, name: str) -> int:
    """How many different values there are, without missing ones."""
    known = _present(table, name).select(name).unique()
    return table.fetch_one(known.select(nw.len().cast(nw.Int64).alias("found")))["found"]


def wording(table: EngineTable, names: Sequence[str]) -> dict[str, tuple[int, float]]:
    """For each column of text how many different values it holds, and the mean number of their words (by spaces)."""
    text = nw.col("value")
    spaces = text.str.len_chars() - text.str.replace_all(" ", "", literal=True).str.len_chars()
    asked = [
        _text(table, name)
        .unique()
        .select(nw.len().cast(nw.Int64).alias("found"), (spaces + 1).cast(nw.Float64).mean().alias("words"))
        .with_columns(column=nw.lit(number, nw.Int64))
        for number, name in enumerate(names)
    ]
    found = table.fetch(nw.concat(asked, how="vertical"), len(names)).to_pylist()
    return {names[row["column"]]: (row["found"], float(row["words"] or 0.0)) for row in found}


def levels(table: EngineTable, name: str) -> Levels:
    """Different values as text, and their rows; raises TooMany for more levels than a person could look at."""
    asked = _present(table, name).group_by(name).agg(nw.len().cast(nw.Int64).alias("rows in it"))
    found = table.fetch(asked)
    return _named(found[name], found["rows in it"].to_numpy())


def levels_of_both(
    left: EngineTable, right: EngineTable, names: Sequence[str]
) -> dict[str, tuple[Levels, Levels]]:
    """The levels of the reference and of current, for columns that hold text (or booleans) on both sides."""
    asked = [Sides(_text(left, name), _text(right, name), number) for number, name in enumerate(names)]
    found = left.fetch(counted(left.engine, asked, "value"))
    told = {}
    for number, name in enumerate(names):
        own = found.filter(pa.compute.equal(found["column"], number))
        told[name] = tuple(
            _named(own["value"].filter(pa.array(rows > 0)), rows[rows > 0])
            for rows in (own[side].to_numpy() for side in ("reference", "current"))
        )
    return told


def as_booleans(names: np.ndarray) -> np.ndarray:
    """Levels 0 and 1 as false and true; any others as they are."""
    words = {"0": "false", "1": "true"}
    return np.array([words[name] for name in names], dtype=object) if set(names) <= set(words) else names


def new_values(left: EngineTable, right: EngineTable, name: str) -> int:
    """How many rows of ``right`` hold a value that ``left`` never had."""
    known = _present(left, name).select(name).unique()
    strange = _present(right, name).select(name).join(known, on=name, how="anti")
    return right.fetch_one(strange.select(nw.len().cast(nw.Int64).alias("found")))["found"]


def as_array(names: np.ndarray) -> pa.ChunkedArray:
    """Level names as a column of text."""
    return pa.chunked_array([pa.array(names.tolist(), pa.string())])


def _present(table: EngineTable, name: str) -> nw.LazyFrame:
    frame = table.frame.select(name).filter(~nw.col(name).is_null())
    if table.family_of(name) is Family.NUMBER:
        value = table.number(name)
        return frame.with_columns(value.alias(name)).filter(~nw.col(name).is_nan())
    return frame


def _text(table: EngineTable, name: str) -> nw.LazyFrame:
    """The values of a column of text, or of booleans by their names, without missing ones."""
    present, column = table.frame.select(name).filter(~nw.col(name).is_null()), nw.col(name)
    if table.family_of(name) is Family.BOOLEAN:
        return present.select(value=nw.when(column).then(nw.lit("true")).otherwise(nw.lit("false")))
    return present.select(value=column.cast(nw.String))


def _named(values: pa.ChunkedArray, counts: np.ndarray) -> Levels:
    names = level_names(values.combine_chunks())
    # Two values may have one name (0.0 and -0.0); what is compared is the name.
    known, place = (
        np.unique(names.astype(str), return_inverse=True) if len(names) else (names, np.empty(0, int))
    )
    return known.astype(object), np.bincount(place, weights=counts, minlength=len(known)).astype(np.int64)
