"""Reads the stores of a workspace for the graph. A store that fails becomes a sentence, not a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from core.errors import ModelDeskError, Unavailable
from core.experiments.types import Run
from core.lineage.artifacts import Hashed, candidates, known_hashes
from core.lineage.build import Material
from core.lineage.dvc_history import read_project
from core.lineage.records import DeploymentRecord, PredictionLogRecord, ProjectRecord
from core.lineage.serving import KINDS, by_alias, deployments
from core.registry.types import ModelVersion

if TYPE_CHECKING:
    from core.settings import Settings
    from core.workspace import Workspace

RUN_LIMIT = 2000

Found = TypeVar("Found")


class _Notes(list[str]):
    """Sentences about what could not be read; ``incomplete`` when a store that should answer did not."""

    incomplete = False


def gather(ws: Workspace) -> Material:
    """All that the workspace's stores say: DVC projects, runs, versions, deployments, prediction logs."""
    notes = _Notes()
    settings = ws.settings
    projects = _projects(settings, notes)
    runs: tuple[Run, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    served: tuple[DeploymentRecord, ...] = ()
    hashed = Hashed()
    if settings.tracking_uri:
        versions = _tried(lambda: ws.registry.versions(), (), notes)
        runs = _tried(lambda: _runs(ws, versions, notes), (), notes)
        served = _served(ws, notes)
        hashed = _hashed(ws, projects, runs, notes)
    else:
        notes.append("No MLflow store is configured: there are no runs and versions in this graph.")
    return Material(
        projects=projects,
        runs=runs,
        versions=versions,
        deployments=served,
        logs=tuple(_logs(settings)),
        files=hashed.files,
        uncompared=hashed.unread + hashed.elsewhere,
        notes=tuple(notes),
        incomplete=notes.incomplete,
    )


def _projects(settings: Settings, notes: _Notes) -> tuple[ProjectRecord, ...]:
    if not settings.dvc.projects:
        notes.append("No DVC project is configured: there are no data files and stages in this graph.")
    read = (
        _tried(lambda path=path: read_project(settings.path(path), str(path)), None, notes)
        for path in settings.dvc.projects
    )
    found = tuple(project for project in read if project is not None)
    for project in found:
        notes.extend(project.findings)
    return found


def _runs(ws: Workspace, versions: Iterable[ModelVersion], notes: _Notes) -> tuple[Run, ...]:
    """The newest runs, and every run behind a version however old, deleted ones included."""
    table = ws.runs.search(limit=RUN_LIMIT)
    if table.total > len(table):
        notes.append(
            f"The newest {len(table):,} of {table.total:,} runs are in this graph, and those of versions."
        )
    found = {run.run_id: run for run in table.runs()}
    for run_id in dict.fromkeys(version.run_id for version in versions if version.run_id):
        if run_id not in found:
            run = _tried(lambda run_id=run_id: ws.runs.run(run_id), None, notes)
            if run is not None:
                found[run_id] = run
    return tuple(found.values())


def _hashed(ws: Workspace, projects: Sequence[ProjectRecord], runs: Iterable[Run], notes: _Notes) -> Hashed:
    """Contents of the artifacts of runs that no tag joins to a stage, as far as a page may read them."""
    unsure = candidates(runs) if any(project.stages for project in projects) else ()
    found = known_hashes(ws, unsure)
    if found.unread:
        notes.append(
            f"{found.unread:,} larger artifacts of runs without a stage's tag have not been compared with "
            "DVC's files; `lineage hash` reads them once."
        )
    if found.elsewhere:
        notes.append(
            f"What {found.elsewhere:,} run{'s' * (found.elsewhere > 1)} without a stage's tag logged is on a server "
            "and has not been compared with DVC's files; `lineage hash` reads it once."
        )
    return found


def _served(ws: Workspace, notes: _Notes) -> tuple[DeploymentRecord, ...]:
    decided = _tried(lambda: deployments(ws.ledger.records(kinds=KINDS)), (), notes)
    models = _tried(lambda: ws.registry.models(), (), notes)
    return (*decided, *by_alias(models, ws.settings.environments, decided))


def _logs(settings: Settings) -> Iterable[PredictionLogRecord]:
    for monitor in settings.monitors:
        if monitor.engine != "local":
            continue  # a table, not a path
        path = monitor.predictions.as_posix()
        yield PredictionLogRecord(model=monitor.model, environment=monitor.environment, path=path)


def _tried(read: Callable[[], Found], otherwise: Found, notes: _Notes) -> Found:
    try:
        return read()
    except ModelDeskError as error:
        notes.append(f"{error.what} {error.way_out}".strip())
        notes.incomplete |= isinstance(error, Unavailable)
        return otherwise
