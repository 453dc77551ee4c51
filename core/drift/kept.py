"""Finished reports on disk, by what they were made from: a window is judged once, however often it is looked at.

Plain JSON, readable by its owner alone. Deleting the folder is always safe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from core.drift.cache import ProfileCache, replacing
from core.drift.sources import Slice

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from core.drift.sources import Source

_FORMAT = "8"
"""Raised whenever a statistic or a rule changes what a report says."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of reports (frozen dataclasses), one file each."""

    folder: Path

    def get(self, kind: type[T], key: str, make: Callable[[], T]) -> T:
        """The report kept under ``key``, else what ``make`` gives, which is then kept."""
        found = self.read(kind, key)
        if found is None:
            found = make()
            with suppress(OSError):  # a folder that cannot be written to only makes the next look slower
                self.write(key, found)
        return found

    def read(self, kind: type[T], key: str) -> T | None:
        """The report kept under ``key``; None when it is absent, of an older version, or cut short by a crash."""
        try:
            text = (self.folder / f"{key}.json").read_text(encoding="utf-8")
            return _adapter(kind).validate_python(json.loads(text))
        except (OSError, ValueError):
            return None

    def write(self, key: str, report: object) -> None:
        """Keep ``report`` under ``key``; raises OSError."""
        text = json.dumps(_adapter(type(report)).dump_python(report, mode="json"))
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(self.folder / f"{key}.json") as temporary:
            temporary.write_text(text, encoding="utf-8")


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def key(*parts: object) -> str:
    """A name for a report made from ``parts`` (whose text must say all that matters)."""
    text = "\x1f".join(map(str, (_FORMAT, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def content(source: Source, files: ProfileCache) -> str:
    """What identifies the content of a source: the digests of its files in order, or of its rows of another's."""
    if isinstance(source, Slice):
        return rows_content(source.whole, source.indices, files)
    return " ".join(files.digest(file) for file in source.files)


def rows_content(source: Source, rows: np.ndarray, files: ProfileCache) -> str:
    """What identifies some rows of a source of files; other rows of other files may change meanwhile."""
    ends = np.cumsum(source.lengths)
    home = np.searchsorted(ends, rows, side="right")
    found = hashlib.sha256(repr([(name, str(source.type_of(name))) for name in source.names]).encode())
    for number in np.unique(home):
        inside = rows[home == number] - (ends[number] - source.lengths[number])
        found.update(files.digest(source.files[number]).encode())
        found.update(np.ascontiguousarray(inside, dtype=np.int64).tobytes())
    return found.hexdigest()
