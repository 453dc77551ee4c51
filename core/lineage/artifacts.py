"""md5 of what runs logged, so that a run can be joined to the stage whose output it equals byte for byte.

MLflow stores no content hashes, so files are read: for a page only small ones and those hashed before; all of
them on request (:func:`hash_artifacts`). What was computed is kept on disk and used while the file's size and
time are the same. Directories get DVC's ``.dir`` hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from core.experiments.artifacts import local_folder
from core.experiments.types import Run
from core.lineage.match import DATA_TAG, STAGE_TAG
from core.pipeline.hashing import hash_file
from core.pipeline.lockfile import directory_digest

if TYPE_CHECKING:
    from core.workspace import Workspace

SMALL = 1 << 20
SMALL_TOTAL = 16 << 20
LARGEST_FETCHED = 256 << 20
MOST_RUNS = 500
SAVED_EVERY_S = 10.0
EMPTY = hashlib.md5(b"", usedforsecurity=False).hexdigest()

Progress = Callable[[int, int], None]
"""Called with (runs done, runs in all)."""

Kept = dict[str, dict[str, tuple[int, int, str]]]
"""Run -> artifact path -> (size, mtime in ns or 0, md5)."""


@dataclass(slots=True)
class Hashed:
    """Digests of each run's files and folders -> their path.

    ``unread`` files were too large for a page; the files of ``elsewhere`` runs are on a server.
    """

    files: dict[str, Mapping[str, str]] = field(default_factory=dict)
    unread: int = 0
    elsewhere: int = 0


def candidates(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs whose stage is not certain from their tags alone, newest first; at most 500."""
    unsure = (
        run for run in runs if not run.tags.get(STAGE_TAG) or not (run.tags.get(DATA_TAG) or run.git_commit)
    )
    return tuple(sorted(unsure, key=lambda run: str(run.start_time), reverse=True)[:MOST_RUNS])


def known_hashes(ws: Workspace, runs: Iterable[Run]) -> Hashed:
    """What a page may know: files hashed before, and up to 16 MiB of small ones; folders of this machine only."""
    kept = _read(_kept_file(ws))
    found = Hashed()
    budget = SMALL_TOTAL
    for run in runs:
        before = kept.get(run.run_id, {})
        folder = local_folder(run.artifact_uri, ws.root)
        if folder is None or not folder.is_dir():
            found.elsewhere += folder is None and run.run_id not in kept
            _add(found, run.run_id, {path: entry[2] for path, entry in before.items()})
            continue
        digests: dict[str, str] = {}
        for path, file, size, changed in _files(folder):
            if before.get(path, (0, 0, ""))[:2] == (size, changed):
                digests[path] = before[path][2]
            elif size <= min(SMALL, budget) and (digest := hash_file(file, "md5")):
                budget -= size
                digests[path] = digest.value
            else:
                found.unread += 1
        _add(found, run.run_id, digests)
    return found


def hash_artifacts(ws: Workspace, runs: Iterable[Run], progress: Progress | None = None) -> Hashed:
    """Read and hash everything that these runs logged, and keep the hashes; as slow as reading it all.

    Artifacts on a server are fetched up to 256 MiB each. What cannot be read counts as ``unread``.
    """
    kept = _read(_kept_file(ws))
    found = Hashed()
    wanted = tuple(runs)
    due = time.monotonic() + SAVED_EVERY_S
    for index, run in enumerate(wanted):
        folder = local_folder(run.artifact_uri, ws.root)
        here = folder is not None and folder.is_dir()
        entries = dict(_hashed_here(folder) if here else _fetched(ws, run, kept.get(run.run_id, {}), found))
        kept[run.run_id] = entries
        _add(found, run.run_id, {path: entry[2] for path, entry in entries.items()})
        if progress:
            progress(index + 1, len(wanted))
        if time.monotonic() > due:  # whoever stops this keeps what was read
            _write(_kept_file(ws), kept)
            due = time.monotonic() + SAVED_EVERY_S
    _write(_kept_file(ws), kept)
    return found


def _add(found: Hashed, run_id: str, digests: Mapping[str, str]) -> None:
    """Note a run's files, and the folders whose files are all known; an empty file says nothing."""
    by_digest = {digest: path for path, digest in digests.items() if digest != EMPTY}
    folders: dict[str, list[dict[str, str]]] = {}
    for path, digest in digests.items():
        above = posixpath.dirname(path)
        while above:
            relative = posixpath.relpath(path, above)
            folders.setdefault(above, []).append({"md5": digest, "relpath": relative})
            above = posixpath.dirname(above)
        folders.setdefault("", []).append({"md5": digest, "relpath": path})
    by_digest |= {directory_digest(listing): path or "." for path, listing in folders.items()}
    if by_digest:
        found.files[run_id] = by_digest


def _files(folder: Path) -> Iterator[tuple[str, Path, int, int]]:
    """(path in the run, file, size, mtime) of regular files; links are left out."""
    for current, _, names in os.walk(folder):
        for name in sorted(names):
            file = Path(current, name)
            if not file.is_symlink() and file.is_file():
                state = file.stat()
                yield file.relative_to(folder).as_posix(), file, state.st_size, state.st_mtime_ns


def _hashed_here(folder: Path) -> Iterator[tuple[str, tuple[int, int, str]]]:
    for path, file, size, changed in _files(folder):
        digest = hash_file(file, "md5")
        if digest:
            yield path, (size, changed, digest.value)


def _fetched(
    ws: Workspace, run: Run, before: Mapping[str, tuple[int, int, str]], found: Hashed
) -> Iterator[tuple[str, tuple[int, int, str]]]:
    pending = [""]
    while pending:
        try:
            entries = ws.runs.artifacts(run.run_id, pending.pop())
        except ModelDeskError:
            found.unread += 1
            continue
        for entry in entries:
            size = entry.size or 0
            if entry.is_dir:
                pending.append(entry.path)
            elif entry.path in before and before[entry.path][0] == size:
                yield entry.path, before[entry.path]
            else:
                try:
                    content = ws.runs.artifact(run.run_id, entry.path, LARGEST_FETCHED)
                except ModelDeskError:
                    found.unread += 1
                    continue
                yield entry.path, (size, 0, hashlib.md5(content, usedforsecurity=False).hexdigest())


def _kept_file(ws: Workspace) -> Path:
    from core.experiments.snapshot_file import cache_folder

    name = hashlib.sha256(f"{ws.settings.tracking_uri} {ws.root}".encode()).hexdigest()[:24]
    return cache_folder() / "artifact-hashes" / f"{name}.json"


def _read(file: Path) -> Kept:
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        return {
            run: {path: (int(entry[0]), int(entry[1]), str(entry[2])) for path, entry in paths.items()}
            for run, paths in plain.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, IndexError):
        return {}  # absent, or cut short by a crash: hash again


def _write(file: Path, kept: Kept) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(kept), encoding="utf-8")
        part.replace(file)
    except OSError:
        return  # a disk that cannot be written to costs only time
