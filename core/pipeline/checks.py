"""What is known of the files themselves: nothing read, small files read, or all hashed on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from core.pipeline.config import cache_folder, read_config
from core.pipeline.discovery import IGNORE_FILE, ignore_rules
from core.pipeline.hashing import (
    KINDS,
    digest,
    directory_files,
    file_identity,
    hash_directory,
    hash_file,
    is_directory,
    remembered,
)
from core.pipeline.paths import is_url
from core.pipeline.reads import Reads
from core.pipeline.sources import DIRECTORY, Source, SourceFault, open_source
from core.pipeline.types import Dep, DepKind, Hash, Out, Pipeline

SMALL = 1 << 20
SMALL_TOTAL = 16 << 20
MAX_LISTING = 32 << 20

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


class Content(Enum):
    """How a file compares with what the lock recorded."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Checker(Protocol):
    """Compares files with recorded hashes, as far as this checker looks."""

    def content(self, path: str, recorded: Hash | None, size: int | None) -> Content:
        """The file at ``path`` against the recorded hash; a file without one is DIFFERENT if it exists."""

    def in_cache(self, out: Out) -> bool | None:
        """Whether DVC's cache holds the out's content; None when that was not looked at."""


class CommitFiles:
    """Files of a commit: what git tracks is compared, what DVC tracks is not there to be looked at."""

    def __init__(self, source: Source, outs: frozenset[str]) -> None:
        self._source = source
        self._outs = outs
        self._budget = SMALL_TOTAL

    def content(self, path: str, recorded: Hash | None, size: int | None) -> Content:
        """A tracked file of at most 1 MiB by its blob; everything else is unknown."""
        if path in self._outs:
            return Content.UNKNOWN
        identity = self._source.identity(path)
        if identity is None or identity == DIRECTORY or recorded is None or recorded.kind not in KINDS:
            return Content.UNKNOWN
        if size is not None and (size > SMALL or self._budget < size):
            return Content.UNKNOWN
        try:
            data = self._source.read(path)
        except (SourceFault, FileNotFoundError):
            return Content.UNKNOWN
        self._budget -= len(data)
        return Content.SAME if digest(data, recorded.kind) == recorded.value else Content.DIFFERENT

    def in_cache(self, out: Out) -> bool | None:
        """Never looked at."""
        return None


class WorkingFiles:
    """The working tree as a page may look at it: sizes, small files, and hashes computed before."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._budget = SMALL_TOTAL
        self._seen: dict[tuple[str, Hash | None, int | None], Content] = {}

    def content(self, path: str, recorded: Hash | None, size: int | None) -> Content:
        """Certain where the file is missing, of another size, small, or hashed before."""
        key = (path, recorded, size)
        if key not in self._seen:
            self._seen[key] = self._look(path, recorded, size)
        return self._seen[key]

    def _look(self, path: str, recorded: Hash | None, size: int | None) -> Content:
        full = self._root / path
        identity = file_identity(full)
        if identity is None:
            if not is_directory(full):
                return Content.MISSING
            return Content.UNKNOWN if recorded else Content.DIFFERENT
        if recorded is None or recorded.is_directory:
            return Content.DIFFERENT
        if recorded.kind not in KINDS:
            return Content.UNKNOWN
        if recorded.kind == "md5" and size is not None and size != identity[1]:
            return Content.DIFFERENT
        found = remembered(full, recorded.kind)
        if found is None and identity[1] <= min(SMALL, self._budget):
            self._budget -= identity[1]
            found = hash_file(full, recorded.kind)
        if found is None:
            return Content.UNKNOWN
        return Content.SAME if found == recorded else Content.DIFFERENT

    def in_cache(self, out: Out) -> bool | None:
        """Never looked at."""
        return None


@dataclass(frozen=True)
class CheckedFiles:
    """The result of :func:`check_files`: every dep and out hashed, and what the cache holds."""

    hashes: Mapping[tuple[str, str], Hash | None]
    cached: Mapping[str, bool]
    missing: frozenset[str]

    def content(self, path: str, recorded: Hash | None, size: int | None) -> Content:
        """The file as it was when checked."""
        if path in self.missing:
            return Content.MISSING
        if recorded is None:
            return Content.DIFFERENT
        found = self.hashes.get((path, recorded.kind))
        if found is None:
            return Content.UNKNOWN
        return Content.SAME if found == recorded else Content.DIFFERENT

    def in_cache(self, out: Out) -> bool | None:
        """Whether DVC's cache held the content."""
        return self.cached.get(out.path)


