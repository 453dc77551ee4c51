"""A table chunk by chunk, so that a file larger than memory can be checked: CSV (plain, gzip) and Parquet."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, NotFound

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import csv

BLOCK_BYTES = 2 << 20
CHUNK_ROWS = 65_536
LATIN_1 = "iso8859-1"
_SCAN_BYTES = 1 << 20
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class Table:
    """A file to be read once. After reading, ``torn`` is how many lines had another number of fields.

    ``encoding`` is what a CSV file was read in; ``columns`` are known before any row is read.
    """

    path: Path
    columns: tuple[str, ...]
    encoding: str | None = None
    torn: int = field(default=0, init=False)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """The rows in frames of about a hundred thousand; CSV values are text, empty ones missing."""
        if self.encoding is None:
            yield from _parquet_chunks(self.path)
            return
        import pyarrow as pa

        try:
            for batch in _csv_reader(self.path, self.encoding, self._tear):
                yield batch.to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.path, error) from error

    def _tear(self, row: csv.InvalidRow) -> str:
        self.torn += 1
        return "skip"


def open_table(path: Path, encoding: str = "auto") -> Table:
    """The table at ``path``; a CSV file that is not UTF-8 is read as Latin-1, which any bytes are.

    Raises NotFound, and BadInput for what is no table.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() in (".parquet", ".pq"):
        return Table(path, _parquet_columns(path))
    found = _encoding(path) if encoding == "auto" else _known(encoding)
    import pyarrow as pa

    try:
        with _csv_reader(path, found, lambda row: "skip") as reader:
            columns = tuple(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    repeated = {name for name in columns if columns.count(name) > 1}
    if repeated:
        raise BadInput(
            f"{path.name} has the column {sorted(repeated)[0]!r} more than once.", "Name each column once."
        )
    return Table(path, columns, found)


def _csv_reader(path: Path, encoding: str, on_torn: object) -> csv.CSVStreamingReader:
    import pyarrow as pa
    from pyarrow import csv

    names = _header(path, encoding)
    return csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES, encoding=encoding, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=_delimiter(path), invalid_row_handler=on_torn),
        convert_options=csv.ConvertOptions(
            strings_can_be_null=True, column_types={name: pa.string() for name in names}
        ),
    )


def _header(path: Path, encoding: str) -> tuple[str, ...]:
    """Names alone: pyarrow wants the types before it opens the file, and would guess them otherwise."""
    import csv as rows
    import gzip
    from typing import cast

    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding=_signed(encoding), errors="replace", newline="") as text:
        line = next(rows.reader(cast("Iterator[str]", text), delimiter=_delimiter(path)), [])
    return tuple(line)


def _signed(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.name.lower() else ","


def _encoding(path: Path) -> str:
    """UTF-8 when the whole file is, else Latin-1. Raises BadInput for UTF-16."""
    import gzip

    decoder = codecs.getincrementaldecoder("utf-8")()
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        block = file.read(_SCAN_BYTES)
        if any(block.startswith(mark) for mark in _MARKS):
            raise BadInput(f"{path.name} is UTF-16, which cannot be streamed.", "Save it as UTF-8 CSV.")
        try:
            while block:
                decoder.decode(block)
                block = file.read(_SCAN_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return LATIN_1
    return "utf-8"


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise BadInput(f"'{encoding}' is no text encoding.", "Use auto, utf-8 or latin-1.") from error


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _parquet_chunks(path: Path) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=CHUNK_ROWS):
                yield batch.to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInput:
    # The library's own message may quote a line of the file, which is a patient's.
    what = f"{path.name} cannot be read as a table ({type(error).__name__})."
    if path.suffix == ".parquet":
        return BadInput(what, "It is no Parquet file, or its end is missing: write it again.")
    if not path.stat().st_size:
        return BadInput(f"{path.name} is empty.", "It needs a header line.")
    return BadInput(what, "It needs one header line, and one separator and one text encoding throughout.")
