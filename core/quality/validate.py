"""A table against a schema: every rule of every column counted over all chunks; pandera judges the values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from core.quality.repeats import Repeats
from core.quality.schema_file import ColumnRules, ColumnType, RowRule, Schema, matches
from core.quality.tables import Table
from core.quality.types import Check, Report, Verdict
from core.quality.values import converted, level_text

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera

Advance = Callable[[int], None]
_LEVELS_NAMED = 6
_FITS = {
    ColumnType.INTEGER: "whole numbers",
    ColumnType.NUMBER: "numbers",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.DATE: "ISO dates",
}


def validate(table: Table, schema: Schema, advance: Advance = lambda rows: None) -> Report:
    """Every rule of ``schema`` with the number of rows that break it; ``advance`` hears of each chunk's rows.

    Memory is bounded by a chunk and eight bytes a row on disk per unique key. Raises BadInput.
    """
    present = {name: rules for name, rules in schema.columns.items() if name in table.columns}
    counts: Counter[tuple[str | None, str]] = Counter()
    rows = 0
    with ExitStack() as stack:
        keys = {key: stack.enter_context(Repeats()) for key in _keys(schema, present)}
        judge = _judge(schema, present)
        for raw in table.chunks():
            rows += len(raw)
            chunk = _typed(raw, present, counts)
            counts.update(_broken(judge, chunk))
            for key, repeats in keys.items():
                repeats.add(raw[list(key)])
            advance(len(raw))
        repeated = {key: repeats.count() for key, repeats in keys.items()}
    checks = list(_table_checks(table, schema, rows))
    for name, rules in schema.columns.items():
        checks += _column_checks(name, rules, table, counts, rows)
    for key, count in repeated.items():
        checks.append(_counted(_owner(key), _unique_words(key), count, rows))
    for rule in _usable(schema, present):
        checks.append(_counted(None, f"{rule.name}: {rule.check}", counts[None, rule.name], rows))
    return Report(
        kind="data-validation", name=schema.name, rows=rows, checks=tuple(checks), notes=_notes(table)
    )


def _typed(
    raw: pd.DataFrame, present: dict[str, ColumnRules], counts: Counter[tuple[str | None, str]]
) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for name, rules in present.items():
        missing = raw[name].isna()
        columns[name] = typed = converted(raw[name], rules.type)
        counts[name, "missing"] += int(missing.sum())
        counts[name, "type"] += int((typed.isna() & ~missing).sum())
    return pd.DataFrame(columns)


def _judge(schema: Schema, present: dict[str, ColumnRules]) -> pandera.DataFrameSchema:
    """The value rules as one pandera schema; each check carries the rule's key as its ``error``."""
    import pandera.pandas as pandera

    columns = {
        name: pandera.Column(None, list(_value_checks(rules)), nullable=True)
        for name, rules in present.items()
    }
    rules = [pandera.Check(_row_check(rule), error=rule.name) for rule in _usable(schema, present)]
    return pandera.DataFrameSchema(columns, checks=rules)


def _value_checks(rules: ColumnRules) -> Iterator[pandera.Check]:
    import pandas as pd
    import pandera.pandas as pandera

    as_value: Callable[[Any], Any] = (
        (lambda bound: pd.Timestamp(bound, tz="UTC")) if rules.type is ColumnType.DATE else float
    )
    if rules.min is not None:
        yield pandera.Check.ge(as_value(rules.min), error="min")
    if rules.max is not None:
        yield pandera.Check.le(as_value(rules.max), error="max")
    if rules.values is not None:
        yield pandera.Check.isin(_levels(rules), error="values")
    if rules.pattern is not None:
        yield pandera.Check.str_matches(rf"(?:{rules.pattern})\Z", error="pattern")
    if rules.type in (ColumnType.NUMBER, ColumnType.INTEGER):
        yield pandera.Check(lambda column: column.abs() != float("inf"), error="finite")


def _levels(rules: ColumnRules) -> list[object]:
    if rules.type in (ColumnType.INTEGER, ColumnType.NUMBER):
        return [float(level) for level in rules.values or ()]
    if rules.type is ColumnType.BOOLEAN:
        return [bool(level) for level in rules.values or ()]
    return [level_text(level) for level in rules.values or ()]


def _row_check(rule: RowRule) -> Callable[[pd.DataFrame], pd.Series]:
    def holds(table: pd.DataFrame) -> pd.Series:
        used = table[list(rule.columns)]
        missing = used.isna().any(axis=1)
        return used.eval(rule.check, engine="python").astype(bool) | missing

    return holds


