"""A first schema from a table, for a person to correct. Nothing in it is one patient's value.

Bounds are rounded outwards, and levels that fewer than 11 rows have are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.privacy import SMALLEST
from core.quality.repeats import Repeats
from core.quality.schema_file import ColumnType, Schema, matches
from core.quality.tables import Table
from core.quality.validate import Advance
from core.quality.values import converted

if TYPE_CHECKING:
    import pandas as pd

MOST_LEVELS = 20
_TRIED = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DATE)


def infer(table: Table, name: str, advance: Advance = lambda rows: None) -> str:
    """The schema of ``table`` as YAML text; it has no bounds that only one row explains. Raises BadInput."""
    import yaml

    seen = {column: _Seen() for column in table.columns}
    rows = 0
    with ExitStack() as stack:
        repeats = {column: stack.enter_context(Repeats()) for column in table.columns}
        for chunk in table.chunks():
            rows += len(chunk)
            for column, found in seen.items():
                found.add(chunk[column])
                repeats[column].add(chunk[[column]])
            advance(len(chunk))
        unique = {column for column, one in repeats.items() if rows and not one.count()}
    forbidden = Schema.model_fields["forbidden"].default
    columns = {
        column: found.rules(rows, column in unique)
        for column, found in seen.items()
        if not matches(column, forbidden)
    }
    named = [column for column in seen if column not in columns]
    text = yaml.safe_dump(
        {"name": name, "columns": columns, "extra_columns": "allow", "min_rows": 1},
        sort_keys=False, allow_unicode=True, default_flow_style=None, width=100,
    )  # fmt: skip
    head = "# Inferred from a table: read it, correct it, keep it in git. Bounds are rounded outwards.\n"
    if named:
        head += f"# Left out, because such names point at people: {', '.join(named)}\n"
    return head + text


@dataclass
class _Seen:
    """What is known of a column so far; only the types that every value had are still possible."""

    possible: list[ColumnType] = field(default_factory=lambda: list(_TRIED))
    missing: int = 0
    low: Any = None
    high: Any = None
    levels: Counter[str] = field(default_factory=Counter)
    many: bool = False

    def add(self, column: pd.Series) -> None:
        """The next chunk of the column."""
        missing = column.isna()
        self.missing += int(missing.sum())
        for kind in tuple(self.possible):
            values = converted(column, kind)
            if (values.isna() & ~missing).any():
                self.possible.remove(kind)
            elif kind is not ColumnType.DATE and values.notna().any():
                self.low = min(values.min(), self.low if self.low is not None else math.inf)
                self.high = max(values.max(), self.high if self.high is not None else -math.inf)
        if not self.many:
            self.levels.update(column.dropna().astype("string").value_counts().to_dict())
            self.many = len(self.levels) > 50 * MOST_LEVELS

    def rules(self, rows: int, unique: bool) -> dict[str, Any]:
        """The column's rules; a share of missing values is rounded up."""
        found: dict[str, Any] = {"type": "text"}
        known = [level for level, count in self.levels.items() if count >= SMALLEST]
        empty = self.missing == rows
        if not empty and self.possible:
            found = {"type": str(self.possible[0])}
            if self.possible[0] is not ColumnType.DATE and not unique and math.isfinite(self.high - self.low):
                found |= dict(zip(("min", "max"), _outwards(self.low, self.high), strict=True))
        elif not empty and not self.many and 0 < len(known) <= MOST_LEVELS and not unique:
            found = {"type": "category", "values": sorted(known)}
        if unique and not empty:
            found["unique"] = True
        if self.missing:
            found["missing"] = math.ceil(100 * self.missing / rows) / 100
        return found


def _outwards(low: float, high: float) -> tuple[int | float, int | float]:
    """Bounds on a grid of about a tenth of the range; 0 and 1 stay what they are."""
    if low >= 0 and high <= 1:
        return 0, 1
    step = 10.0 ** math.floor(math.log10(high - low)) if high > low else max(1.0, abs(high))
    bounds = math.floor(low / step) * step, math.ceil(high / step) * step
    whole = [int(bound) if float(bound).is_integer() else round(bound, 12) for bound in bounds]
    return whole[0], whole[1]
