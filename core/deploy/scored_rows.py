"""Scoring requests and their answers as rows: what was asked per column, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def rows_of(body: bytes) -> list[Mapping[str, Any]]:
    """The rows that a scoring request asks about, as column -> value; none where it is not made of named columns."""
    try:
        request = json.loads(body)
    except ValueError:
        return []
    if not isinstance(request, dict):
        return []
    if isinstance(split := request.get("dataframe_split"), dict):
        names, data = split.get("columns"), split.get("data")
        if not isinstance(names, list) or not isinstance(data, list):
            return []
        return [dict(zip(map(str, names), row, strict=False)) for row in data if isinstance(row, list)]
    for form in ("dataframe_records", "instances"):
        if isinstance(records := request.get(form), list):
            return [row for row in records if isinstance(row, dict)]
    if isinstance(inputs := request.get("inputs"), dict):
        columns = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=False)]
    return []


def predictions_of(answer: bytes) -> list[Any]:
    """The predictions in a scoring server's answer, one per row."""
    try:
        found = json.loads(answer)
    except ValueError:
        return []
    predictions = found.get("predictions") if isinstance(found, dict) else None
    return predictions if isinstance(predictions, list) else []


def typed(values: list[Any], kind: str) -> pa.Array:
    """Values of a signature's column in one Arrow type per kind, so that all files of a folder agree."""
    import pyarrow as pa

    types = {
        "double": pa.float64(), "float": pa.float64(), "integer": pa.int64(), "long": pa.int64(),
        "boolean": pa.bool_(),
    }  # fmt: skip
    wanted = types.get(kind, pa.large_string())
    try:
        if wanted == pa.large_string():
            values = [None if value is None else str(value) for value in values]
        elif wanted == pa.float64():
            values = [None if value is None else float(value) for value in values]
        return pa.array(values, wanted)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.nulls(len(values), wanted)


def prediction_column(values: Iterable[Any]) -> pa.Array:
    """Predictions as whole numbers, numbers or text; what is none of these is null."""
    import pyarrow as pa

    plain = [value if isinstance(value, bool | int | float | str) else None for value in values]
    if any(isinstance(value, str) for value in plain):
        return pa.array([None if value is None else str(value) for value in plain], pa.large_string())
    if any(isinstance(value, float) for value in plain):
        return pa.array([None if value is None else float(value) for value in plain], pa.float64())
    return pa.array([None if value is None else int(value) for value in plain], pa.int64())
