"""Where a project's files come from: the working tree or a commit, behind one small protocol.

``identity`` says cheaply whether a file is still the one that was parsed: (mtime, size, inode) in the
working tree, the blob id in a commit. Paths are relative to the project's root.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Protocol

from core.errors import NotFound
from core.pipeline.git import (
    ObjectReader,
    Repository,
    TreeEntry,
    find_repository,
    lookup,
    open_objects,
    resolve,
    run,
)
from core.pipeline.yaml12 import MAX_BYTES

DIRECTORY = "directory"
"""The identity of every directory."""


_LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize \d+\n?"
)


class SourceFault(Exception):
    """A file is there but is not read: too large, in Git LFS, outside the repository, no permission."""


class Source(Protocol):
    """A project's files, read-only."""

    root: Path
    revision: str | None
    scope: str
    """Distinguishes caches of unlike sources; equal identities mean equal files within one scope."""

    def names(self) -> Iterator[str]:
        """Paths of all files that may be dvc.yaml, .dvc or .dvcignore files, not yet filtered."""

    def identity(self, path: str) -> Hashable | None:
        """None: nothing is there. DIRECTORY: a directory."""

    def read(self, path: str) -> bytes:
        """The file's bytes; raises SourceFault or FileNotFoundError."""

    def children(self, folder: str) -> tuple[str, ...]:
        """Names of the regular files directly in ``folder``, sorted."""

    def is_project(self, folder: str) -> bool:
        """True when ``folder`` holds a ``.dvc`` directory, so is a project of its own."""


class Sources:
    """The working tree and every commit of one project, over one running git; see :func:`open_sources`."""

    def __init__(self, project: Path, repository: Repository | None, stack: ExitStack) -> None:
        self._project = project
        self.repository = repository
        self._stack = stack
        self._reader: ObjectReader | None = None

    def at(self, revision: str | None) -> Source:
        """The working tree (None; HEAD in a bare repository) or the commit; raises NotFound."""
        repository = self.repository
        if revision is None and not (repository and repository.bare):
            return WorkingTree(self._project, repository)
        if repository is None:
            raise NotFound(
                f"{self._project} is not in a git repository, so it has no revisions.",
                "Ask for the working tree instead.",
            )
        if self._reader is None:
            self._reader = self._stack.enter_context(open_objects(repository))
        commit = resolve(repository, self._reader, revision or "HEAD")
        return Commit(self._project, repository, commit, self._reader)


@contextmanager
def open_sources(project: Path) -> Iterator[Sources]:
    """Access to the project's working tree and commits; raises NotFound when the folder is absent."""
    if not project.is_dir():
        raise NotFound(f"There is no folder {project}.", "Name the folder of a DVC project.")
    with ExitStack() as stack:
        yield Sources(project, find_repository(project), stack)


@contextmanager
def open_source(project: Path, revision: str | None) -> Iterator[Source]:
    """The working tree of ``project``, or the commit that ``revision`` names; raises NotFound."""
    with open_sources(project) as sources:
        yield sources.at(revision)


class WorkingTree:
    """Files on disk; nothing outside the repository (or, without git, the project) is read."""

    def __init__(self, root: Path, repository: Repository | None) -> None:
        self.root = root.resolve()
        self.revision = None
        self.scope = str(self.root)
        self.repository = repository
        self._base = str(self.root)
        self._boundary = str(repository.top if repository else self.root)

    def names(self) -> Iterator[str]:
        """DVC's files below the root; git knows them at once, otherwise folders are walked."""
        if self.repository:
            yield from _listed_by_git(self.root)
        else:
            yield from _walked(self._base)

    def identity(self, path: str) -> Hashable | None:
        """(mtime in ns, size, inode), following links."""
        try:
            found = os.stat(posixpath.join(self._base, path))  # noqa: PTH116 - thousands of calls
        except (OSError, ValueError):
            return None
        if S_ISDIR(found.st_mode):
            return DIRECTORY
        return (found.st_mtime_ns, found.st_size, found.st_ino) if S_ISREG(found.st_mode) else None

    def read(self, path: str) -> bytes:
        """The file's bytes, if it lies inside the repository and is not too large."""
        real = os.path.realpath(posixpath.join(self._base, path))
        if real != self._boundary and not real.startswith(self._boundary.rstrip("/") + "/"):
            raise SourceFault("it lies outside the repository and is not read")
        try:
            if os.stat(real).st_size > MAX_BYTES:  # noqa: PTH116
                raise SourceFault(f"it is larger than {MAX_BYTES // 2**20} MB and is not read")
            data = Path(real).read_bytes()
            return _content(data, self.repository, f"git lfs pull --include {path}")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SourceFault(f"it cannot be read: {error.strerror}") from error

    def children(self, folder: str) -> tuple[str, ...]:
        """Names of the files in the folder; links are left out."""
        try:
            entries = list(os.scandir(posixpath.join(self._base, folder)))
        except OSError:
            return ()
        return tuple(sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False)))

    def is_project(self, folder: str) -> bool:
        """True when the folder has a ``.dvc`` directory."""
        return (self.root / folder / ".dvc").is_dir()


