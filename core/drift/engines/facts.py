"""The profile aggregates: rows, missing values, infinities and range of every column in one pass over a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

import narwhals as nw

from core.drift.engines.failures import EngineFailed, together
from core.drift.kinds import Family

if TYPE_CHECKING:
    from core.drift.engines.table import EngineTable

_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """``missing`` counts NULL and NaN; ``low`` and ``high`` are the finite range (None without one)."""

    missing: int
    low: float | date | datetime | None = None
    high: float | date | datetime | None = None
    below: int = 0
    above: int = 0
    nan: int = 0

    @property
    def infinite(self) -> int:
        """Values that are minus (``below``) or plus infinity (``above``)."""
        return self.below + self.above

    @property
    def is_clean(self) -> bool:
        """Whether no value is NaN or infinite."""
        return self.infinite + self.nan == 0

    def finite(self, rows: int) -> int:
        """Those of the table's rows that hold a finite value."""
        return rows - self.missing - self.infinite

    @property
    def is_constant(self) -> bool:
        """Whether all values that are not missing are the same."""
        ends = {self.low, self.high, *((-math.inf,) * bool(self.below)), *((math.inf,) * bool(self.above))}
        return len(ends - {None}) == 1


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of a table, and what is known of each column that could be asked; ``failed`` says why one was not."""

    rows: int
    columns: Mapping[str, ColumnFacts]
    failed: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> ColumnFacts:
        """The facts on ``name``; raises EngineFailed where the engine could not tell them."""
        if name in self.failed:
            raise EngineFailed(self.failed[name])
        return self.columns[name]


def facts_of(table: EngineTable) -> Facts:
    """One question about all columns, and one more about those that hold NaN or an infinity."""
    told, failed = together(table.names, lambda names: _first(table, names))
    rows = next(iter(told.values()))["rows"] if told else table.fetch_one(table.frame.select(_ROWS))["rows"]
    unclean = [name for name, found in told.items() if found["present"] > found["finite"]]
    odd, odd_failed = together(unclean, lambda names: _odd(table, names))
    columns = {
        name: ColumnFacts(
            missing=rows - found["present"] + odd.get(name, {}).get("nan", 0),
            low=found["low"],
            high=found["high"],
            **odd.get(name, {}),
        )
        for name, found in told.items()
    }
    return Facts(rows, columns, failed | odd_failed)


_ROWS = nw.len().cast(nw.Int64).alias("rows")


def finite(value: nw.Expr) -> nw.Expr:
    """Whether a double is neither NaN, which Spark and PostgreSQL sort behind infinity, nor infinite."""
    return value.abs() <= _LARGEST


def count_if(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition."""
    return nw.when(condition).then(nw.lit(1, nw.Int32)).count().cast(nw.Int64)


def _first(table: EngineTable, names: Sequence[str]) -> dict[str, dict[str, object]]:
    """By column: rows of the table, present and finite ones, and the range of the latter."""
    asked = [_ROWS]
    for name in names:
        number, family, column = table.names.index(name), table.family_of(name), nw.col(name)
        asked.append(column.count().cast(nw.Int64).alias(f"present{number}"))
        if family in (Family.NUMBER, Family.BOOLEAN):
            column = table.number(name)
            if not table.type_of(name).is_integer() and family is Family.NUMBER:
                column = nw.when(finite(column)).then(column)
                asked.append(column.count().cast(nw.Int64).alias(f"finite{number}"))
        elif family is not Family.TIME:
            continue
        asked += [column.min().alias(f"low{number}"), column.max().alias(f"high{number}")]
    found = table.fetch_one(table.frame.select(*asked))

    def told(name: str) -> dict[str, object]:
        number = table.names.index(name)
        own = {what: found.get(f"{what}{number}") for what in ("present", "finite", "low", "high")}
        finite_rows = own["present"] if own["finite"] is None else own["finite"]
        return {**own, "finite": finite_rows, "rows": found["rows"]}

    return {name: told(name) for name in names}


def _odd(table: EngineTable, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """By column: rows that are NaN, minus and plus infinity."""
    asked = {}
    for number, name in enumerate(names):
        value = table.number(name)
        asked |= {
            f"nan{number}": count_if(value.is_nan()),
            f"below{number}": count_if(value < -_LARGEST),
            f"above{number}": count_if((value > _LARGEST) & ~value.is_nan()),
        }
    found = table.fetch_one(table.frame.select(**asked))
    return {
        name: {what: found[f"{what}{number}"] for what in ("nan", "below", "above")}
        for number, name in enumerate(names)
    }
