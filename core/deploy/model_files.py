"""What a version's own files say, read without loading the model: signature, example, how it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput

# A value of each MLflow type that a model should be able to take, for versions logged without an example.
_PLAIN_VALUES: Mapping[str, Any] = {
    "double": 0.0,
    "float": 0.0,
    "integer": 0,
    "long": 0,
    "boolean": False,
    "string": "",
    "datetime": "2000-01-01T00:00:00",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One input column of the signature."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """The parts of an MLmodel file that serving depends on. ``example`` is a scoring request."""

    loader: str
    serialization: str
    model_path: str
    model_class: str
    ships_code: bool
    has_signature: bool
    columns: tuple[Column, ...]
    outputs: tuple[Column, ...]
    example: Mapping[str, Any] | None
    example_logged: bool


def read_model_file(directory: Path) -> ModelFile:
    """Read ``MLmodel`` and the input example in ``directory``; raises BadInput when there is none."""
    import yaml

    try:
        document = yaml.safe_load((directory / "MLmodel").read_text(encoding="utf-8"))
        flavors = document["flavors"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BadInput(
            f"{directory.name} holds no readable MLmodel file ({type(error).__name__}).",
            "Only models logged with MLflow can be served.",
        ) from error
    pyfunc = flavors.get("python_function", {})
    loader = str(pyfunc.get("loader_module") or "")
    # The flavor that the loader reads, not the first one listed: a decoy must not speak for it.
    own = flavors.get(loader.removeprefix("mlflow.")) or {}
    signature = document.get("signature") or {}
    columns = _columns(signature.get("inputs"))
    logged = _logged_example(directory)
    return ModelFile(
        loader=loader,
        serialization=str(own.get("serialization_format") or ""),
        model_path=str(pyfunc.get("model_path") or pyfunc.get("data") or pyfunc.get("python_model") or ""),
        model_class=str(own.get("model_class") or ""),
        ships_code=bool(pyfunc.get("code") or own.get("code")),
        has_signature=bool(columns),
        columns=columns,
        outputs=_columns(signature.get("outputs")),
        example=logged or _made_example(columns),
        example_logged=logged is not None,
    )


def example_request(directory: Path) -> Mapping[str, Any] | None:
    """A scoring request for the model in ``directory``; the logged one is found without parsing MLmodel."""
    return _logged_example(directory) or read_model_file(directory).example


def without_column(payload: Mapping[str, Any], column: str) -> dict[str, Any] | None:
    """The request without ``column``; None when it is not made of named columns."""
    split = payload.get("dataframe_split")
    if not split or column not in split.get("columns", ()):
        return None
    at = split["columns"].index(column)
    columns = [name for name in split["columns"] if name != column]
    rows = [[value for i, value in enumerate(row) if i != at] for row in split["data"]]
    return {"dataframe_split": {"columns": columns, "data": rows}}


def rows_of(payload: Mapping[str, Any]) -> int | None:
    """How many rows the request asks about; None when that cannot be told."""
    split = payload.get("dataframe_split")
    return len(split["data"]) if split else None


def _columns(fields: str | None) -> tuple[Column, ...]:
    return tuple(
        Column(item.get("name", f"#{i}"), str(item.get("type", "")), item.get("required", True))
        for i, item in enumerate(json.loads(fields or "[]"))
    )


def _logged_example(directory: Path) -> dict[str, Any] | None:
    file = directory / "serving_input_example.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _made_example(columns: tuple[Column, ...]) -> dict[str, Any] | None:
    if not columns or any(column.type not in _PLAIN_VALUES for column in columns):
        return None
    row = [_PLAIN_VALUES[column.type] for column in columns]
    return {"dataframe_split": {"columns": [column.name for column in columns], "data": [row]}}
