"""Columns that are compared by level, and identifiers: counts per value, never the values of an identifier."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pyarrow as pa

from core.drift.engines.table import EngineTable
from core.drift.kinds import Family
from core.drift.profile import level_names

Levels = tuple[np.ndarray, np.ndarray]


def distinct(table: EngineTable, name: str) -> int:
    """How many different values there are, without missing ones."""
    known = _present(table, name).select(name).unique()
    return table.fetch_one(known.select(nw.len().cast(nw.Int64).alias("found")))["found"]


def mean_words(table: EngineTable, name: str) -> float:
    """The mean number of words of a value of text, by its spaces."""
    text = nw.col(name)
    spaces = text.str.len_chars() - text.str.replace_all(" ", "", literal=True).str.len_chars()
    asked = _present(table, name).select((spaces + 1).cast(nw.Float64).mean().alias("found"))
    return float(table.fetch_one(asked)["found"] or 0.0)


def levels(table: EngineTable, name: str) -> Levels:
    """Different values as text, and their rows; raises TooMany for more levels than a person could look at."""
    asked = _present(table, name).group_by(name).agg(nw.len().cast(nw.Int64).alias("rows in it"))
    found = table.fetch(asked)
    names, counts = level_names(found[name].combine_chunks()), found["rows in it"].to_numpy()
    # Two values may have one name (0.0 and -0.0); what is compared is the name.
    known, place = (
        np.unique(names.astype(str), return_inverse=True) if len(names) else (names, np.empty(0, int))
    )
    return known.astype(object), np.bincount(place, weights=counts, minlength=len(known)).astype(np.int64)


def as_booleans(names: np.ndarray) -> np.ndarray:
    """Levels 0 and 1 as false and true; any others as they are."""
    words = {"0": "false", "1": "true"}
    return np.array([words[name] for name in names], dtype=object) if set(names) <= set(words) else names


def new_values(left: EngineTable, right: EngineTable, name: str) -> int:
    """How many rows of ``right`` hold a value that ``left`` never had."""
    known = _present(left, name).select(name).unique()
    strange = _present(right, name).select(name).join(known, on=name, how="anti")
    return right.fetch_one(strange.select(nw.len().cast(nw.Int64).alias("found")))["found"]


def _present(table: EngineTable, name: str) -> nw.LazyFrame:
    frame = table.frame.select(name).filter(~nw.col(name).is_null())
    if table.family_of(name) is Family.NUMBER:
        value = table.number(name)
        return frame.with_columns(value.alias(name)).filter(~nw.col(name).is_nan())
    return frame


def as_array(names: np.ndarray) -> pa.ChunkedArray:
    """Level names as a column of text."""
    return pa.chunked_array([pa.array(names.tolist(), pa.string())])
