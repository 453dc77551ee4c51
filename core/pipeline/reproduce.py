"""Running a project's pipeline on somebody's behalf: planned, allowed, recorded, then left to a job.

The page and ``pipeline repro`` both come through here, so that neither can do what the other may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import Refused
from core.ledger.pipeline_events import PipelineCancelled, PipelineStarted
from core.pipeline import jobs
from core.pipeline.graph import neighbours, ordered, reachable
from core.pipeline.jobs import Job, repro_command
from core.pipeline.read import read_pipeline
from core.pipeline.types import Finding, Pipeline
from core.pipeline.validate import is_sound, validate

if TYPE_CHECKING:
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a reproduction would do: the ``stages`` that DVC looks at, in order, and what stands in the way."""

    project: Path
    command: tuple[str, ...]
    stages: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> bool:
        """Whether a finding keeps ``dvc repro`` from working."""
        return not is_sound(self.findings)


def plan_repro(
    project: Path, names: Sequence[str] = (), *, force: bool = False, downstream: bool = False
) -> RunPlan:
    """The plan to reproduce the named stages (all without names); raises NotFound, and BadInput for a name."""
    pipeline = read_pipeline(project)
    known = [name for stage in pipeline.stages for name in (stage.name, stage.file, stage.group) if name]
    return RunPlan(
        project=project,
        command=repro_command(names, known, force=force, downstream=downstream),
        stages=_reached(pipeline, names, downstream=downstream),
        findings=validate(pipeline),
    )


def carry_out(ws: Workspace, plan: RunPlan, actor: Actor, *, in_spite: bool = False) -> Job:
    """Start the plan's job. Raises Refused (no right, or findings unless ``in_spite`` of them) and Conflict."""
    if plan.blocked and not in_spite:
        first = next(finding for finding in plan.findings if finding.severity == "error")
        raise Refused(
            f"Nothing was run: {first.file}: {first.message}.", "Mend it, or run in spite of findings."
        )
    return _start(ws, plan.project, plan.command, actor)


def fetch(ws: Workspace, project: Path, path: str, revision: str | None, actor: Actor) -> Job:
    """Start a job that brings a file from DVC's remote: into the working tree, or a revision's into the cache."""
    command = ("pull", "--", path) if revision is None else ("fetch", "--all-commits", "--", path)
    return _start(ws, project, command, actor)


def cancel(ws: Workspace, project: Path, job_id: str, actor: Actor) -> None:
    """Stop a running job; raises Refused, and Conflict when it is not running any more."""
    require(ws.settings, actor, Action.RUN_PIPELINE)
    jobs.cancel(project, job_id)
    if ws.settings.configured:
        ws.ledger.append(PipelineCancelled(project=project.name, job_id=job_id), actor=actor)


def _start(ws: Workspace, project: Path, command: tuple[str, ...], actor: Actor) -> Job:
    require(ws.settings, actor, Action.RUN_PIPELINE)
    job = jobs.start(project, command, actor=actor.printed_name)
    if ws.settings.configured:  # a bare --project belongs to no workspace, so there is no record to write to
        event = PipelineStarted(project=project.name, job_id=job.job_id, command=("dvc", *command))
        ws.ledger.append(event, actor=actor)
    return job


def _reached(pipeline: Pipeline, names: Sequence[str], *, downstream: bool) -> tuple[str, ...]:
    """Stages to run, producers first: all that the named ones need, or all that follows from them."""
    before, after = neighbours(pipeline.edges)
    wanted = set(names)
    starts = [
        stage.name for stage in pipeline.stages if not names or {stage.name, stage.file, stage.group} & wanted
    ]
    reached = reachable(starts, after if downstream else before)
    runnable = [stage.name for stage in pipeline.stages if not stage.is_data]
    everything = [stage.name for stage in pipeline.stages]
    return tuple(name for name in ordered(everything, pipeline.edges) if name in reached and name in runnable)
