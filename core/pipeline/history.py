"""Every dvc.lock and .dvc entry that any commit or experiment ever recorded, by one ``git log --raw``."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.pipeline.dotdvc import read_data_file
from core.pipeline.git import ObjectReader, Repository, find_repository, open_objects, run
from core.pipeline.grammar import command_of
from core.pipeline.lockfile import changed_entries, hash_of, section
from core.pipeline.paths import is_url, project_path
from core.pipeline.revisions import EXPERIMENT_REF
from core.pipeline.sources import Commit, SourceFault
from core.pipeline.types import Hash, LockRecord
from core.pipeline.units import read_unit
from core.pipeline.yaml12 import MAX_BYTES

_FORMAT = "%x1e%H%x1f%P%x1f%ct%x1f"
_PATTERNS = ("*dvc.lock", "*.dvc")


@dataclass(frozen=True, slots=True)
class _Change:
    commit: str
    parents: tuple[str, ...]
    time: datetime
    path: str
    blob: str
    before: tuple[str, ...]


def lock_history(
    project: Path, *, experiments: bool = True, repository: Repository | None = None
) -> tuple[LockRecord, ...]:
    """Each stage and data file as each commit newly recorded it, newest first; empty without git.

    All branches and tags, and with ``experiments`` all of ``refs/exps``. Entries that a commit left as they
    were in its parents are not repeated. Blobs are parsed once and cached by id. ``repository`` is given by
    callers that have found it already.
    """
    repository = repository or find_repository(project)
    if repository is None:
        return ()
    key = _fingerprint(repository)
    return _history(repository, str(project.resolve()), key, experiments) if key else ()


def _fingerprint(repository: Repository) -> str:
    return run(repository.git_dir, "for-each-ref", "--format=%(objectname) %(refname)") + _head(repository)


def _head(repository: Repository) -> str:
    head = repository.git_dir / "HEAD"
    return head.read_text(encoding="utf-8") if head.is_file() else ""


@lru_cache(maxsize=32)
def _history(
    repository: Repository, root: str, fingerprint: str, experiments: bool
) -> tuple[LockRecord, ...]:
    names = _experiment_names(fingerprint) if experiments else {}
    with open_objects(repository) as reader:
        records = [
            record
            for change in _changes(repository, experiments)
            for record in _records(reader, repository, root, change, names.get(change.commit))
        ]
    return tuple(records)


def _experiment_names(fingerprint: str) -> dict[str, str]:
    names = {}
    for line in fingerprint.splitlines():
        commit, _, ref = line.partition(" ")
        match = EXPERIMENT_REF.fullmatch(ref)
        if match:
            names[commit] = match[3]
    return names


def _changes(repository: Repository, experiments: bool) -> Iterator[_Change]:
    """Files of DVC that commits changed: combined merges show only what no parent had."""
    hidden = ("--exclude=refs/exps/stash", "--exclude=refs/exps/exec/*")
    refs = (*hidden, "--glob=refs/exps") if experiments else ()
    scope = [f"{repository.prefix}/{pattern}" for pattern in _PATTERNS] if repository.prefix else _PATTERNS
    text = run(
        repository.git_dir,
        *("log", "-z", "--raw", "-c", "--no-renames", "--no-abbrev", f"--format={_FORMAT}"),
        *("--ignore-missing", "--branches", "--tags", "--remotes", *refs, "HEAD"),
        *("--", *(f":(top,glob){_glob(pattern)}" for pattern in scope)),
    )
    for record in text.split("\x1e"):
        header, _, body = record.partition("\x1f\0")
        if not body:
            continue
        commit, parents, moment = header.split("\x1f")[:3]
        when = datetime.fromtimestamp(int(moment), UTC)
        fields = [field for field in body.lstrip("\0\n").split("\0") if field.strip()]
        for described, path in zip(fields[::2], fields[1::2], strict=False):
            parts = described.lstrip(":").split()
            blobs = [part for part in parts if len(part) >= 40]
            if blobs and set(blobs[-1]) != {"0"}:
                yield _Change(commit, tuple(parents.split()), when, path, blobs[-1], tuple(blobs[:-1]))


def _glob(pattern: str) -> str:
    folder, _, name = pattern.rpartition("/")
    folder = re.sub(r"([*?\[\]\\])", r"\\\1", folder)
    name = name if name.startswith("*.") else name.lstrip("*")
    return f"{folder}/**/{name}" if folder else f"**/{name}"


def _records(
    reader: ObjectReader, repository: Repository, root: str, change: _Change, experiment: str | None
) -> Iterator[LockRecord]:
    file = posixpath.relpath(change.path, repository.prefix) if repository.prefix else change.path
    folders = _folders(Commit(Path(root), repository, change.commit, reader), file)
    for stage, entry in _news(reader, root, file, change, folders):
        yield LockRecord(
            commit=change.commit,
            time=change.time,
            stage=stage,
            cmd=entry.cmd,
            deps=entry.deps,
            outs=entry.outs,
            params=entry.params,
            parents=change.parents,
            experiment=experiment,
        )


def _folders(source: Commit, file: str) -> tuple[tuple[str, str], ...]:
    """(stage key, working folder) of the stages that set ``wdir``: a lock's paths start there."""
    if file.endswith(".dvc"):
        return ()
    project_file = posixpath.join(posixpath.dirname(file), "dvc.yaml")
    try:
        if b"wdir" not in source.read(project_file):
            return ()
    except (SourceFault, FileNotFoundError):
        return ()
    return tuple((stage.key, stage.wdir) for stage in read_unit(source, project_file).stages)