def check_files(pipeline: Pipeline, progress: Progress | None = None) -> CheckedFiles:
    """Hash every local dep and out of the working tree: as slow as reading them. For explicit requests.

    ``progress`` is called with (bytes done, bytes in all) after each MiB. Unchanged files are not read again.
    """
    root = pipeline.root
    ignored, cache = _settings(root)
    wanted = dict.fromkeys(_wanted(pipeline))
    sizes = {key: _size(root, key[0], ignored) for key in wanted} if progress else {}
    total, done = sum(sizes.values()), 0

    def seen(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(min(done, total), total)

    hashes, missing = {}, set()
    for path, kind in wanted:
        full = root / path
        if is_directory(full):
            hashes[path, kind] = hash_directory(root, path, kind, ignored, seen)
        elif file_identity(full) is None:
            missing.add(path)
        else:
            hashes[path, kind] = hash_file(full, kind, seen)
    held = {out.path: holds(cache, out.hash) for out in _cached_outs(pipeline) if out.hash}
    return CheckedFiles(hashes, held, frozenset(missing))


def holds(cache: Path, wanted: Hash) -> bool:
    """True when the cache folder holds this content, for a directory all of its files too."""
    if not wanted.is_directory:
        return stored_path(cache, wanted).is_file()
    listing = directory_listing(cache, wanted)
    return listing is not None and all(stored_path(cache, entry).is_file() for entry in listing.values())


def directory_listing(cache: Path, wanted: Hash) -> Mapping[str, Hash] | None:
    """Hashes by relative path of the directory with this hash; None when the cache does not hold its listing."""
    try:
        return _read_listing(cache, wanted)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=256)
def _read_listing(cache: Path, wanted: Hash) -> Mapping[str, Hash]:
    stored = stored_path(cache, wanted)
    if stored.stat().st_size > MAX_LISTING:
        raise ValueError("too large")
    return {entry["relpath"]: Hash(entry["md5"], wanted.kind) for entry in json.loads(stored.read_bytes())}


def cache_of(root: Path) -> Path:
    """The project's cache folder."""
    return _settings(root)[1]


def stored_path(cache: Path, wanted: Hash) -> Path:
    """Where the cache folder keeps the content with this hash."""
    folder = cache / "files" / "md5" if wanted.kind == "md5" else cache
    return folder / wanted.value[:2] / wanted.value[2:]


def _settings(root: Path) -> tuple[Callable[[str], bool], Path]:
    with open_source(root, None) as source:
        rules = [name for name in source.names() if name.endswith(IGNORE_FILE)]
        return ignore_rules(source, rules, []), cache_folder(root, read_config(Reads(source)))


def _wanted(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    for stage in pipeline.stages:
        for item in (*_local(stage.deps), *(out for out in stage.outs if not is_url(out.path))):
            kind = item.hash.kind if item.hash else "md5"
            if kind in KINDS:
                yield item.path, kind


def _local(deps: tuple[Dep, ...]) -> Iterator[Dep]:
    return (dep for dep in deps if dep.kind is DepKind.FILE)


def _cached_outs(pipeline: Pipeline) -> Iterator[Out]:
    for stage in pipeline.stages:
        for out in stage.outs:
            if out.cache and out.hash and out.hash.kind in KINDS and not is_url(out.path):
                yield out


def _size(root: Path, path: str, ignored: Callable[[str], bool]) -> int:
    if not is_directory(root / path):
        identity = file_identity(root / path)
        return identity[1] if identity else 0
    files = (file_identity(root / file) for file in directory_files(root, path, ignored))
    return sum(identity[1] for identity in files if identity)
