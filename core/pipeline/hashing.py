"""DVC's content hashes of files and directories, remembered by (mtime, size, inode)."""

from __future__ import annotations

import hashlib
import os
import posixpath
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from threading import Lock

from core.pipeline.lockfile import directory_digest
from core.pipeline.types import Hash

CHUNK = 1 << 20
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_SAMPLE = 512
_SETTLED_NS = 2_000_000_000
_KEPT = 200_000

KINDS = ("md5", "md5-dos2unix")


def digest(data: bytes, kind: str) -> str:
    """The hash of ``data``; ``md5-dos2unix`` turns CRLF into LF where a 1 MiB chunk looks like text."""
    hasher = hashlib.md5(usedforsecurity=False)
    for start in range(0, len(data), CHUNK):
        hasher.update(_neutral(data[start : start + CHUNK], kind))
    return hasher.hexdigest()


def hash_file(path: Path, kind: str, seen: Callable[[int], None] | None = None) -> Hash | None:
    """The hash of a file, None when it cannot be read; ``seen`` is told the bytes of each chunk."""
    identity = file_identity(path)
    if identity is None:
        return None
    known = _MEMORY.get(path, kind, identity)
    if known is not None:
        if seen:
            seen(identity[1])
        return known
    hasher = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                hasher.update(_neutral(chunk, kind))
                if seen:
                    seen(len(chunk))
    except OSError:
        return None
    found = Hash(hasher.hexdigest(), kind)
    _MEMORY.put(path, kind, identity, found)
    return found


def remembered(path: Path, kind: str) -> Hash | None:
    """The hash of a file if it was computed before and the file is unchanged since; reads nothing."""
    identity = file_identity(path)
    return _MEMORY.get(path, kind, identity) if identity else None


def hash_directory(
    root: Path,
    folder: str,
    kind: str,
    ignored: Callable[[str], bool],
    seen: Callable[[int], None] | None = None,
) -> Hash | None:
    """DVC's hash of the directory ``folder`` of the project ``root``; None when a file cannot be read."""
    listing = []
    for path in directory_files(root, folder, ignored):
        found = hash_file(root / path, kind, seen)
        if found is None:
            return None
        listing.append({"md5": found.value, "relpath": posixpath.relpath(path, folder)})
    return Hash(directory_digest(listing), kind)


def directory_files(root: Path, folder: str, ignored: Callable[[str], bool]) -> Iterator[str]:
    """Files below ``folder`` that DVC counts as its content, as paths from the root."""
    for current, folders, files in os.walk(root / folder):
        relative = Path(os.path.relpath(current, root)).as_posix()
        folders[:] = sorted(name for name in folders if not ignored(f"{relative}/{name}/"))
        for name in sorted(files):
            path = posixpath.normpath(f"{relative}/{name}")
            if not ignored(path):
                yield path


def file_identity(path: Path) -> tuple[int, int, int] | None:
    """(mtime in ns, size, inode) of a regular file, None for anything else."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if S_ISREG(found.st_mode) else None


def is_directory(path: Path) -> bool:
    """True for a directory."""
    try:
        return S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _neutral(chunk: bytes, kind: str) -> bytes:
    if kind != "md5-dos2unix":
        return chunk
    sample = chunk[:_SAMPLE]
    strange = len(sample.translate(None, _TEXT))
    is_text = b"\x00" not in sample and strange <= 0.30 * len(sample)
    return chunk.replace(b"\r\n", b"\n") if is_text else chunk


class _Memory:
    """Hashes by path and identity; a file changed in the last two seconds is not trusted to stay so."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[tuple[int, int, int], Hash]] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path, kind: str, identity: tuple[int, int, int]) -> Hash | None:
        found = self._known.get((str(path), kind))
        return found[1] if found and found[0] == identity else None

    def put(self, path: Path, kind: str, identity: tuple[int, int, int], value: Hash) -> None:
        if time.time_ns() - identity[0] < _SETTLED_NS or file_identity(path) != identity:
            return
        with self._lock:
            self._known[str(path), kind] = (identity, value)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


_MEMORY = _Memory()
