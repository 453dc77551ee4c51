"""Tables to compare, read a column at a time: Parquet files, CSV files, folders of them, tables in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.drift.folder import FolderSource
from core.drift.plain import plain, plain_type
from core.drift.types import SchemaFinding, Severity
from core.errors import BadInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa


class Source(Protocol):
    """A table whose columns are read one by one, so that memory holds one column at a time.

    ``lengths`` are the rows of each of ``files``.
    """

    names: tuple[str, ...]
    rows: int
    findings: tuple[SchemaFinding, ...]
    files: tuple[Path, ...]
    lengths: tuple[int, ...]

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type, one of the plain ones (plain.py)."""

    def column(self, name: str) -> pa.ChunkedArray:
        """The column's values; raises BadInput when the data is damaged."""


@dataclass(frozen=True)
class TableSource:
    """A table in memory (also every CSV file, which has no columns to read apart)."""

    table: pa.Table
    findings: tuple[SchemaFinding, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, each once (of two columns with one name the first counts)."""
        return tuple(dict.fromkeys(self.table.column_names))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.table.num_rows

    @property
    def lengths(self) -> tuple[int, ...]:
        """The rows of the one file that it came from, if any."""
        return (self.rows,) * len(self.files)

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type."""
        return plain_type(self.table.schema.field(self.table.column_names.index(name)).type)

    def column(self, name: str) -> pa.ChunkedArray:
        """The column's values."""
        return plain(self.table.column(self.table.column_names.index(name)))


def repeated_names(names: Sequence[str]) -> tuple[SchemaFinding, ...]:
    """A finding for each name that several columns of a file have."""
    return tuple(
        SchemaFinding(
            name,
            "repeated name",
            Severity.WARNING,
            f"{count} columns are called '{name}': the first was compared.",
        )
        for name, count in Counter(names).items()
        if count > 1
    )


class ParquetSource:
    """One Parquet file; strings come as dictionaries, which is eight times cheaper."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_metadata(path)
            self._schema = metadata.schema.to_arrow_schema()
            text = [field.name for field in self._schema if _is_text(field.type)]
            self._file = pq.ParquetFile(path, metadata=metadata, read_dictionary=text)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(
                f"{path.name} is not a readable Parquet file ({type(error).__name__}).",
                "Write it again, or name another file.",
            ) from error
        self.names = tuple(dict.fromkeys(self._schema.names))
        self.rows: int = self._file.metadata.num_rows
        self.findings = repeated_names(self._schema.names)
        self.files = (path,)
        self.lengths = (self.rows,)

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type."""
        return plain_type(self._schema.field(self._schema.names.index(name)).type)

    def column(self, name: str) -> pa.ChunkedArray:
        """The column's values, read now; raises BadInput where they are damaged."""
        import pyarrow as pa

        try:
            # 'a.b' also means the part b of a structure a, which comes first then.
            table = self._file.read(columns=[name])
            return plain(table.column(table.column_names.index(name)))
        except (pa.ArrowException, OSError) as error:
            # The message of the error may quote a value, so only its type is told.
            raise BadInput(
                f"Column '{name}' of {self.files[0].name} cannot be read ({type(error).__name__}).",
                "The file is damaged: write it again.",
            ) from error


class Remembering:
    """Another source that keeps each column it has read: for a log whose windows all look at every column."""

    def __init__(self, whole: Source) -> None:
        self._whole, self._columns = whole, {}
        self.names, self.rows = whole.names, whole.rows
        self.files, self.lengths = whole.files, whole.lengths
        self.mixed: frozenset[str] = getattr(whole, "mixed", frozenset())

    @property
    def findings(self) -> tuple[SchemaFinding, ...]:
        """What is odd about the files."""
        return self._whole.findings

    def around(self, indices: Any) -> tuple[Source, Any]:
        """See :meth:`core.drift.folder.FolderSource.around`."""
        return self._whole.around(indices)

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type."""
        return self._whole.type_of(name)

    def column(self, name: str) -> pa.ChunkedArray:
        """The column's values, read once."""
        if name not in self._columns:
            self._columns[name] = self._whole.column(name)
        return self._columns[name]


@dataclass(frozen=True)
class Slice:
    """Rows of another source, chosen by index."""

    whole: Source
    indices: Any
    findings: tuple[SchemaFinding, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the whole."""
        return self.whole.names

    @property
    def rows(self) -> int:
        """How many rows were chosen."""
        return len(self.indices)

    @property
    def files(self) -> tuple[Path, ...]:
        """Nothing that a cache could know a slice by."""
        return ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """None, as there are no files."""
        return ()

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type, by the files that the rows lie in where files differ."""
        return self._near(name)[0].type_of(name)

    def column(self, name: str) -> pa.ChunkedArray:
        """The chosen rows of the column."""
        source, rows = self._near(name)
        return source.column(name).take(rows)

    def _near(self, name: str) -> tuple[Source, Any]:
        if name not in getattr(self.whole, "mixed", ()):
            return self.whole, self.indices
        source, rows = self.whole.around(self.indices)
        return (source, rows) if name in source.names else (self.whole, self.indices)


def open_source(data: Any) -> Source:
    """A source for a path (file or folder), a pyarrow Table or a pandas DataFrame.

    Raises NotFound for a missing path, BadInput for one that is neither Parquet nor CSV.
    """
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return TableSource(data)
    if isinstance(data, str | Path):
        return _open_path(Path(data))
    if hasattr(data, "names") and hasattr(data, "type_of"):
        return data
    return TableSource(pa.Table.from_pandas(data, preserve_index=False))


def _open_path(path: Path) -> Source:
    if path.is_dir():
        return open_files(sorted(path.glob("*.parquet")) + sorted(path.glob("*.csv")), path)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", "Check the path.")
    if _is_csv(path):
        from core.drift.csv_file import read_csv

        return read_csv(path)
    return ParquetSource(path)


def _is_csv(path: Path) -> bool:
    """By its ending; a file without one (DVC keeps contents so) is Parquet if it begins as Parquet does."""
    if not path.suffix:
        with path.open("rb") as stream:
            return stream.read(4) != b"PAR1"
    return path.suffix.lower() in (".csv", ".tsv", ".txt") or path.name.lower().endswith(
        (".csv.gz", ".tsv.gz")
    )


def open_files(files: Iterable[Path], where: Path) -> Source:
    """One source over ``files``; those that cannot be read become findings. Raises BadInput when none can."""
    parts, findings = [], []
    for file in files:
        try:
            parts.append(_open_path(file))
        except BadInput as error:
            findings.append(SchemaFinding(None, "unreadable file", Severity.HIGH, error.what))
    if not parts:
        raise BadInput(f"{where} holds no readable Parquet or CSV file.", "Check the path and the files.")
    return parts[0] if len(parts) == 1 and not findings else FolderSource(parts, findings)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
