"""What may come next in a filter that is being written: keys, comparisons, values that the runs really have. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from core.experiments.filter_types import (
    DURATION_ATTRIBUTES,
    TEXT_ATTRIBUTES,
    TIME_ATTRIBUTES,
    FilterError,
    Over,
)
from core.experiments.overview import own_tags, suggested_metrics, suggested_params
from core.experiments.tokens import Token, tokens

if TYPE_CHECKING:
    import pyarrow as pa

    from core.experiments.types import RunTable

OFFERED = 8
_LONGEST = 48
_PLAIN_KEY = re.compile(r"[^\W\d][\w.\-/:]*")
_WRITTEN = (
    "start_time",
    "duration",
    "status",
    "user",
    "name",
    "git_commit",
    "dataset.name",
    "dataset.digest",
)
_TIMES, _DURATIONS = ("1d ago", "7d ago", "30d ago"), ("1m", "10m", "1h")
_QUANTILES = {0.5: "half are below", 0.75: "3 of 4 are below", 0.9: "9 of 10 are below"}


@dataclass(frozen=True, slots=True)
class Completion:
    """What to show, and the whole filter with it put in."""

    label: str
    text: str


def completions(text: str, table: RunTable) -> tuple[Completion, ...]:
    """At most eight ways to go on with ``text``; keys and values come from ``table``, the whole experiment."""
    before, done, partial = _cut(text)
    state, operand = _state(before)
    if state == "joint" and partial == "" and text and not text[-1].isspace():
        done += " "
    if state == "value" and partial and _is_whole(text):
        return tuple(Completion(word, f"{text} {word} ") for word in ("AND", "OR"))
    offered = _OFFERS[state](table, operand)
    found = _matching(offered, partial)[:OFFERED]
    if state == "operand" and _is_whole(text) and partial and not found:
        found = [("AND", ""), ("OR", "")]
        done = f"{text} "
    return tuple(
        Completion(f"{word}  ({meaning})" if meaning else word, f"{done}{word} ") for word, meaning in found
    )


def _cut(text: str) -> tuple[Sequence[Token], str, str]:
    """The tokens before what is being written, the text before it, and what is written of it so far."""
    try:
        found = tokens(text)[:-1]
    except FilterError as error:
        found = tokens(text[: error.position])[:-1]
        place = error.position
        if found and text[place : place + 1] == "`" and found[-1].position + len(found[-1].text) == place:
            place = found[-1].position
            found = found[:-1]
        return found, text[:place], text[place:]
    if not found or text[-1].isspace() or found[-1].kind in ("mark", "operator"):
        return found, text, ""
    last = found[-1]
    return found[:-1], text[: last.position], last.text


def _state(before: Sequence[Token]) -> tuple[str, str]:
    """What is expected after these tokens, a key of ``_OFFERS``, and the last operand."""
    state, operand = "operand", ""
    for token in before:
        word = token.word
        if word in ("AND", "OR"):
            state = "operand"
        elif state == "operand" and token.kind in ("word", "quoted") and word != "NOT":
            operand = token.text
            state = "called" if word.lower() in get_args(Over) else "operator"
        elif state == "called" and token.kind in ("word", "quoted"):
            operand, state = token.text, "operator"
        elif state == "operator" and token.kind == "quoted" and operand.endswith("."):
            operand += token.text
        elif state == "operator" and (token.kind == "operator" or word in ("LIKE", "ILIKE", "IN")):
            state = "value"
        elif state == "operator" and word == "IS":
            state = "null"
        elif (state == "value" and token.kind in ("text", "number", "quantity")) or word in ("NULL", "NAN"):
            state = "joint"
    return state, operand


def _is_whole(text: str) -> bool:
    from core.experiments.filters import parse_filter

    try:
        return parse_filter(text) is not None
    except FilterError:
        return False


def _operands(table: RunTable, _: str) -> Iterable[tuple[str, str]]:
    first = [
        *(_key("metrics", name) for name in suggested_metrics(table)[:3]),
        *(_key("params", name) for name in suggested_params(table)[:2]),
        "start_time",
        "status",
        "user",
    ]
    kinds = {
        "metrics": table.metrics.column_names,
        "params": table.params.column_names,
        "tags": own_tags(table),
    }
    every = [*_WRITTEN, *(_key(kind, name) for kind, names in kinds.items() for name in names)]
    return ((name, "") for name in dict.fromkeys([*first, *every]))


def _called(table: RunTable, _: str) -> Iterable[tuple[str, str]]:
    names = dict.fromkeys([*suggested_metrics(table)[:3], *table.metrics.column_names])
    return ((f"{_key('metrics', name)})", "") for name in names)


def _operators(_: RunTable, operand: str) -> Iterable[tuple[str, str]]:
    kind, name = _parts(operand)
    if kind == "metrics":
        return ((">", ""), ("<", ""), (">=", ""), ("<=", ""), ("IS NULL", "never logged"), ("IS NAN", ""))
    if name in TIME_ATTRIBUTES or name in DURATION_ATTRIBUTES:
        return ((">", ""), ("<", ""), (">=", ""), ("<=", ""), ("IS NULL", "still running"))
    return (("=", ""), ("!=", ""), ("LIKE", "% is any text"), ("ILIKE", "any case"), ("IS NULL", ""))


def _values(table: RunTable, operand: str) -> Iterable[tuple[str, str]]:
    kind, name = _parts(operand)
    if kind == "metrics":
        return _levels(table.metrics[name]) if name in table.metrics.column_names else ()
    if kind == "" and name in TIME_ATTRIBUTES:
        return ((value, "") for value in _TIMES)
    if kind == "" and name in DURATION_ATTRIBUTES:
        return ((value, "") for value in _DURATIONS)
    column = _text_column(table, kind, name)
    return () if column is None else _common(column)


def _text_column(table: RunTable, kind: str, name: str) -> pa.ChunkedArray | None:
    wide = {"params": table.params, "tags": table.tags, "dataset": table.datasets}.get(kind, table.attributes)
    known = TEXT_ATTRIBUTES.get(name, name) if kind == "" else name
    return wide[known] if known in wide.column_names else None


def _common(column: pa.ChunkedArray) -> list[tuple[str, str]]:
    """The most frequent values, quoted; what no quote can hold is left out."""
    import pyarrow.compute as pc

    counted = sorted(pc.value_counts(column.drop_null()).to_pylist(), key=lambda item: -item["counts"])
    values = [str(item["values"]) for item in counted[: 4 * OFFERED]]
    quoted = (f"'{value}'" if "'" not in value else f'"{value}"' for value in values)
    return [
        (word, "")
        for word in quoted
        if word.count(word[0]) == 2 and len(word) <= _LONGEST and "\n" not in word
    ]


def _levels(column: pa.ChunkedArray) -> list[tuple[str, str]]:
    import pyarrow.compute as pc

    finite = column.filter(pc.is_finite(column))
    if not len(finite):
        return []
    levels = pc.quantile(finite, q=list(_QUANTILES)).to_pylist()
    return list(
        {f"{level:.3g}": meaning for level, meaning in zip(levels, _QUANTILES.values(), strict=True)}.items()
    )


_OFFERS: dict[str, Callable[[RunTable, str], Iterable[tuple[str, str]]]] = {
    "operand": _operands,
    "called": _called,
    "operator": _operators,
    "value": _values,
    "null": lambda table, operand: (("NULL", ""), ("NOT NULL", "")),
    "joint": lambda table, operand: (("AND", ""), ("OR", "")),
}


def _matching(offered: Iterable[tuple[str, str]], partial: str) -> list[tuple[str, str]]:
    """Those that ``partial`` may become: beginning with it first, then a key that does, then containing it."""
    wanted = partial.lower().replace("`", "").strip("'\"")
    if not wanted:
        return list(offered)

    def rank(word: str) -> int:
        plain = word.lower().replace("`", "").strip("'\"")
        key = plain.partition(".")[2]
        return 0 if plain.startswith(wanted) else 1 if key.startswith(wanted) else 2 if wanted in plain else 3

    return sorted((item for item in offered if rank(item[0]) < 3), key=lambda item: rank(item[0]))


def _key(kind: str, name: str) -> str:
    return f"{kind}.{name}" if _PLAIN_KEY.fullmatch(name) else f"{kind}.`{name}`"


def _parts(operand: str) -> tuple[str, str]:
    kind, dot, name = operand.partition(".")
    kind, name = (kind.lower(), name.strip("`'\"")) if dot else ("", operand)
    plural = {
        "metric": "metrics",
        "param": "params",
        "parameter": "params",
        "tag": "tags",
        "datasets": "dataset",
    }
    kind = plural.get(kind, kind)
    return ("", name) if kind in ("attributes", "attribute", "attr", "run") else (kind, name)
