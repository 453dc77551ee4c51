"""Reading a git repository without a checkout: one long-lived ``git cat-file --batch``, trees cached by id.

Nothing here writes, takes git's locks, runs hooks or reaches the network.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from threading import Lock, Timer

from core.errors import NotFound, Unavailable

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "log.showRoot=true")
_TIMEOUT_S = 120
_IMMUTABLE = re.compile(r"[0-9a-f]{40,64}\^\{tree\}")
_KEPT_TREES = 50_000


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository as seen from a project folder; ``prefix`` leads from its top to the project."""

    git_dir: Path
    prefix: str
    bare: bool
    top: Path


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A name in a git tree."""

    id: str
    is_tree: bool
    is_link: bool = False


def find_repository(project: Path) -> Repository | None:
    """The repository that holds ``project``, None without one (or without git on this machine)."""
    try:
        lines = run(project, "rev-parse", "--absolute-git-dir", "--is-bare-repository", "--show-prefix")
    except Unavailable:
        return None
    git_dir, bare, prefix = [*lines.split("\n"), "", ""][:3]
    top = project.resolve()
    for _ in Path(prefix).parts:
        top = top.parent
    return Repository(Path(git_dir), prefix.rstrip("/"), bare == "true", top)


def run(folder: Path, *arguments: str) -> str:
    """Standard output of ``git`` in ``folder``; raises Unavailable with git's own words."""
    git = _started(folder, arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # subprocess's own timeout polls for the end, which on a page's many short calls costs as much as git does.
    late = Timer(_TIMEOUT_S, git.kill)
    late.start()
    try:
        output, errors = git.communicate()
    finally:
        late.cancel()
    if git.returncode == -SIGKILL:
        raise Unavailable(f"git {arguments[0]} in {folder} took longer than {_TIMEOUT_S} s.", "Try again.")
    if git.returncode:
        words = errors.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable(
            f"git {arguments[0]} failed in {folder}: {words[0] if words else 'no reason given'}."
        )
    return output.decode("utf-8", "surrogateescape")


def resolve(repository: Repository, reader: ObjectReader, revision: str) -> str:
    """The commit that a revision or the name of a DVC experiment means; raises NotFound."""
    commit = reader.commit(revision)
    if commit is None and "/" not in revision:
        names = run(repository.git_dir, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
        found = (reader.commit(name) for name in names if name.rsplit("/", 1)[-1] == revision)
        commit = next((commit for commit in found if commit), None)
    if commit is None:
        raise NotFound(
            f"There is no revision '{revision}' in {repository.top}.",
            "Name a commit, branch, tag or experiment; in a shallow clone, fetch more history first.",
        )
    return commit


class ObjectReader:
    """Git objects by id from one running ``git cat-file --batch``; build it with :func:`open_objects`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def read(self, name: str, max_bytes: int | None = None) -> bytes | None:
        """The object's content; None when it is missing (a shallow clone) or larger than ``max_bytes``."""
        found = self._request(name, max_bytes)
        return found[1] if found else None

    def commit(self, revision: str) -> str | None:
        """The commit that ``revision`` (branch, tag, hash, ``HEAD~1`` ...) names; None without one."""
        found = self._request(f"{revision}^{{commit}}", None)
        return found[0] if found else None

    def tree(self, name: str) -> Mapping[str, TreeEntry]:
        """The entries of the tree ``name`` (an id or ``<commit>^{tree}``); empty when it is missing."""
        known = _TREES.get(name)
        if known is not None:
            return known
        found = self._request(name, None)
        if found is None:
            return {}
        entries = _parse_tree(found[1], len(found[0]) // 2)
        _TREES.put(found[0], entries)
        if _IMMUTABLE.fullmatch(name):
            _TREES.put(name, entries)
        return entries

    def _request(self, name: str, max_bytes: int | None) -> tuple[str, bytes] | None:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None or "\n" in name:
            return None
        try:
            stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            stdin.flush()
            header = stdout.readline().split()
        except OSError as error:
            raise Unavailable("git stopped while objects were being read.", "Try again.") from error
        if len(header) != 3 or header[1] in (b"missing", b"ambiguous"):
            return None
        size = int(header[2])
        if max_bytes is not None and size > max_bytes:
            _skip(stdout, size + 1)
            return None
        return header[0].decode(), stdout.read(size + 1)[:-1]


def _started(folder: Path, arguments: Sequence[str], *, stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    """``git`` in ``folder`` with its output in a pipe. Raises Unavailable where there is no git."""
    try:
        return subprocess.Popen(
            ["git", *_SAFE, "-C", str(folder), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(),
        )
    except OSError as error:
        raise Unavailable(f"git could not be run: {error}.", "Install git and try again.") from error


@contextmanager
def open_objects(repository: Repository) -> Iterator[ObjectReader]:
    """A reader of the repository's objects, stopped at the end of the block."""
    batch = ("cat-file", "--batch")
    process = _started(repository.git_dir, batch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield ObjectReader(process)
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
        process.wait()


def lookup(reader: ObjectReader, tree: str, path: str) -> TreeEntry | None:
    """The entry at ``path`` below ``tree``; None when absent."""
    entry: TreeEntry | None = TreeEntry(tree, True)
    for part in path.split("/") if path else ():
        if entry is None or not entry.is_tree:
            return None
        entry = reader.tree(entry.id).get(part)
    return entry


def _parse_tree(data: bytes, hash_bytes: int) -> dict[str, TreeEntry]:
    entries, at = {}, 0
    while at < len(data):
        space, end = data.index(b" ", at), data.index(b"\0", at)
        mode = data[at:space]
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        at = end + 1 + hash_bytes
        if mode != b"160000":
            entries[name] = TreeEntry(data[end + 1 : at].hex(), mode == b"40000", mode == b"120000")
    return entries


def _skip(stream: object, count: int) -> None:
    while count:
        read = len(stream.read(min(count, 1 << 20)))  # type: ignore[attr-defined]
        if not read:
            return
        count -= read


def _environment() -> dict[str, str]:
    """The environment without GIT_DIR and the like, which a hook or CI job may have set."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    quiet = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    return clean | quiet


class _TreeCache:
    """Parsed trees by id; ids are content hashes, so entries never go stale."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Mapping[str, TreeEntry]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> Mapping[str, TreeEntry] | None:
        return self._known.get(name)

    def put(self, name: str, entries: Mapping[str, TreeEntry]) -> None:
        with self._lock:
            self._known[name] = entries
            while len(self._known) > _KEPT_TREES:
                self._known.popitem(last=False)


_TREES = _TreeCache()
