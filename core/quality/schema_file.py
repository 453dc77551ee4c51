"""The schema of a table, as people write it in YAML: types, bounds, levels, keys, rules, forbidden columns."""

from __future__ import annotations

import ast
from datetime import date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core import yaml_file

IDENTIFIERS = (
    "first?name", "last?name", "full?name", "surname", "patient?name", "ssn", "*social?security*", "mrn",
    "*medical?record*", "*e?mail*", "*phone*", "street*", "*address*", "zip*", "post?code", "dob",
    "*birth?da*", "*passport*", "*insurance?number*",
)  # fmt: skip
"""Shell patterns of column names that name a person outright; pseudonyms such as patient_id are no match."""

Share = Annotated[float, Field(ge=0, le=1)]
Bound = float | int | str | datetime | date
Level = str | int | float | bool


class ColumnType(StrEnum):
    """What the values of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    DATE = "date"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnRules(_Part):
    """The rules of one column; ``missing`` is the largest share of missing values, ``required`` its presence."""

    type: ColumnType
    min: Bound | None = None
    max: Bound | None = None
    values: tuple[Level, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    missing: Share = 0.0
    required: bool = True

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        import re

        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _fits(self) -> ColumnRules:
        ordered = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DATE)
        if (self.min is not None or self.max is not None) and self.type not in ordered:
            raise ValueError(f"min and max belong to {', '.join(ordered)}, not to {self.type}")
        if self.pattern is not None and self.type not in (ColumnType.TEXT, ColumnType.CATEGORY):
            raise ValueError("pattern belongs to text and category")
        if self.type in (ColumnType.INTEGER, ColumnType.NUMBER):
            if any(isinstance(bound, str | date) for bound in (self.min, self.max)):
                raise ValueError("min and max of a number are numbers")
        elif self.type is ColumnType.DATE:
            _dates(self.min, self.max)
        return self


class RowRule(_Part):
    """A rule across columns: an expression of columns, numbers and comparisons that is true for each row.

    A row in which one of its columns is missing is left out.
    """

    name: str = Field(min_length=1)
    check: str = Field(min_length=1)

    @field_validator("check")
    @classmethod
    def _readable(cls, text: str) -> str:
        names_in(text)
        return text

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return names_in(self.check)


class Schema(_Part):
    """A table's schema. ``forbidden`` are shell patterns of columns that must not be there at all."""

    name: str = "table"
    columns: dict[str, ColumnRules] = Field(min_length=1)
    unique: tuple[tuple[str, ...], ...] = ()
    rules: tuple[RowRule, ...] = ()
    forbidden: tuple[str, ...] = IDENTIFIERS
    extra_columns: Literal["allow", "forbid"] = "allow"
    min_rows: int = Field(1, ge=0)

    @model_validator(mode="after")
    def _names_known(self) -> Schema:
        used = {name for key in self.unique for name in key} | {
            name for rule in self.rules for name in rule.columns
        }
        if unknown := sorted(used - set(self.columns)):
            raise ValueError(f"a key or rule reads '{unknown[0]}', which is no column of this schema")
        return self


def read_schema(file: Path) -> Schema:
    """The schema in ``file``; raises BadSettings naming line and key."""
    return yaml_file.read(file, Schema, "schema")


def matches(column: str, patterns: tuple[str, ...]) -> bool:
    """Whether a column's name is one of ``patterns``; case, spaces, dots and hyphens do not matter."""
    name = column.strip().casefold().translate(str.maketrans(" .-", "___"))
    return any(
        fnmatchcase(name, pattern.casefold()) or fnmatchcase(name, _tight(pattern)) for pattern in patterns
    )


def _tight(pattern: str) -> str:
    return pattern.casefold().replace("?", "")


_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Name, ast.Load,
    ast.Constant,
)  # fmt: skip


def names_in(expression: str) -> tuple[str, ...]:
    """The column names of a row rule. Raises ValueError for anything but arithmetic and comparisons."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"'{expression}' is no expression: {error.msg}") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(
                f"'{expression}' holds {type(node).__name__}; "
                "columns, numbers, texts, + - * /, comparisons, and, or, not are known"
            )
    names = {node.id: None for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not names:
        raise ValueError(f"'{expression}' reads no column")
    return tuple(names)


def _dates(*bounds: Bound | None) -> None:
    for bound in bounds:
        if bound is None:
            continue
        try:
            datetime.fromisoformat(str(bound))
        except ValueError as error:
            raise ValueError("min and max of a date are dates such as 2026-03-03") from error
