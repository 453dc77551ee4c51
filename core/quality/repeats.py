"""How many rows repeat an earlier one, in bounded memory: 64-bit hashes, sorted into files by their first bits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_FILES = 64
_HELD = 1 << 20


class Repeats:
    """Feed it rows with :meth:`add`; :meth:`count` tells how many repeat another. A context manager.

    Two different rows share a hash with a probability of about n^2 / 2^65: one in a million at six million rows.
    """

    def __init__(self) -> None:
        self._held: list[np.ndarray] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Repeats:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder:
            self._folder.cleanup()

    def add(self, rows: pd.DataFrame) -> None:
        """Rows to compare with all others; a row with a missing value is left out."""
        import pandas as pd

        full = rows.dropna()
        self._held.append(pd.util.hash_pandas_object(full, index=False).to_numpy(np.uint64))
        if sum(map(len, self._held)) > _HELD:
            self._spill()

    def count(self) -> int:
        """Rows that repeat an earlier one."""
        if self._folder is None:
            return _repeated(np.concatenate(self._held)) if self._held else 0
        if self._held:
            self._spill()
        files = Path(self._folder.name).iterdir()
        return sum(_repeated(np.fromfile(file, dtype=np.uint64)) for file in files)

    def _spill(self) -> None:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="model-desk-")
        hashes = np.sort(np.concatenate(self._held))
        self._held = []
        edges = np.searchsorted(hashes, np.arange(1, _FILES, dtype=np.uint64) << np.uint64(58))
        for number, part in enumerate(np.split(hashes, edges)):
            with (Path(self._folder.name) / str(number)).open("ab") as file:
                part.tofile(file)


def _repeated(hashes: np.ndarray) -> int:
    return len(hashes) - len(np.unique(hashes))