def _broken(judge: pandera.DataFrameSchema, chunk: pd.DataFrame) -> Counter[tuple[str | None, str]]:
    """Broken rows per column and rule. Pandera's own report quotes values, so only its masks are used."""
    from pandera.errors import SchemaErrors

    try:
        judge.validate(chunk, lazy=True)
    except SchemaErrors as found:
        broken: Counter[tuple[str | None, str]] = Counter()
        for error in found.schema_errors:
            column = None if error.schema is judge else error.schema.name
            mask = error.check_output
            broken[column, error.check.error] += len(chunk) if mask is None else int((~mask).sum())
        return broken
    return Counter()


def _table_checks(table: Table, schema: Schema, rows: int) -> Iterator[Check]:
    named = [name for name in table.columns if matches(name, schema.forbidden)]
    for name in named:
        yield Check(column=name, rule="is a forbidden identifier column", verdict=Verdict.FAIL)
    if schema.forbidden and not named:
        yield Check(column=None, rule="no forbidden identifier column", verdict=Verdict.PASS)
    if schema.extra_columns == "forbid":
        for name in table.columns:
            if name not in schema.columns:
                yield Check(column=name, rule="is not in the schema", verdict=Verdict.FAIL)
    enough = Verdict.PASS if rows >= schema.min_rows else Verdict.FAIL
    yield Check(column=None, rule=f"at least {schema.min_rows:,} rows", verdict=enough)
    if table.encoding is not None:
        yield _counted(None, "as many fields as the header", table.torn, rows + table.torn)


def _column_checks(
    name: str, rules: ColumnRules, table: Table, counts: Counter[tuple[str | None, str]], rows: int
) -> Iterator[Check]:
    if name not in table.columns:
        verdict = Verdict.FAIL if rules.required else Verdict.PASS
        yield Check(
            column=name, rule="is present" if rules.required else "is optional and absent", verdict=verdict
        )
        return
    if rules.type in _FITS:
        yield _counted(name, _FITS[rules.type], counts[name, "type"], rows)
    missing = counts[name, "missing"]
    verdict = Verdict.PASS if missing <= rules.missing * rows else Verdict.FAIL
    words = "not missing" if rules.missing == 0 else f"at most {rules.missing:.4g} missing"
    yield Check(column=name, rule=words, verdict=verdict, count=missing, rows=rows)
    for key, said in _said(rules):
        yield _counted(name, said, counts[name, key], rows)


def _said(rules: ColumnRules) -> Iterator[tuple[str, str]]:
    """The value rules of a column: the key that counts are kept under, and the rule in words."""
    if rules.type in (ColumnType.NUMBER, ColumnType.INTEGER):
        yield "finite", "finite"
    if rules.min is not None:
        yield "min", f">= {rules.min}"
    if rules.max is not None:
        yield "max", f"<= {rules.max}"
    if rules.values is not None:
        levels = [level_text(level) for level in rules.values]
        more = f" and {len(levels) - _LEVELS_NAMED} more" if len(levels) > _LEVELS_NAMED else ""
        yield "values", f"one of {', '.join(levels[:_LEVELS_NAMED])}{more}"
    if rules.pattern is not None:
        yield "pattern", f"matches {rules.pattern}"


def _counted(column: str | None, rule: str, count: int, rows: int) -> Check:
    verdict = Verdict.FAIL if count else Verdict.PASS
    return Check(column=column, rule=rule, verdict=verdict, count=count, rows=rows)


def _keys(schema: Schema, present: dict[str, ColumnRules]) -> tuple[tuple[str, ...], ...]:
    single = [(name,) for name, rules in present.items() if rules.unique]
    return (*single, *(key for key in schema.unique if all(name in present for name in key)))


def _usable(schema: Schema, present: dict[str, ColumnRules]) -> list[RowRule]:
    """Rules whose columns are all there; a missing column is a finding of its own."""
    return [rule for rule in schema.rules if all(name in present for name in rule.columns)]


def _owner(key: tuple[str, ...]) -> str | None:
    return key[0] if len(key) == 1 else None


def _unique_words(key: tuple[str, ...]) -> str:
    return "unique" if len(key) == 1 else f"unique together: {', '.join(key)}"


def _notes(table: Table) -> tuple[str, ...]:
    if table.encoding in (None, "utf-8"):
        return ()
    return (f"{table.path.name} is not UTF-8; it was read as {table.encoding}.",)
