"""Profiles of reference files, kept on disk by the file's content so that a reference is sorted once.

The folder holds sorted columns without their rows; it is readable by its owner alone. Identifiers are kept
as hashes only. Deleting the folder is always safe.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.drift.kinds import Family
from core.drift.profile import Profile
from core.drift.statistics.wasserstein import Sums
from core.drift.types import ColumnKind

_FORMAT = 4
_ARRAYS = ("values", "counts", "keys")
_SUMS = "totals"


@dataclass(frozen=True, slots=True)
class ProfileCache:
    """A folder of profiles: one sub-folder per file content, two small files per column."""

    folder: Path

    def load(self, file: Path, column: str, override: ColumnKind | None) -> Profile | None:
        """The kept profile of ``column`` in ``file``; None when this content has not been profiled."""
        base = self._base(file, column, override)
        try:
            facts = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
            arrays = {
                name: np.asarray(np.load(base.with_suffix(f".{name}.npy"), mmap_mode="r"))
                for name in facts.pop("arrays")
            }
        except (OSError, ValueError, KeyError):
            return None  # absent, or cut short by a crash: profile again
        levels, totals = facts.pop("levels"), arrays.pop(_SUMS, None)
        centre, deviation = facts.pop("centre"), facts.pop("deviation")
        return Profile(
            **facts
            | {"kind": ColumnKind(facts["kind"]), "family": Family(facts["family"])}
            | {"levels": None if levels is None else np.array(levels, dtype=object)}
            | {"kept_sums": None if totals is None else Sums(centre, totals, deviation)}
            | arrays
        )

    def store(self, file: Path, column: str, override: ColumnKind | None, profile: Profile) -> None:
        """Keep ``profile``; a folder that cannot be written to is no failure, only slower next time."""
        base = self._base(file, column, override)
        arrays = {name: getattr(profile, name) for name in _ARRAYS if getattr(profile, name) is not None}
        known = profile.kept_sums
        if known is not None:
            arrays[_SUMS] = known.totals
        facts = {
            "name": profile.name,
            "kind": profile.kind.value,
            "type": profile.type,
            "family": profile.family.value,
            "rows": profile.rows,
            "missing": profile.missing,
            "parsed": profile.parsed,
            "rounded": profile.rounded,
            "levels": None if profile.levels is None else profile.levels.tolist(),
            "centre": known.centre if known else 0.0,
            "deviation": known.deviation if known else 0.0,
            "arrays": list(arrays),
        }
        try:
            self._private(base.parent)
            for name, array in arrays.items():
                with replacing(base.with_suffix(f".{name}.npy")) as temporary:
                    np.save(temporary, array)
            # Written last: the JSON file says that the arrays are complete.
            with replacing(base.with_suffix(".json")) as temporary:
                temporary.write_text(json.dumps(facts), encoding="utf-8")
        except OSError:
            return

    def _base(self, file: Path, column: str, override: ColumnKind | None) -> Path:
        key = hashlib.sha256(f"{_FORMAT}|{column}|{override or ''}".encode()).hexdigest()[:24]
        return self.folder / self.digest(file)[:32] / key

    def _private(self, inner: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        inner.mkdir(exist_ok=True, mode=0o700)

    def digest(self, file: Path) -> str:
        """The SHA-256 of the file's content; remembered by path, size and time as DVC does."""
        stat = file.stat()
        seen = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
        note = self.folder / "digests" / hashlib.sha256(seen.encode()).hexdigest()[:24]
        try:
            return note.read_text(encoding="ascii")
        except OSError:
            pass
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        try:
            self._private(note.parent)
            note.write_text(found, encoding="ascii")
        except OSError:
            pass
        return found


class replacing:
    """A temporary path beside ``path`` that takes its place when the block ends well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{os.getpid()}.{path.name}")

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink(missing_ok=True)
