"""What the graph is made from: one record per distinct lock entry, whatever reader it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from core.pipeline.types import GtoEvent

CODE_SUFFIXES = frozenset(
    (".py", ".pyx", ".r", ".jl", ".sh", ".sql", ".ipynb", ".c", ".cpp", ".java", ".scala")
)
MODEL_SUFFIXES = frozenset(
    (
        ".joblib",
        ".pkl",
        ".pickle",
        ".onnx",
        ".skops",
        ".pt",
        ".pth",
        ".h5",
        ".keras",
        ".safetensors",
        ".cbm",
        ".ubj",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A dependency or output with the content that the lock recorded.

    ``path`` starts at the project, ``digest`` is DVC's md5 (``.dir`` for folders) or None where the lock holds
    none. ``legacy`` digests ignore line ends and equal only their own kind for certain.
    """

    path: str
    digest: str | None
    size: int | None = None
    files: int | None = None
    legacy: bool = False
    model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """Where an imported file came from: repository, path in it and the commit that the import is locked to."""

    url: str
    path: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One execution of a stage as a lock entry tells it: the same command, deps, params and outs.

    ``introduced`` are the commits whose lock brought the entry, oldest first; ``commits`` all that hold it.
    ``tracked`` entries are ``.dvc`` files: data that nobody computes here.
    """

    project: str
    address: str
    command: str = ""
    deps: tuple[FileRecord, ...] = ()
    outs: tuple[FileRecord, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    introduced: tuple[str, ...] = ()
    commits: frozenset[str] = frozenset()
    current: bool = False
    state: str = ""
    reasons: tuple[str, ...] = ()
    tracked: bool = False
    imported: ImportRecord | None = None

    @property
    def group(self) -> str | None:
        """The foreach or matrix group that the stage belongs to, None for a single stage."""
        return self.address.rpartition("@")[0] or None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRecord:
    """A git commit; ``names`` are its branches, tags and ``HEAD``, ``experiment`` a DVC experiment stored in it."""

    sha: str
    at: datetime
    parents: tuple[str, ...] = ()
    author: str = ""
    subject: str = ""
    names: tuple[str, ...] = ()
    experiment: str = ""


@dataclass(frozen=True, kw_only=True)
class ProjectRecord:
    """One DVC project with every lock entry of its history; ``commits`` newest first.

    ``findings`` name faults in its DVC files, each with its place; what is sound stands all the same.
    ``releases`` are GTO's tags, oldest first; ``artifacts`` the paths of what dvc.yaml calls by name.
    """

    name: str
    root: Path
    stages: tuple[StageRecord, ...] = ()
    commits: tuple[CommitRecord, ...] = ()
    remote_urls: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    releases: tuple[GtoEvent, ...] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def commit_by_sha(self) -> dict[str, CommitRecord]:
        """The commits by their full hash."""
        return {commit.sha: commit for commit in self.commits}

    @cached_property
    def executions(self) -> dict[str, tuple[StageRecord, ...]]:
        """Stage address -> its lock entries; ``.dvc`` files are not among them."""
        found: dict[str, list[StageRecord]] = {}
        for record in self.stages:
            if not record.tracked:
                found.setdefault(record.address, []).append(record)
        return {address: tuple(records) for address, records in found.items()}

    @cached_property
    def holders(self) -> dict[tuple[str, str], StageRecord]:
        """(commit, stage address) -> the lock entry in force there."""
        return {(sha, record.address): record for record in self.stages for sha in record.commits}

    @cached_property
    def files_by_digest(self) -> dict[str, tuple[FileRecord, ...]]:
        """Content hash -> the files of the project that have had this content, one a path."""
        found: dict[str, dict[str, FileRecord]] = {}
        for record in self.stages:
            for file in (*record.outs, *record.deps):
                if file.digest:
                    found.setdefault(file.digest, {}).setdefault(file.path, file)
        return {digest: tuple(by_path.values()) for digest, by_path in found.items()}

    @cached_property
    def _makers(self) -> dict[str, list[StageRecord]]:
        found: dict[str, list[StageRecord]] = {}
        for record in self.stages:
            if not record.tracked:
                for out in record.outs:
                    found.setdefault(out.digest or "", []).append(record)
        return found

    def makers(self, digests: Iterable[str]) -> tuple[StageRecord, ...]:
        """The executions with an output of any of these contents, each once."""
        found = {record.digest: record for digest in digests for record in self._makers.get(digest, ())}
        return tuple(found.values())

    def is_root(self, path: str) -> bool:
        """Whether ``path`` (from a run's ``dvc.root`` tag, perhaps of another machine) names this project."""
        return bool(path) and (Path(path) == self.root or Path(path).name == self.root.name)

    def is_repository(self, url: str) -> bool:
        """Whether an import's ``url`` points to this project's repository."""
        return _plain_url(url) in {_plain_url(known) for known in (*self.remote_urls, str(self.root))}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """A time in which a version served: ``until`` None while it is live.

    ``key`` tells the deployments of one version apart. Without the ledger only the alias is known
    (``from_alias``): then neither time, person nor approval is.
    """

    model: str
    environment: str
    version: int
    key: str
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    approved_by: tuple[str, ...] = ()
    from_alias: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionLogRecord:
    """Where a served model's predictions are logged."""

    model: str
    environment: str
    path: str


def is_code_file(path: str) -> bool:
    """Whether a file's name says that it is a program."""
    return _suffix(path) in CODE_SUFFIXES


def is_model_file(path: str) -> bool:
    """Whether a file's name says that it is a serialised model."""
    return _suffix(path) in MODEL_SUFFIXES or path.rpartition("/")[2].lower() in {"model", "models"}


def _suffix(path: str) -> str:
    _, dot, end = path.rpartition("/")[2].rpartition(".")
    return f"{dot}{end}".lower()


def _plain_url(url: str) -> str:
    """One spelling of a repository's address: no scheme, user, ``.git`` or trailing slash."""
    scp = re.sub(r"^[\w.-]+@([\w.-]+):(?!//)", r"\1/", url.strip())
    return re.sub(r"^\w+://(?:[^/@]*@)?", "", scp).rstrip("/").removesuffix(".git").lower()
