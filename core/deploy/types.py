"""What deploying is made of: slots, endpoints, operations, and the protocol that serving engines keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class SlotName(StrEnum):
    """Three slots per endpoint: one live, one warm to go back to, one free for a candidate."""

    A = "a"
    B = "b"
    C = "c"


class OperationKind(StrEnum):
    """Why an operation ran."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    DRILL = "drill"
    SHADOW = "shadow replay"


class OperationState(StrEnum):
    """Where an operation stands. Only RUNNING may go on to another state."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    PREEMPTED = "preempted"
    ABORTED = "aborted"


class StepState(StrEnum):
    """How a step ended."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Health(StrEnum):
    """What the traffic says about an endpoint."""

    HEALTHY = "healthy"
    FAILED_OVER = "failed over"
    DEGRADED = "degraded"
    STARTING = "starting"
    DOWN = "down"
    UNKNOWN = "not observed"


@dataclass(frozen=True, slots=True, order=True)
class EndpointKey:
    """A model in an environment: what people and the command line name."""

    model: str
    environment: str

    def __str__(self) -> str:
        return f"{self.model}/{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model version's files on this machine, and the digest of the whole tree."""

    directory: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that may outlive its parent: a pid alone could be someone else's by now."""

    pid: int
    create_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place a version can be served from."""

    name: SlotName
    version: int
    artifact: Artifact
    process: Process | None
    started_at: datetime
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The desired state of one endpoint; ``epoch`` rises with every decision about its traffic."""

    key: EndpointKey
    port: int
    live: SlotName | None
    previous: SlotName | None
    weights: Mapping[SlotName, int]
    epoch: int
    changed_at: datetime
    changed_by: str
    slots: tuple[Slot, ...] = ()

    def slot(self, name: SlotName | None) -> Slot | None:
        """The occupied slot called ``name``."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def slot_of(self, version: int) -> Slot | None:
        """The slot that holds ``version``; None when it is cold."""
        return next((slot for slot in self.slots if slot.version == version), None)

    @property
    def live_version(self) -> int | None:
        """The version that the endpoint is meant to serve."""
        slot = self.slot(self.live)
        return slot.version if slot else None

    @property
    def previous_version(self) -> int | None:
        """The version that is kept warm behind live and takes over when live dies."""
        slot = self.slot(self.previous)
        return slot.version if slot else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of an operation's log."""

    name: str
    state: StepState
    started_at: datetime
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A deployment or rollback in the journal."""

    id: str
    key: EndpointKey
    kind: OperationKind
    state: OperationState
    epoch: int
    from_version: int | None
    to_version: int
    actor: str
    reason: str
    started_at: datetime
    finished_at: datetime | None
    message: str = ""
    verified: bool = False
    command_to_switch: float | None = None
    switch_to_verified: float | None = None
    steps: tuple[Step, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A stretch of time in which a version was live."""

    version: int
    sha256: str
    since: datetime
    until: datetime | None
    by: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTraffic:
    """What the router counted for one slot since it started; ``up`` is its health check."""

    up: bool
    weight: int
    requests: int
    status_2xx: int
    status_4xx: int
    status_5xx: int
    connection_errors: int
    failed_checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A scoring server's answer to one request; ``version`` is who says to have answered."""

    status: int
    body: Any
    seconds: float
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One endpoint as it is observed now; times in UTC, traffic as shares that sum to 1.

    ``error_rate`` counts answers of 500 and above and lost requests, ``refused_rate`` those of 400 to 499: what a
    caller did wrong, and with MLflow's server also what the model's own code did.
    """

    key: EndpointKey
    port: int
    live_version: int | None
    live_sha256: str | None
    since: datetime | None
    by: str | None
    previous_version: int | None
    previous_warm: bool
    traffic: Mapping[int, float]
    health: Health
    serving_says: int | None
    requests_per_s: float | None = None
    error_rate: float | None = None
    refused_rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    per_second: tuple[int, ...] = ()
    detail: str = ""
    running: Operation | None = None
    slots: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One answered request as the router saw it; ``status`` is -1 when the client went away."""

    at: float
    backend: str
    server: str
    status: int
    milliseconds: int
