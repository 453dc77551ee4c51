"""From a workspace's stores to one graph."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.experiments.types import Run
from core.lineage.draft import Draft
from core.lineage.models import add_deployments, add_run, add_versions
from core.lineage.pipelines import add_imports, add_project
from core.lineage.records import DeploymentRecord, PredictionLogRecord, ProjectRecord
from core.lineage.releases import add_releases
from core.lineage.revisions import Revisions
from core.lineage.types import Graph
from core.registry.types import ModelVersion

if TYPE_CHECKING:
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that was read; ``notes`` say what could not be, ``incomplete`` that a store did not answer.

    ``files`` are, for runs whose artifacts were hashed, md5 digest -> artifact path; ``uncompared`` counts what
    only ``lineage hash`` reads.
    """

    projects: tuple[ProjectRecord, ...] = ()
    runs: tuple[Run, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    deployments: tuple[DeploymentRecord, ...] = ()
    logs: tuple[PredictionLogRecord, ...] = ()
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    uncompared: int = 0
    notes: tuple[str, ...] = ()
    incomplete: bool = False


def build(ws: Workspace) -> Graph:
    """The lineage of everything in the workspace.

    A store that is absent or down is named in the graph's notes; the rest stands.
    """
    from core.lineage.gather import gather

    with uncollected():
        return assemble(gather(ws))


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: it would walk over everything in the process and find nothing.

    All that a build makes is kept, and with pandas and SQLAlchemy loaded one full round takes a third of its time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def assemble(material: Material) -> Graph:
    """The graph of what was read; pure."""
    draft = Draft()
    for sentence in material.notes:
        draft.note(sentence)
    for project in material.projects:
        add_project(draft, project)
        add_releases(draft, project)
    add_imports(draft, material.projects)
    for run in material.runs:
        add_run(draft, run, material.projects, material.files.get(run.run_id))
    add_versions(draft, material.versions)
    add_deployments(draft, material.deployments, material.logs)
    return replace(
        draft.finish(_revisions(material.projects)),
        uncompared=material.uncompared,
        incomplete=material.incomplete,
    )


def _revisions(projects: Sequence[ProjectRecord]) -> Revisions:
    names: dict[str, tuple[str, ...]] = {}
    parents: dict[str, str | None] = {}
    for project in projects:
        for commit in project.commits:
            parents[commit.sha] = commit.parents[0] if commit.parents else None
            for name in filter(None, (*commit.names, commit.experiment)):
                names[name] = (*names.get(name, ()), commit.sha)
    return Revisions(names, parents)
