"""Orders the runs of a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.experiments.filter_types import OrderKey
from core.experiments.filtering import numbers, operand_column
from core.experiments.types import RunTable

if TYPE_CHECKING:
    import pyarrow as pa

    from core.experiments.search import Extremes


def ordered_rows(table: RunTable, order: Sequence[OrderKey], extremes: Extremes | None) -> pa.Array:
    """Positions of the runs in order; ties, and no order at all, are newest first, then by id.

    A run without the value, or with NaN, comes last either way. A param or tag is ordered as numbers
    when every run that has it has a number. ``extremes`` is needed by an order that asks for them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    keys: list[tuple[str, str, str]] = []
    columns: dict[str, pa.Array] = {}
    for position, key in enumerate(order):
        column = operand_column(table, key.operand, extremes)
        if key.operand.kind in ("param", "tag"):
            column = _as_numbers_where_all_are(column)
        columns[str(position)] = column
        keys.append((str(position), "descending" if key.descending else "ascending", "at_end"))
    columns |= {"start": table.attributes["start_time"], "id": table.attributes["run_id"]}
    keys += [("start", "descending", "at_end"), ("id", "ascending", "at_end")]
    return pc.sort_indices(pa.table(columns), sort_keys=keys)


def _as_numbers_where_all_are(column: pa.Array) -> pa.Array:
    read = numbers(column)
    return read if read.null_count == column.null_count else column