@dataclass(frozen=True, slots=True)
class _Entry:
    cmd: str | tuple[str, ...] | None
    deps: tuple[tuple[str, Hash], ...]
    outs: tuple[tuple[str, Hash], ...]
    params: Mapping[str, Mapping[str, Any]]


_NEWS: dict[Hashable, tuple[tuple[str, _Entry], ...]] = {}
_KEPT = 20_000


def _news(
    reader: ObjectReader, root: str, file: str, change: _Change, folders: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, _Entry], ...]:
    """The entries of a blob by stage name that none of the blobs before it has; worked out once."""
    key = (root, file, change.blob, change.before, folders)
    if key not in _NEWS:
        blobs = (change.blob, *(blob for blob in change.before if set(blob) != {"0"}))
        texts = [reader.read(blob, MAX_BYTES) or b"" for blob in blobs]
        if file.endswith(".dvc"):
            now, *then = (_data_entry(root, file, text) for text in texts)
        else:
            now, *then = (_lock_entries(root, file, dict(folders), lock) for lock in changed_entries(texts))
        if len(_NEWS) > _KEPT:
            _NEWS.clear()
        _NEWS[key] = tuple(
            (stage, entry) for stage, entry in now.items() if all(old.get(stage) != entry for old in then)
        )
    return _NEWS[key]


def _data_entry(root: str, file: str, data: bytes) -> Mapping[str, _Entry]:
    stage, _ = read_data_file(root, file, data)
    if stage is None:
        return {}
    outs = tuple((out.path, out.hash) for out in stage.outs if out.hash)
    deps = tuple((dep.path, dep.hash) for dep in stage.deps if dep.hash)
    return {stage.name: _Entry(stage.cmd, deps, outs, {})}


def _lock_entries(
    root: str, file: str, folders: Mapping[str, str], entries: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, _Entry]:
    folder = posixpath.dirname(file)
    prefix = "" if not folder else f"{folder}/dvc.yaml:"
    return {
        f"{prefix}{name}": _converted(root, folders.get(name, folder), entry)
        for name, entry in entries.items()
    }


_CONVERTED: dict[tuple[str, str, int], tuple[Mapping[str, Any], _Entry]] = {}


def _converted(root: str, folder: str, entry: Mapping[str, Any]) -> _Entry:
    """The entry of a lock; one that several revisions share (the same object) is converted once."""
    key = (root, folder, id(entry))
    known = _CONVERTED.get(key)
    if known is None or known[0] is not entry:
        if len(_CONVERTED) > _KEPT:
            _CONVERTED.clear()
        known = _CONVERTED[key] = (entry, _lock_entry(root, folder, entry))
    return known[1]


def _lock_entry(root: str, folder: str, entry: Mapping[str, Any]) -> _Entry:
    params = entry.get("params") or {}
    return _Entry(
        command_of(entry["cmd"]),
        tuple(_hashes(root, folder, section(entry, "deps"))),
        tuple(_hashes(root, folder, section(entry, "outs"))),
        {project_path(root, folder, str(file)): values for file, values in params.items()},
    )


def _hashes(root: str, folder: str, items: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Hash]]:
    for written, item in items.items():
        found = hash_of(item, is_url(written))
        if found:
            yield project_path(root, folder, written), found
