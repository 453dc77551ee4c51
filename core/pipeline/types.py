"""What a DVC project holds, in our own words: frozen, hashable by name, safe to cache.

Paths are POSIX strings relative to the DVC project's root (``../x`` when outside it); URLs stay as written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Severity(StrEnum):
    """How bad a finding is: an error keeps ``dvc`` itself from working."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a project's files; ``line`` is one-based, None when the whole file is meant."""

    file: str
    line: int | None
    message: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Hash:
    """A content hash. ``kind`` is ``md5``, ``md5-dos2unix`` (before DVC 3) or a remote's own (``etag`` ...)."""

    value: str
    kind: str = "md5"

    @property
    def is_directory(self) -> bool:
        """True for the hash of a directory listing (``....dir``)."""
        return self.value.endswith(".dir")

    def same_as(self, other: Hash | None) -> bool | None:
        """True or False where comparable; None when unknown (unequal values of different kinds)."""
        if other is None:
            return None
        if self.value == other.value:
            return True
        return False if self.kind == other.kind else None


class DepKind(StrEnum):
    """Where a dependency lives."""

    FILE = "file"
    URL = "url"
    REPO = "repo"
    DATASET = "dataset"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class RepoOrigin:
    """Another repository that a file was imported from; ``rev_lock`` is the commit."""

    url: str
    rev: str | None
    rev_lock: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dep:
    """A dependency; ``hash``, ``size`` and ``nfiles`` are those of the last run (from dvc.lock)."""

    path: str
    written: str
    kind: DepKind = DepKind.FILE
    hash: Hash | None = None
    size: int | None = None
    nfiles: int | None = None
    repo: RepoOrigin | None = None


class OutKind(StrEnum):
    """The section of dvc.yaml that names an output."""

    OUT = "out"
    METRIC = "metric"
    PLOT = "plot"


@dataclass(frozen=True, slots=True)
class DirFile:
    """One file of a cloud-versioned directory."""

    path: str
    hash: Hash | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """An output; ``hash``, ``size`` and ``nfiles`` are those of the last run (from dvc.lock or the .dvc file)."""

    path: str
    written: str
    kind: OutKind = OutKind.OUT
    cache: bool = True
    persist: bool = False
    push: bool = True
    remote: str | None = None
    hash: Hash | None = None
    size: int | None = None
    nfiles: int | None = None
    is_exec: bool = False
    files: tuple[DirFile, ...] = ()
    plot: Mapping[str, Any] | None = None
    desc: str | None = None
    type: str | None = None
    labels: tuple[str, ...] = ()
    meta: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamDep:
    """Parameters that a stage depends on. ``keys`` is empty when it is the whole file.

    ``current`` holds the values in the file now (None: the file is absent or unreadable), ``locked`` those
    of the last run (None: never run). Keys are exactly as listed in dvc.yaml (``train.lr``).
    """

    file: str
    keys: tuple[str, ...]
    current: Mapping[str, Any] | None = None
    locked: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a dvc.yaml, or a .dvc file (``is_data``), named as DVC addresses it from the root."""

    name: str
    key: str
    file: str
    line: int | None
    wdir: str
    cmd: str | tuple[str, ...] | None
    deps: tuple[Dep, ...] = ()
    params: tuple[ParamDep, ...] = ()
    outs: tuple[Out, ...] = ()
    group: str | None = None
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Any = None
    has_lock: bool = False
    lock_cmd: str | tuple[str, ...] | None = None
    resolved: bool = True
    checksum: str | None = None

    @property
    def is_data(self) -> bool:
        """True for a .dvc file (``dvc add``, ``dvc import`` ...): data without a command."""
        return self.file.endswith(".dvc")

    @property
    def metrics(self) -> tuple[Out, ...]:
        """Outputs listed under ``metrics``."""
        return tuple(out for out in self.outs if out.kind is OutKind.METRIC)

    @property
    def plots(self) -> tuple[Out, ...]:
        """Outputs listed under ``plots``."""
        return tuple(out for out in self.outs if out.kind is OutKind.PLOT)


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """A top-level plot of a dvc.yaml: ``name`` (an id or a file) and its options as written."""

    name: str
    file: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An entry of ``artifacts:``; ``path`` is relative to the root, ``file`` the dvc.yaml."""

    name: str
    file: str
    path: str
    type: str | None
    desc: str | None
    labels: tuple[str, ...]
    meta: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Everything that was read of one project at one revision (None: the working tree).

    ``edges`` are (upstream, downstream) stage names. ``findings`` name what could not be read or is wrong;
    the rest stands.
    """

    root: Path
    revision: str | None
    stages: tuple[Stage, ...]
    edges: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    plots: tuple[PlotSpec, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()

    @property
    def data_files(self) -> tuple[Stage, ...]:
        """The .dvc files among the stages."""
        return tuple(stage for stage in self.stages if stage.is_data)


class State(StrEnum):
    """What a stage's status is; see :mod:`core.pipeline.status` for how it is found."""

    UP_TO_DATE = "up-to-date"
    CHANGED = "changed"
    NEVER_RUN = "never-run"
    OUTPUT_MISSING = "output-missing"
    OUTDATED_UPSTREAM = "outdated-upstream"
    NOT_CHECKED = "not-checked"


class ReasonKind(StrEnum):
    """What a reason is about."""

    DEP = "dep"
    OUT = "out"
    PARAM = "param"
    COMMAND = "command"
    ALWAYS = "always"
    UPSTREAM = "upstream"
    PRODUCER = "producer"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stage has its state: ``subject`` (a path, ``file:key`` or stage) is ``change`` (modified ...)."""

    kind: ReasonKind
    subject: str
    change: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.change}" if self.subject else f"{self.kind} {self.change}"


@dataclass(frozen=True, slots=True)
class StageState:
    """The state of the stage ``name`` and why."""

    name: str
    state: State
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRecord:
    """One stage as one commit's dvc.lock or .dvc file recorded it."""

    commit: str
    time: datetime
    stage: str
    cmd: str | tuple[str, ...] | None
    deps: tuple[tuple[str, Hash], ...]
    outs: tuple[tuple[str, Hash], ...]
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    experiment: str | None = None


class RevisionKind(StrEnum):
    """What a revision is called by."""

    COMMIT = "commit"
    BRANCH = "branch"
    TAG = "tag"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit that a person may pick: ``name`` is the branch, tag, experiment or short hash."""

    name: str
    kind: RevisionKind
    commit: str
    time: datetime
    author: str
    subject: str
    parents: tuple[str, ...] = ()
    baseline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GtoEvent:
    """A GTO tag read as an event: a version registered, a stage assigned or unassigned."""

    tag: str
    artifact: str
    kind: str
    version: str | None
    stage: str | None
    counter: int | None
    commit: str
    time: datetime
    author: str
    email: str
    message: str
