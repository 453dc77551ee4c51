"""Rows that occur more than once, counted by a 64-bit hash per row built while the columns stream by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from core.drift.profile import doubles
from core.drift.types import SchemaFinding, Severity

if TYPE_CHECKING:
    import pyarrow as pa

_ODD = np.uint64(0x9E3779B97F4A7C15)


class RowHashes:
    """Feed it every column of a table; then :meth:`findings` tells how many rows repeat another."""

    def __init__(self, rows: int) -> None:
        self._hashes = np.zeros(rows, dtype=np.uint64)
        self._columns = 0

    def add(self, column: pa.ChunkedArray) -> None:
        """Mix one column in; a nested column is left out, since its rows cannot be hashed cheaply."""
        codes = _codes(column)
        if codes is None or len(codes) != len(self._hashes):
            return
        mixed = (self._hashes ^ codes) * _ODD
        self._hashes = mixed ^ (mixed >> np.uint64(29))
        self._columns += 1

    def findings(self) -> tuple[SchemaFinding, ...]:
        """A finding when more than one row in a hundred repeats another (over at least two columns)."""
        rows = len(self._hashes)
        if self._columns < 2 or rows < 2:
            return ()
        ordered = np.sort(self._hashes)
        repeated = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
        if repeated <= 10 or repeated < rows / 100:
            return ()
        message = f"{repeated:,} of {rows:,} current rows repeat another row in every compared column."
        return (SchemaFinding(None, "duplicate rows", Severity.NOTICE, message),)


def _codes(column: pa.ChunkedArray) -> np.ndarray | None:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_floating(column.type) or t.is_integer(column.type):
        numbers = column.cast(pa.float64(), safe=False)
        return doubles(numbers.fill_null(math.nan) if numbers.null_count else numbers).view(np.uint64)
    if not len(column) or t.is_nested(column.type) or t.is_null(column.type):
        return None
    if not t.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.unify_dictionaries().combine_chunks()
    if isinstance(indices, pa.ChunkedArray):
        indices = indices.chunk(0) if indices.num_chunks else None
    if indices is None:
        return None
    return indices.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
