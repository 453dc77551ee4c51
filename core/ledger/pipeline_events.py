"""Events of running pipelines from the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStarted(Event):
    """Somebody started ``dvc`` with ``command`` in a project; the job's own report says how it ended."""

    kind: ClassVar[str] = "pipeline_started"
    project: str
    job_id: str
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineCancelled(Event):
    """Somebody stopped a running job."""

    kind: ClassVar[str] = "pipeline_cancelled"
    project: str
    job_id: str
