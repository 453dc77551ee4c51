"""What a run stored beside its numbers: listed and read with care, from a folder or through a server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from core.errors import BadInput, NotFound, Unavailable
from core.experiments.types import Artifact


class ArtifactStore(Protocol):
    """The artifacts of one run."""

    def entries(self, path: str) -> tuple[Artifact, ...]:
        """Files and folders in a folder of the run, by path."""
        ...

    def read(self, path: str, max_bytes: int) -> bytes:
        """A file's content; BadInput when it is longer than ``max_bytes``, NotFound when it is missing."""
        ...


class FolderArtifacts:
    """Artifacts in a folder of this machine. Nothing outside the folder is ever read."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def entries(self, path: str) -> tuple[Artifact, ...]:
        """Files and folders in ``path``; none when the run stored nothing there."""
        folder = self._inside(path)
        if not folder.is_dir():
            return ()
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise Unavailable(f"The folder {folder} cannot be read: {error.strerror}.") from error
        return tuple(self._artifact(child) for child in children if child.exists())

    def read(self, path: str, max_bytes: int) -> bytes:
        """The file's content."""
        file = self._inside(path)
        if not file.is_file():
            raise NotFound(f"The run has no artifact {path!r}.", "It may have been deleted since.")
        if file.stat().st_size > max_bytes:
            raise too_large(path, max_bytes)
        try:
            return file.read_bytes()
        except OSError as error:
            raise Unavailable(f"The artifact {path!r} cannot be read: {error.strerror}.") from error

    def _artifact(self, child: Path) -> Artifact:
        relative = child.relative_to(self._root).as_posix()
        size = None if child.is_dir() else child.stat().st_size
        return Artifact(path=relative, is_dir=child.is_dir(), size=size)

    def _inside(self, path: str) -> Path:
        target = (self._root / checked_path(path)).resolve()
        if not target.is_relative_to(self._root):
            raise BadInput(f"The artifact path {path!r} leads out of the run's folder.")
        return target


def too_large(path: str, max_bytes: int) -> BadInput:
    """The error for an artifact that is longer than somebody wants to read."""
    return BadInput(f"{path} is larger than {max_bytes:,} bytes.", "Download it with MLflow.")


def checked_path(path: str) -> str:
    """``path`` if it is relative and stays inside; raises BadInput."""
    parts: Sequence[str] = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise BadInput(f"The artifact path {path!r} leads out of the run's folder.")
    return path


def local_folder(artifact_uri: str, root: Path) -> Path | None:
    """The folder of a local artifact URI (relative ones start at ``root``); None for a remote one."""
    if match := re.match(r"file://(?:localhost)?(/.*)", artifact_uri):
        return Path(unquote(match[1]))
    if artifact_uri.startswith("file:"):
        return root / unquote(artifact_uri[5:])
    if urlsplit(artifact_uri).scheme and not re.match(r"[A-Za-z]:\\", artifact_uri):
        return None
    return root / artifact_uri if artifact_uri else None
