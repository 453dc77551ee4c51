"""The profile aggregates: rows, missing values, infinities and range of every column in one pass over a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

import narwhals as nw

from core.drift.engines.table import EngineFailed
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

    @property
    def infinite(self) -> int:
        """Values that are minus (``below``) or plus infinity (``above``)."""
        return self.below + self.above

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
    """One question about all columns; where the engine refuses it, one for each, so that one costs no other."""
    count = {"rows": nw.len().cast(nw.Int64)}
    try:
        found = table.fetch_one(table.frame.select(**count, **_asked(table, table.names)))
        return Facts(found["rows"] or 0, {name: _told(table, name, found) for name in table.names})
    except EngineFailed:
        rows = table.fetch_one(table.frame.select(**count))["rows"]
    told, failed = {}, {}
    for name in table.names:
        try:
            told[name] = _told(table, name, table.fetch_one(table.frame.select(**_asked(table, (name,)))))
        except EngineFailed as error:
            failed[name] = error.what
    return Facts(rows, told, failed)


def finite(value: nw.Expr) -> nw.Expr:
    """Whether a double is neither NaN, which Spark and PostgreSQL sort behind infinity, nor infinite."""
    return value.abs() <= _LARGEST


def count_if(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition; zero rather than NULL without rows."""
    return nw.when(condition).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64)).sum().cast(nw.Int64)


def _asked(table: EngineTable, names: tuple[str, ...]) -> dict[str, nw.Expr]:
    asked = {}
    for number, name in enumerate(table.names):
        if name not in names:
            continue
        asked[f"null{number}"] = count_if(nw.col(name).is_null())
        if table.family_of(name) is Family.TIME:
            asked |= {f"low{number}": nw.col(name).min(), f"high{number}": nw.col(name).max()}
        elif table.family_of(name) in (Family.NUMBER, Family.BOOLEAN):
            value = table.number(name)
            inside = nw.when(finite(value)).then(value)
            asked |= {
                f"low{number}": inside.min(),
                f"high{number}": inside.max(),
                f"nan{number}": count_if(value.is_nan()),
                f"below{number}": count_if(value < -_LARGEST),
                f"above{number}": count_if((value > _LARGEST) & ~value.is_nan()),
            }
    return asked


def _told(table: EngineTable, name: str, found: Mapping[str, object]) -> ColumnFacts:
    number = table.names.index(name)

    def whole(what: str) -> int:
        return int(found.get(f"{what}{number}") or 0)

    return ColumnFacts(
        missing=whole("null") + whole("nan"),
        low=found.get(f"low{number}"),
        high=found.get(f"high{number}"),
        below=whole("below"),
        above=whole("above"),
    )
