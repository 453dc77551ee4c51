"""Which rows differ between items, and how many do not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from core.compare.types import Differences, Item, Row, Section


def differences(items: Sequence[Item], sections: Iterable[Section] = tuple(Section)) -> Differences:
    """Every key of every item, split into rows that differ and rows that are the same everywhere.

    Numbers are compared as numbers ("0.10" equals 0.1), since MLflow stores params as text and DVC typed;
    NaN equals NaN; a missing key differs from every value, the empty text included.
    """
    differing: list[Row] = []
    identical: list[Row] = []
    for section in sections:
        columns = [item.section(section) for item in items]
        for key in sorted(set().union(*columns)):
            values = tuple(column.get(key) for column in columns)
            same = len({_canonical(value) for value in values}) == 1
            (identical if same else differing).append(Row(section, key, values))
    return Differences(tuple(differing), tuple(identical))


def _canonical(value: object) -> object:
    """A hashable stand-in, equal exactly when two values count as the same."""
    if value is None:
        return ("missing",)
    text = str(value).strip()
    number = _number(text)
    if number is not None:
        return "NaN" if math.isnan(number) else number
    return text.lower() if text.lower() in ("true", "false") else text


def _number(text: str) -> float | None:
    # float() also accepts "1_000"; as a param that is a name, not a number. Exact integers stay exact.
    if "_" in text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
