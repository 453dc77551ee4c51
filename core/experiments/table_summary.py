"""A table that a run stored, as its columns and counts: rows may be patients, so none is ever shown. Pure."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.privacy import HIDDEN, SMALLEST, identifier_columns, shown_cells, shown_count

if TYPE_CHECKING:
    import pandas as pd

_CONTINUOUS = 20
"""A column with fewer distinct values is a code: its mean and the number of rows would give group sizes away."""


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column: its kind, how many rows have a value and lack one, and mean and sd where they tell of nobody."""

    name: str
    kind: str
    present: int | str
    missing: int | str
    mean: float | None = None
    sd: float | None = None


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table's shape; ``rows`` is ``<11`` for 1 to 10."""

    rows: int | str
    columns: tuple[ColumnSummary, ...]


def summary(path: str, content: bytes) -> TableSummary:
    """The summary of a CSV, TSV, Parquet, JSON-lines or MLflow table file; raises BadInput for anything else."""
    try:
        frame = _read(PurePosixPath(path).suffix.lower(), content)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} cannot be read as a table.", "Download it with MLflow to look at it."
        ) from error
    people = set(identifier_columns(map(str, frame.columns)))
    return TableSummary(
        shown_count(len(frame)),
        tuple(_column(str(name), frame.iloc[:, place], people) for place, name in enumerate(frame.columns)),
    )


def is_json_table(parsed: object) -> bool:
    """Whether JSON is rows: columns and data as ``mlflow.log_table`` writes them, or a list of records."""
    if isinstance(parsed, list):
        return bool(parsed) and all(isinstance(item, dict) for item in parsed)
    return (
        isinstance(parsed, dict) and {"columns", "data"} <= set(parsed) and isinstance(parsed["data"], list)
    )


def _read(suffix: str, content: bytes) -> pd.DataFrame:
    import pandas as pd

    if suffix in (".csv", ".tsv"):
        return pd.read_csv(io.BytesIO(content), sep="\t" if suffix == ".tsv" else ",")
    if suffix == ".parquet":
        return pd.read_parquet(io.BytesIO(content))
    if suffix == ".jsonl":
        return pd.read_json(io.BytesIO(content), lines=True)
    parsed = json.loads(content)
    if isinstance(parsed, list):
        return pd.json_normalize(parsed)
    return pd.DataFrame(parsed["data"], columns=parsed["columns"])


def _column(name: str, values: pd.Series, people: set[str]) -> ColumnSummary:
    import pandas as pd

    present = int(values.notna().sum())
    cells = shown_cells((present, len(values) - present))
    if name in people:
        return ColumnSummary(name, "identifier", *cells)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    told = numeric and present >= SMALLEST and values.nunique() > _CONTINUOUS and HIDDEN not in cells
    mean, sd = (float(values.mean()), float(values.std())) if told else (None, None)
    kind = "number" if numeric else "time" if pd.api.types.is_datetime64_any_dtype(values) else "text"
    return ColumnSummary(name, kind, *cells, mean, sd)
