"""Versions joined with the runs they come from: what a table of versions shows, and a search over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from core.experiments.told import told_metrics
from core.registry.types import ModelVersion

if TYPE_CHECKING:
    from core.experiments.types import Run
    from core.ledger.state import Service, State
    from core.workspace import Workspace

_MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A version and its source run; ``run`` is None when it has none or the run cannot be read."""

    version: ModelVersion
    run: Run | None

    @property
    def metrics(self) -> Mapping[str, float]:
        """The run's last metric values, without those that would tell a small count of people."""
        return told_metrics(self.run.metrics) if self.run else {}

    def matches(self, text: str) -> bool:
        """True when ``text`` names this version: model, v3, alias, description, or the beginning of a run id,
        git commit or data hash. Empty text matches all."""
        wanted, version = text.strip().casefold(), self.version
        words = [version.model, version.description, *version.aliases, version.name, f"v{version.version}"]
        if any(wanted in word.casefold() for word in words):
            return True
        run = self.run
        hashes = [version.run_id, run.git_commit if run else None, run.data_hash if run else None]
        return len(wanted) >= 3 and any((value or "").startswith(wanted) for value in hashes)


def entries(ws: Workspace, model: str | None = None) -> tuple[Entry, ...]:
    """The versions of a model (None: of all), newest first, each with its run. Raises NotFound, Unavailable."""
    versions = ws.registry.versions(model)
    runs = runs_of(ws, {item.run_id for item in versions if item.run_id})
    return tuple(Entry(version=item, run=runs.get(item.run_id or "")) for item in versions)


def entry(ws: Workspace, model: str, version: int) -> Entry:
    """One version with its run; raises NotFound."""
    found = ws.registry.version(model, version)
    run_id = found.run_id
    return Entry(version=found, run=runs_of(ws, {run_id}).get(run_id) if run_id else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """What the ledger says was live at a time; ``service`` is None when nothing was."""

    environment: str
    service: Service | None
    approved_by: tuple[str, ...] = ()


def as_of(ws: Workspace, model: str, at: datetime) -> tuple[AsOf, ...]:
    """What was live at ``at`` in each environment and who had signed for it; nothing is asked of MLflow.

    Raises NotFound for a model that the ledger has never heard of.
    """
    if not any(place[0] == model for place in ws.ledger.state().services):
        ws.registry.model(model)
    state = ws.ledger.state(until=at)
    own = [place[1] for place in state.services if place[0] == model]
    return tuple(
        _then(state, model, environment) for environment in dict.fromkeys((*ws.settings.environments, *own))
    )


def _then(state: State, model: str, environment: str) -> AsOf:
    live = state.live(model, environment)
    request = state.requests.get(live.request_id) if live else None
    signed = tuple(item.event.printed_name for item in request.signatures) if request else ()
    return AsOf(environment=environment, service=live, approved_by=signed)


def runs_of(ws: Workspace, run_ids: set[str]) -> dict[str, Run]:
    """The runs of these ids that can be read, deleted ones too."""
    if not run_ids:
        return {}
    try:
        table = ws.runs.search(filter=_filter(run_ids), lifecycle="all")
    except ModelDeskError:
        # The registry may be elsewhere than the runs: versions are worth showing without them.
        return {}
    return {run.run_id: run for run in table.runs() if run.run_id in run_ids}


def _filter(run_ids: Iterable[str]) -> str:
    quoted = sorted(run_id for run_id in run_ids if run_id.isalnum())
    return f"run_id IN ({', '.join(map(repr, quoted))})" if len(quoted) <= _MANY else ""
