"""Counts of both sides of many columns in one frame, so that one question is enough for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import narwhals as nw

_SIDES = ("reference", "current")
_ROWS_FIRST = frozenset({"spark"})
"""Engines that pay for each step: there the rows of all columns are counted in one step, elsewhere each column's."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows of one column on both sides; ``number`` tells columns apart, ``known`` is the same in all its rows."""

    left: nw.LazyFrame
    right: nw.LazyFrame
    number: int
    known: Mapping[str, nw.Expr] = field(default_factory=dict)


def whole(number: int) -> nw.Expr:
    """A count as the engine's 64-bit integer: a literal with a point would be a DECIMAL to Spark, and round."""
    return nw.lit(number, nw.Int64)


def counted(
    engine: str, columns: Sequence[Sides], *keys: str, extremes_of: str | None = None
) -> nw.LazyFrame:
    """Rows per column and ``keys``: reference and current, what is known, and low and high of ``extremes_of``."""
    return (_in_one if engine in _ROWS_FIRST else _each)(columns, keys, extremes_of)


def _in_one(columns: Sequence[Sides], keys: tuple[str, ...], extremes_of: str | None) -> nw.LazyFrame:
    rows = [
        side.with_columns(
            column=whole(one.number), reference=whole(mine), current=whole(1 - mine), **one.known
        )
        for one in columns
        for side, mine in ((one.left, 1), (one.right, 0))
    ]
    known = (nw.col(name).max() for name in columns[0].known)
    both = nw.concat(rows, how="vertical").group_by("column", *keys)
    return both.agg(*_ends(extremes_of), *(nw.col(side).sum().cast(nw.Int64) for side in _SIDES), *known)


def _each(columns: Sequence[Sides], keys: tuple[str, ...], extremes_of: str | None) -> nw.LazyFrame:
    return nw.concat([_one(column, keys, extremes_of) for column in columns], how="vertical")


def _one(column: Sides, keys: tuple[str, ...], extremes_of: str | None) -> nw.LazyFrame:
    """Each side is counted by itself, and only its counts meet the other's."""
    rows = nw.len().cast(nw.Int64).alias("rows")
    mine, yours = (
        side.group_by(*keys).agg(*_ends(extremes_of), rows) for side in (column.left, column.right)
    )
    sides = (
        mine.with_columns(reference=nw.col("rows"), current=whole(0)),
        yours.with_columns(reference=whole(0), current=nw.col("rows")),
    )
    both = nw.concat([side.drop("rows") for side in sides], how="vertical").group_by(*keys)
    wider = [nw.col("low").min(), nw.col("high").max()] if extremes_of else []
    found = both.agg(*wider, *(nw.col(side).sum().cast(nw.Int64) for side in _SIDES))
    return found.with_columns(column=whole(column.number), **column.known)


def _ends(name: str | None) -> list[nw.Expr]:
    return [nw.col(name).min().alias("low"), nw.col(name).max().alias("high")] if name else []
