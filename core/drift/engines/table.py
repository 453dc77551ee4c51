"""A table beyond this machine, asked for aggregates alone: every answer has a bound on its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import narwhals as nw
from narwhals.exceptions import NarwhalsError

from core.drift.engines.facts import Facts, facts_of
from core.drift.engines.failures import EngineFailed, TooMany
from core.drift.kinds import Family
from core.drift.types import SchemaFinding

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

FETCHED_AT_ONCE = 10_000
"""No answer of an engine may have more rows than this; the longest are the counts of levels."""


class EngineTable:
    """A table of an engine behind Narwhals: what :mod:`core.drift.check` asks a source, but no column's values.

    ``errors`` are what the engine raises, ``fetched`` counts the rows that have left it so far.
    """

    files: tuple[Path, ...] = ()
    lengths: tuple[int, ...] = ()
    findings: tuple[SchemaFinding, ...] = ()

    def __init__(self, native: Any, engine: str, errors: tuple[type[Exception], ...]) -> None:
        self.frame: nw.LazyFrame = nw.from_native(native)
        self.engine, self._errors = engine, (*errors, NarwhalsError)
        self.fetched = 0
        with self._answers():
            self._types = dict(self.frame.collect_schema())
        self.names = tuple(self._types)

    def filtered(self, condition: nw.Expr) -> EngineTable:
        """The rows for which ``condition`` holds."""
        return EngineTable(nw.to_native(self.frame.filter(condition)), self.engine, self._errors)

    def type_of(self, name: str) -> nw.dtypes.DType:
        """The column's type as Narwhals calls it."""
        return self._types[name]

    def family_of(self, name: str) -> Family:
        """The family of the column's type; other families do not compare."""
        kind = self._types[name]
        if kind.is_numeric():
            return Family.NUMBER
        if kind == nw.Boolean:
            return Family.BOOLEAN
        if kind in (nw.String, nw.Categorical, nw.Enum):
            return Family.TEXT
        return Family.TIME if kind in (nw.Datetime, nw.Date) else Family.OTHER

    def number(self, name: str) -> nw.Expr:
        """The column as doubles; booleans count as 0 and 1."""
        column = nw.col(name)
        return (column.cast(nw.Int32) if self._types[name] == nw.Boolean else column).cast(nw.Float64)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.facts.rows

    @cached_property
    def facts(self) -> Facts:
        """What one pass over the whole table tells of every column."""
        return facts_of(self)

    def fetch(self, asked: nw.LazyFrame, most: int = FETCHED_AT_ONCE) -> pa.Table:
        """The answer to an aggregate. Raises TooMany over ``most`` rows (no more leave), EngineFailed."""
        with self._answers():
            found = asked.head(most + 1).collect("pyarrow").to_arrow()
        self.fetched += found.num_rows
        if found.num_rows > most:
            raise TooMany(f"more than {most:,} different values; so many do not leave the engine")
        return found

    def fetch_one(self, asked: nw.LazyFrame) -> dict[str, Any]:
        """The single row of an aggregate without groups."""
        return self.fetch(asked, 1).to_pylist()[0]

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            # What an engine says may quote a value, so only its kind is told.
            raise EngineFailed(f"{self.engine} could not answer ({type(error).__name__})") from error
