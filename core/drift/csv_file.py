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

_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"


def read_csv(path: Path) -> TableSource:
    """The file as a table; a column that mixes numbers and text stays text and is named in a finding.

    What is not UTF-8 is read as Latin-1, which any bytes are, and that is a finding too; fields may be separated by
    semicolons or tabs where the first line has no comma, and numbers may then have a decimal comma.
    Raises BadInput when the file is not a table (no header, rows of other lengths).
    """
    import pyarrow as pa

    parse = _parse_options(path)
    table, findings = _read(path, parse, "utf8"), ()
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        table = _read(path, parse, "iso8859-1")
        message = f"{path.name} is not UTF-8: it was read as Latin-1."
        findings = (SchemaFinding(None, "other encoding", Severity.WARNING, message),)
    if parse.delimiter != ",":
        table = _with_decimal_points(table)
    return TableSource(table, (*findings, *repeated_names(table.column_names), *_mixed_types(table)), (path,))


def _parse_options(path: Path) -> csv.ParseOptions:
    import pyarrow as pa
    from pyarrow import csv

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            head = stream.read(1 << 16).partition(b"\n")[0]
    except (pa.ArrowException, OSError):
        head = b""
    found = next((mark for mark in (b",", b";", b"\t") if mark in head), b",")
    return csv.ParseOptions(delimiter="\t" if ".tsv" in path.name.lower() else found.decode())


def _read(path: Path, parse: csv.ParseOptions, encoding: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(encoding=encoding)
    try:
        return csv.read_csv(path, read_options=read, parse_options=parse, convert_options=_options())
    except pa.ArrowInvalid:
        # Types are guessed from the first block; a later row may not fit.
        return _read_as_text(path, read, parse)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({type(error).__name__}).", "Check the file.") from error


def _options(**more: object) -> csv.ConvertOptions:
    from pyarrow import csv

    return csv.ConvertOptions(strings_can_be_null=True, **more)


def _read_as_text(path: Path, read: csv.ReadOptions, parse: csv.ParseOptions) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    try:
        with csv.open_csv(path, read_options=read, parse_options=parse) as head:
            types = {name: pa.string() for name in head.schema.names}
        table = csv.read_csv(
            path, read_options=read, parse_options=parse, convert_options=_options(column_types=types)
        )
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path.name} is not a readable CSV file ({type(error).__name__}).",
            "It needs one header line, commas, semicolons or tabs between fields and as many fields in each row.",
        ) from error
    return pa.table([_typed(column) for column in table.columns], names=table.column_names)


def _typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    found = (cast(column, kind) for kind in (pa.float64(), pa.timestamp("us")))
    return next((typed for typed in found if typed is not None), column)


def _with_decimal_points(table: pa.Table) -> pa.Table:
    """Columns of numbers such as 37,5 as doubles; one with a value of another form stays text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if not pa.types.is_string(column.type):
            continue
        if pc.all(pc.match_substring_regex(column, _DECIMAL_COMMA), min_count=1).as_py():
            numbers = pc.replace_substring(column, ",", ".").cast(pa.float64())
            table = table.set_column(place, name, numbers)
    return table


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
