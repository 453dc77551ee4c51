"""CSV files: typed by pyarrow where it can, column by column where a file mixes types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.drift.sources import TableSource, repeated_names
from core.drift.types import SchemaFinding, Severity
from core.errors import BadInput
from core.privacy import small_count

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv


def read_csv(path: Path) -> TableSource:
    """The file as a table; a column that mixes numbers and text stays text and is named in a finding.

    Raises BadInput when the file is not a table (no header, rows of other lengths, not UTF-8).
    """
    import pyarrow as pa
    from pyarrow import csv

    parse = csv.ParseOptions(delimiter="\t" if ".tsv" in path.name.lower() else ",")
    try:
        table = csv.read_csv(path, parse_options=parse, convert_options=_options())
    except pa.ArrowInvalid:
        table = _read_as_text(path, parse)  # types are guessed from the first block; a later row may not fit
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({type(error).__name__}).", "Check the file.") from error
    return TableSource(table, (*repeated_names(table.column_names), *_mixed_types(table)), (path,))


def _options(**more: object) -> csv.ConvertOptions:
    from pyarrow import csv

    return csv.ConvertOptions(strings_can_be_null=True, **more)


def _read_as_text(path: Path, parse: csv.ParseOptions) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    try:
        with csv.open_csv(path, parse_options=parse) as head:
            types = {name: pa.string() for name in head.schema.names}
        table = csv.read_csv(path, parse_options=parse, convert_options=_options(column_types=types))
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path.name} is not a readable CSV file ({type(error).__name__}).",
            "It needs one header line, commas between fields (tabs in a .tsv) and as many fields in each row.",
        ) from error
    return pa.table([_typed(column) for column in table.columns], names=table.column_names)


def _typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    found = (cast(column, kind) for kind in (pa.float64(), pa.timestamp("us")))
    return next((typed for typed in found if typed is not None), column)


def _mixed_types(table: pa.Table) -> tuple[SchemaFinding, ...]:
    import pyarrow as pa

    findings = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_string(column.type) or not _mostly_numbers(column.drop_null().slice(0, 1000)):
            continue
        unread = parse_numbers(column).null_count - column.null_count
        if 2 * unread < len(column):
            message = f"Column '{name}' holds numbers and text ({small_count(unread)} rows are not numbers)."
            findings.append(SchemaFinding(name, "mixed types", Severity.WARNING, message))
    return tuple(findings)


def _mostly_numbers(column: pa.ChunkedArray) -> bool:
    return len(column) > 0 and 2 * parse_numbers(column).null_count < len(column)


def cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    """The column as ``kind``, or None when a value does not fit or no value is there."""
    import pyarrow as pa

    if column.null_count == len(column):
        return None
    try:
        return column.cast(kind)
    except pa.ArrowException:
        return None


def parse_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as doubles; what is no number becomes null."""
    import pandas as pd
    import pyarrow as pa

    numbers = pd.to_numeric(column.to_pandas().astype("object"), errors="coerce")
    return pa.chunked_array([pa.Array.from_pandas(numbers)])
