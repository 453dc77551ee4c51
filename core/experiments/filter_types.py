"""The parsed form of a filter and of an order, and the error that points into their text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import BadInput

Kind = Literal["metric", "param", "tag", "attribute", "dataset"]
Over = Literal["last", "min", "max", "best"]
Comparator = Literal["=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN"]

TEXT_ATTRIBUTES = {
    "run_id": "run_id",
    "name": "name",
    "run_name": "name",
    "run name": "name",
    "status": "status",
    "user": "user",
    "user_id": "user",
    "artifact_uri": "artifact_uri",
    "experiment": "experiment",
    "experiment_id": "experiment_id",
    "lifecycle_stage": "lifecycle_stage",
    "git_commit": "git_commit",
}
TIME_ATTRIBUTES = {"start_time": "start_time", "created": "start_time", "end_time": "end_time"}
DURATION_ATTRIBUTES = {"duration": "duration_s", "duration_s": "duration_s"}
ATTRIBUTES = TEXT_ATTRIBUTES | TIME_ATTRIBUTES | DURATION_ATTRIBUTES
"""What people may write -> the column of ``RunTable.attributes`` (git_commit is read from its tag)."""


class FilterError(BadInput):
    """A filter or order that cannot be understood; ``position`` counts characters from 0."""

    def __init__(self, text: str, position: int, problem: str, way_out: str = "") -> None:
        text = text.encode(errors="replace").decode()
        before, after = text[max(position - 30, 0) : position], text[position : position + 30]
        place = f"character {position + 1}" if after else "the end"
        pointer = f"{before}»{after}" if after else f"{before}»"
        super().__init__(f"At {place}: {problem} Here: {pointer}", way_out)
        self.text = text
        self.position = position
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Operand:
    """What is compared or sorted by; ``over`` is which value of a metric's history."""

    kind: Kind
    key: str
    over: Over = "last"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """``operand comparator value``; the value is a float, a text, or a tuple of them for IN.

    ``negated`` is NOT IN, NOT LIKE and NOT ILIKE: of data sets one that does so, as ``!=`` has it, unlike NOT (...).
    """

    operand: Operand
    comparator: Comparator
    value: float | str | tuple[float | str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """``operand IS NULL``: the run has no such metric, param, tag, time or data set."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class IsNan:
    """``metric IS NAN``: logged, but as not-a-number."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Mentions:
    """A word on its own: the run's name contains it (any case), or its id begins with it."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; unknown stays unknown, as in SQL."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """AND."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    left: Condition
    right: Condition


Condition = Compare | Missing | IsNan | Mentions | Not | Both | Either


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One sort key; runs without a value, and NaN, come last either way."""

    operand: Operand
    descending: bool = False
