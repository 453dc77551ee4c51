"""The kinds of events about a version as such: registered, taken out of use and back, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRegistered(Event):
    """A run's model was registered as a version through the desk."""

    kind: ClassVar[str] = "version_registered"
    version: int
    run_id: str
    sha256: str = ""
    git_commit: str = ""
    dvc_lock: str = ""
    data_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDeleted(Event):
    """A version that nothing needed was deleted from MLflow."""

    kind: ClassVar[str] = "version_deleted"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionArchived(Event):
    """A version is out of use: nobody can ask for its release or make it live until it is restored."""

    kind: ClassVar[str] = "version_archived"
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRestored(Event):
    """An archived version is a candidate again."""

    kind: ClassVar[str] = "version_restored"
    version: int
