"""Evaluates a parsed filter on the columns of a RunTable, with SQL's three values (null is unknown). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from core.experiments.columns import as_array
from core.experiments.filter_types import (
    DURATION_ATTRIBUTES,
    TIME_ATTRIBUTES,
    Both,
    Compare,
    Condition,
    Either,
    IsNan,
    Mentions,
    Missing,
    Not,
    Operand,
)
from core.experiments.literals import seconds_of, time_of
from core.experiments.types import GIT_COMMIT_TAG, RunTable

if TYPE_CHECKING:
    import pyarrow as pa

    from core.experiments.search import Extremes

_NUMBER = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
SHA_PREFIX = re.compile(r"[0-9a-f]{4,39}")


def matching_rows(table: RunTable, condition: Condition, extremes: Extremes, now: datetime) -> pa.Array:
    """Positions of the runs for which the condition is true (not unknown)."""
    import pyarrow.compute as pc

    mask = _Evaluation(table, extremes, now).of(condition)
    return pc.indices_nonzero(pc.fill_null(mask, False))


def operand_column(table: RunTable, operand: Operand, extremes: Extremes) -> pa.Array:
    """The operand's value for each run, null where it has none: double, string or timestamp."""
    import pyarrow as pa

    if operand.kind == "metric" and operand.over != "last":
        return extremes.column(operand.key, operand.over, as_array(table.attributes["run_id"]))
    if operand.kind == "attribute" and operand.key == "git_commit":
        return _column(table.tags, GIT_COMMIT_TAG, pa.string())
    if operand.kind == "attribute":
        return as_array(table.attributes[operand.key])
    if operand.kind == "metric":
        return _column(table.metrics, operand.key, pa.float64())
    return _column(table.params if operand.kind == "param" else table.tags, operand.key, pa.string())


def numbers(column: pa.Array) -> pa.Array:
    """Text read as numbers, null where it is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    readable = pc.match_substring_regex(column, _NUMBER)
    return pc.cast(pc.utf8_trim_whitespace(pc.if_else(readable, column, None)), pa.float64())


@dataclass(frozen=True, slots=True)
class _Evaluation:
    table: RunTable
    extremes: Extremes
    now: datetime

    def of(self, condition: Condition) -> pa.Array:
        import pyarrow.compute as pc

        match condition:
            case Both():
                return reduce(pc.and_kleene, map(self.of, _chain(condition)))
            case Either():
                return reduce(pc.or_kleene, map(self.of, _chain(condition)))
            case Not(inner):
                return pc.invert(self.of(inner))
            case Mentions(text):
                return self._mentions(text)
            case Missing(operand) if operand.kind == "dataset":
                return pc.invert(self._any_dataset(lambda rows: pc.is_valid(rows["run_id"])))
            case Missing(operand):
                return pc.is_null(operand_column(self.table, operand, self.extremes))
            case IsNan(operand):
                return pc.is_nan(operand_column(self.table, operand, self.extremes))
            case Compare(operand) if operand.kind == "dataset":
                return self._any_dataset(lambda rows: self._compare(_told(rows[operand.key]), condition))
            case Compare(operand):
                return self._compare(operand_column(self.table, operand, self.extremes), condition)
        raise TypeError(condition)

    def _mentions(self, text: str) -> pa.Array:
        import pyarrow.compute as pc

        frame = self.table.attributes
        named = pc.match_substring(as_array(frame["name"]), text, ignore_case=True)
        return pc.or_(named, pc.starts_with(as_array(frame["run_id"]), text))

    def _any_dataset(self, test: Callable[[pa.Table], Any]) -> pa.Array:
        import pyarrow.compute as pc

        found = self.table.datasets.filter(pc.fill_null(test(self.table.datasets), False))
        return pc.is_in(as_array(self.table.attributes["run_id"]), value_set=as_array(found["run_id"]))

    def _compare(self, column: Any, condition: Compare) -> Any:
        import pyarrow.compute as pc

        found = self._holds(column, condition)
        return pc.invert(found) if condition.negated else found

    def _holds(self, column: Any, condition: Compare) -> Any:
        operand, value = condition.operand, condition.value
        if isinstance(value, tuple):
            return self._any_of(column, condition)
        if condition.comparator in ("LIKE", "ILIKE"):
            return _like(column, str(value), condition.comparator)
        if (
            operand.kind == "attribute"
            and operand.key == "git_commit"
            and condition.comparator in ("=", "!=")
        ):
            return _commit(column, str(value), condition.comparator)
        column, value = self._comparable(column, operand, value)
        return _COMPARE[condition.comparator](column, value)

    def _any_of(self, column: Any, condition: Compare) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if _is_plain_text(column, condition):
            found = pc.is_in(column, value_set=pa.array(condition.value, pa.string()))
            return pc.if_else(pc.is_valid(column), found, None)
        each = (Compare(condition.operand, "=", value) for value in condition.value)  # type: ignore[union-attr]
        return reduce(pc.or_kleene, (self._holds(column, one) for one in each))

    def _comparable(self, column: Any, operand: Operand, value: float | str) -> tuple[Any, Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if operand.kind == "attribute" and operand.key in TIME_ATTRIBUTES.values():
            return pc.cast(pc.cast(column, pa.int64()), pa.float64()), time_of(value, self.now)
        if operand.kind == "attribute" and operand.key in DURATION_ATTRIBUTES.values():
            return column, seconds_of(value)
        if operand.kind in ("param", "tag") and not isinstance(value, str):
            return numbers(column), value
        return column, value


def _chain(condition: Both | Either) -> list[Condition]:
    """What is joined by AND, or by OR: a script joins more of them than functions may call each other."""
    kind, found = type(condition), []
    left: Condition = condition
    while isinstance(left, kind):
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]


def _told(column: Any) -> Any:
    """A data set's column, null where it is empty: a context that was not given is unknown, as MLflow has it."""
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(column, ""), None, column)


def _is_plain_text(column: Any, condition: Compare) -> bool:
    import pyarrow as pa

    words = all(isinstance(value, str) for value in condition.value)  # type: ignore[union-attr]
    return words and pa.types.is_string(column.type) and condition.operand.key != "git_commit"


def _calls(name: str) -> Callable[[Any, Any], Any]:
    def call(column: Any, value: Any) -> Any:
        import pyarrow.compute as pc

        return getattr(pc, name)(column, value)

    return call


_COMPARE = {
    sign: _calls(name)
    for sign, name in {
        "=": "equal",
        "!=": "not_equal",
        "<": "less",
        "<=": "less_equal",
        ">": "greater",
        ">=": "greater_equal",
    }.items()
}


def _like(column: Any, pattern: str, comparator: str) -> Any:
    """SQL LIKE without an escape character, as MLflow has it: % any text, _ any character."""
    import pyarrow.compute as pc

    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return pc.match_substring_regex(column, f"(?s)^{''.join(parts)}$", ignore_case=comparator == "ILIKE")


def _commit(column: Any, value: str, comparator: str) -> Any:
    import pyarrow.compute as pc

    prefix = SHA_PREFIX.fullmatch(value.lower())
    found = pc.starts_with(column, value.lower()) if prefix else pc.equal(column, value)
    return found if comparator == "=" else pc.invert(found)


def _column(table: pa.Table, key: str, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if key not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    return as_array(table[key])
