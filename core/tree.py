"""The digest of a folder: the same for the same files, wherever and whenever they were copied."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.errors import IntegrityFailure


def tree_sha256(root: Path) -> tuple[str, int]:
    """SHA-256 over every file's path, size and content, and the size of all files in bytes.

    Files are taken in the order of their POSIX paths. A symbolic link is refused (IntegrityFailure): what it
    points to could change without the digest changing.
    """
    digest = hashlib.sha256()
    total = 0
    files = sorted((path.relative_to(root).as_posix(), path) for path in root.rglob("*") if _is_file(path))
    for name, path in files:
        size = path.stat().st_size
        digest.update(f"{len(name.encode())}:{name}:{size}:".encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        total += size
    return digest.hexdigest(), total


def _is_file(path: Path) -> bool:
    if path.is_symlink():
        raise IntegrityFailure(f"{path} is a symbolic link.", "Log the model with real files.")
    return path.is_file()