class Commit:
    """Files of one commit, read through ``git cat-file``."""

    scope = "git"

    def __init__(self, root: Path, repository: Repository, commit: str, reader: ObjectReader) -> None:
        self.root = root.resolve()
        self.revision: str = commit
        self._repository = repository
        self._reader = reader
        self._tree = f"{commit}^{{tree}}"
        self._entries: dict[str, TreeEntry | None] = {}

    def names(self) -> Iterator[str]:
        """DVC's files in the commit's tree; unchanged folders come from a cache."""
        top = lookup(self._reader, self._tree, self._repository.prefix)
        if top is not None and top.is_tree:
            yield from _in_tree(self._reader, top.id)

    def identity(self, path: str) -> Hashable | None:
        """The blob id."""
        entry = self._entry(path)
        return None if entry is None else DIRECTORY if entry.is_tree else entry.id

    def read(self, path: str) -> bytes:
        """The blob's bytes."""
        entry = self._entry(path)
        if entry is None or entry.is_tree:
            raise FileNotFoundError(path)
        if entry.is_link:
            raise SourceFault("it is a symbolic link, which is not followed in a commit")
        content = self._reader.read(entry.id, MAX_BYTES)
        if content is None:
            raise SourceFault(f"it is larger than {MAX_BYTES // 2**20} MB or missing from this clone")
        command = f"git lfs fetch origin {self.revision[:12]} --include {path}"
        return _content(content, self._repository, command)

    def children(self, folder: str) -> tuple[str, ...]:
        """Names of the files in the folder; links are left out."""
        entry = self._entry(folder)
        if entry is None or not entry.is_tree:
            return ()
        found = self._reader.tree(entry.id).items()
        return tuple(sorted(name for name, item in found if not item.is_tree and not item.is_link))

    def is_project(self, folder: str) -> bool:
        """True when the folder has a ``.dvc`` directory."""
        return self.identity(posixpath.join(folder, ".dvc")) == DIRECTORY

    def _entry(self, path: str) -> TreeEntry | None:
        if path not in self._entries:
            self._entries[path] = self._found(path)
        return self._entries[path]

    def _found(self, path: str) -> TreeEntry | None:
        full = posixpath.normpath(posixpath.join(self._repository.prefix, path))
        if full.startswith("../") or full.startswith("/") or full == "..":
            return None
        return lookup(self._reader, self._tree, "" if full == "." else full)


def _content(data: bytes, repository: Repository | None, command: str) -> bytes:
    """The data, or what a Git LFS pointer stands for when this clone has it; ``command`` brings it."""
    pointer = _LFS_POINTER.fullmatch(data)
    if pointer is None:
        return data
    oid = pointer[1].decode()
    if repository is not None:
        stored = repository.git_dir / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        if stored.is_file() and stored.stat().st_size <= MAX_BYTES:
            return stored.read_bytes()
    raise SourceFault(f"only its Git LFS pointer is here; '{command}' brings it")


def is_dvc_name(name: str) -> bool:
    """True for the names of files that define stages (and of .dvcignore, which hides some)."""
    return name == "dvc.yaml" or name == ".dvcignore" or (name.endswith(".dvc") and name != ".dvc")


def _listed_by_git(root: Path) -> Iterator[str]:
    patterns = ("dvc.yaml", "*/dvc.yaml", "*.dvc", ".dvcignore", "*/.dvcignore")
    listing = run(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)
    seen = set()
    for path in listing.split("\0"):
        if path and path not in seen and is_dvc_name(posixpath.basename(path)):
            seen.add(path)
            yield path


def _walked(base: str) -> Iterator[str]:
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(posixpath.join(base, folder)), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = posixpath.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in (".git", ".dvc", ".hg"):
                    pending.append(path)
            elif is_dvc_name(entry.name):
                yield path


_BELOW: dict[str, tuple[str, ...]] = {}
_KEPT = 100_000
_MOST_NAMES = 100_000


def _in_tree(reader: ObjectReader, tree: str) -> tuple[str, ...]:
    """Paths of DVC's files below ``tree``, remembered per tree id; an explicit stack, no recursion."""
    found: dict[str, tuple[str, ...]] = {}
    pending = [(tree, False)]
    while pending:
        current, children_done = pending.pop()
        if current in found:
            continue
        if current in _BELOW:
            found[current] = _BELOW[current]
        elif children_done:
            found[current] = _names_of(reader, current, found)
        else:
            pending.append((current, True))
            pending += [(entry.id, False) for entry in reader.tree(current).values() if entry.is_tree]
    if len(_BELOW) + len(found) > _KEPT:
        _BELOW.clear()
    _BELOW.update(found)
    return found[tree]


def _names_of(reader: ObjectReader, tree: str, below: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    names: list[str] = []
    for name, entry in reader.tree(tree).items():
        if entry.is_tree:
            names += [f"{name}/{path}" for path in below[entry.id]]
        elif is_dvc_name(name):
            names.append(name)
    return tuple(names[:_MOST_NAMES])
