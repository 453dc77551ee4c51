"""A workspace: one team's stores behind one object; the only place that builds adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.deploy.desk import Desk
    from core.experiments.runs import Runs
    from core.ledger.store import Ledger
    from core.notify.outbox import Outbox
    from core.registry.store import Registry


@dataclass(frozen=True)
class Workspace:
    """The opened workspace. Its properties build an adapter on first use and keep it."""

    settings: Settings

    @property
    def root(self) -> Path:
        """The workspace folder; relative paths in settings start here."""
        return self.settings.root

    @cached_property
    def runs(self) -> Runs:
        """Runs, metrics, histories and artifacts of the tracking store; opened and checked on first use."""
        from core.experiments.runs import open_runs

        return open_runs(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        """The record of decisions; created by the first append."""
        from core.ledger.store import Ledger

        return Ledger(self.settings.ledger_url)

    @cached_property
    def registry(self) -> Registry:
        """Models, versions and aliases of the MLflow store. Raises BadSettings, BadInput, Unavailable."""
        from core.registry.open import open_registry

        return open_registry(self.settings, self.ledger)

    @cached_property
    def outbox(self) -> Outbox:
        """Notifications on their way, filled from the ledger."""
        from core.notify.outbox import Outbox

        return Outbox(self.ledger, self.settings.notify)

    @cached_property
    def deployments(self) -> Desk:
        """Endpoints, slots and the journal of deployments; opening it starts and writes nothing."""
        from core.deploy.desk import Desk

        return Desk(self)


@dataclass(frozen=True)
class Rehearsal(Workspace):
    """A workspace for a dry run: its ledger keeps nothing; reading is the same."""

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger's records, and what would be added, for this process only."""
        from core.ledger.rehearsal import RehearsalLedger

        return RehearsalLedger(self.settings.ledger_url)


_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)


@contextmanager
def rehearsing(dry_run: bool) -> Iterator[None]:
    """While it lasts (and ``dry_run`` is True) every workspace that is opened is a rehearsal."""
    token = _rehearsing.set(dry_run)
    try:
        yield
    finally:
        _rehearsing.reset(token)


def is_rehearsing() -> bool:
    """Whether this is a dry run."""
    return _rehearsing.get()


def open_workspace(root: Path) -> Workspace:
    """Open the workspace at ``root``; cheap: nothing is contacted yet. Raises BadSettings."""
    settings = load_settings(root)
    return Rehearsal(settings) if _rehearsing.get() else Workspace(settings)
