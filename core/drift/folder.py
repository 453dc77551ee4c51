"""Files of one table, such as a prediction log by day: what one day holds differently costs no other day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.drift.kinds import type_name
from core.drift.plain import are_alike, common_type, fitted
from core.drift.types import SchemaFinding, Severity
from core.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

    from core.drift.sources import Source


class FolderSource:
    """Files below each other. A damaged file, or a damaged column in one, is a finding and its rows hold no value.

    A column that files hold in different types has that of the most rows; :meth:`around` gives some rows by
    the types of their own files.
    """

    def __init__(self, parts: Iterable[Source], findings: Iterable[SchemaFinding] = ()) -> None:
        self._parts = tuple(parts)
        self.names = tuple(dict.fromkeys(name for part in self._parts for name in part.names))
        self.rows = sum(part.rows for part in self._parts)
        self.files = tuple(file for part in self._parts for file in part.files)
        self.lengths = tuple(length for part in self._parts for length in part.lengths)
        self._types = {name: common_type(self._held(name)) for name in self.names}
        self.mixed = frozenset(name for name in self.names if not are_alike(set(self._held(name))))
        self._known = (
            *findings,
            *_each_once(f for part in self._parts for f in part.findings),
            *self._differences(),
        )
        self._damaged: dict[tuple[str, str], SchemaFinding] = {}

    @property
    def findings(self) -> tuple[SchemaFinding, ...]:
        """What is odd about the files, and what could not be read of them so far."""
        return (*self._known, *self._damaged.values())

    def type_of(self, name: str) -> pa.DataType:
        """The column's Arrow type: that of the most rows, numbers widened to double."""
        return self._types[name]

    def column(self, name: str) -> pa.ChunkedArray:
        """The column over all files; rows of a file that lacks it, or where it cannot be read, are null."""
        import pyarrow as pa

        wanted = self._types[name]
        if pa.types.is_dictionary(wanted):
            wanted = wanted.value_type
        chunks: list[pa.Array] = []
        for part in self._parts:
            chunks.extend(self._read(part, name, wanted))
        return pa.chunked_array(chunks, type=wanted)

    def around(self, indices: np.ndarray) -> tuple[FolderSource, np.ndarray]:
        """Only the files that ``indices`` lie in, and where those rows are among them."""
        ends = np.cumsum([part.rows for part in self._parts])
        home = np.searchsorted(ends, indices, side="right")
        used = np.unique(home)
        lengths = np.array([self._parts[place].rows for place in used], dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(used) else lengths
        among = np.searchsorted(used, home)
        starts = ends[home] - np.array([part.rows for part in self._parts], dtype=np.int64)[home]
        return FolderSource(self._parts[place] for place in used), indices - starts + begins[among]

    def _read(self, part: Source, name: str, wanted: pa.DataType) -> Sequence[pa.Array]:
        import pyarrow as pa

        if name in part.names:
            try:
                return fitted(part.column(name), wanted).chunks
            except BadInput as error:
                finding = SchemaFinding(name, "unreadable column", Severity.HIGH, error.what)
                self._damaged[name, _file_of(part)] = finding
        return [pa.nulls(part.rows, wanted)]

    def _held(self, name: str) -> dict[pa.DataType, int]:
        held: dict[pa.DataType, int] = {}
        for part in self._parts:
            if name in part.names:
                held[part.type_of(name)] = held.get(part.type_of(name), 0) + part.rows
        return held

    def _differences(self) -> Iterable[SchemaFinding]:
        for name in self.names:
            if any(name not in part.names for part in self._parts):
                message = f"Column '{name}' is not in every file."
                yield SchemaFinding(name, "missing in some files", Severity.WARNING, message)
            if name in self.mixed:
                yield SchemaFinding(name, "other type in some files", Severity.HIGH, self._types_told(name))

    def _types_told(self, name: str) -> str:
        usual = self._types[name]
        odd = [
            part for part in self._parts
            if name in part.names and not are_alike({usual, part.type_of(name)})
        ]  # fmt: skip
        more = f" and {len(odd) - 1} more files" if len(odd) > 1 else ""
        return (
            f"Column '{name}' is {type_name(odd[0].type_of(name))} in {_file_of(odd[0])}{more}, "
            f"{type_name(usual)} in most rows: beside those, what cannot be read as that counts as missing."
        )


def _each_once(findings: Iterable[SchemaFinding]) -> tuple[SchemaFinding, ...]:
    """One finding of each kind for a column, however many files repeat it."""
    return tuple({(finding.column, finding.kind): finding for finding in findings}.values())


def _file_of(part: Source) -> str:
    return Path(part.files[0]).name if part.files else "one file"
