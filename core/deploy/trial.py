"""A trial: a candidate with a part of the traffic, the rules it is judged by, and where it stands. Types alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.access import Actor
from core.deploy.types import EndpointKey


class TrialKind(StrEnum):
    """A canary asks "is it safe?" and ramps up; an A/B test asks "is it better?" and keeps its share."""

    CANARY = "canary"
    AB = "A/B test"


class TrialState(StrEnum):
    """Only RUNNING and PAUSED have traffic."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    ABORTED = "aborted"
    OVERTAKEN = "overtaken"


class Judgement(StrEnum):
    """What the router's counters say about the candidate."""

    CONTINUE = "continue"
    WAIT = "not enough yet"
    PAUSE = "pause"
    ABORT = "abort"


class Metric(StrEnum):
    """What is compared per person: both are differences that can be averaged."""

    ACCURACY = "accuracy"
    BRIER = "brier"

    @property
    def higher_is_better(self) -> bool:
        """The direction."""
        return self is Metric.ACCURACY


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRules:
    """When a ramp may go on: enough requests and time, and no clear harm.

    ``hold_s`` counts seconds that deployd watched, so that neither a changed clock nor its own absence passes for them.
    ``error_margin`` is the share of failed requests, and ``latency_factor`` the p99, that the candidate may have
    above live.
    """

    min_requests: int = 200
    hold_s: float = 120.0
    error_margin: float = 0.01
    latency_factor: float = 2.0
    latency_slack_ms: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRules:
    """What was registered before the first outcome. ``size``: a fixed horizon per arm; None is always valid.

    ``effect`` is the difference that would matter; it sets the prior of the always-valid test.
    """

    metric: Metric = Metric.ACCURACY
    alpha: float = 0.05
    effect: float = 0.03
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """What somebody wants to try: which shares, in percent, and by which rules."""

    kind: TrialKind = TrialKind.CANARY
    shares: tuple[int, ...] = (10, 25, 50)
    traffic: TrafficRules = TrafficRules()
    outcomes: OutcomeRules = OutcomeRules()


def canary(share: int) -> TrialSpec:
    """A canary that begins with ``share`` percent and goes on by the usual steps."""
    usual = TrialSpec().shares
    return TrialSpec(shares=(share, *(step for step in usual if step > share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTraffic:
    """One version's requests since a step began; latencies in milliseconds, None while nothing was answered."""

    requests: int
    failed: int
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the router's counters; ``held_s``: for how many seconds the step was watched until then."""

    at: datetime
    judgement: Judgement
    reason: str
    live: ArmTraffic
    candidate: ArmTraffic
    held_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A share of the candidate in percent, since when."""

    share: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial of an endpoint; ``past`` are the steps it went through, the last of them is where it stands."""

    id: str
    key: EndpointKey
    kind: TrialKind
    state: TrialState
    live: int
    candidate: int
    shares: tuple[int, ...]
    past: tuple[Step, ...]
    baseline: dict[str, Any]
    started_at: datetime
    by: Actor
    traffic: TrafficRules = TrafficRules()
    outcomes: OutcomeRules = OutcomeRules()
    look: Look | None = None
    message: str = ""
    allow_code: bool = False
    ended_at: datetime | None = None

    @property
    def share(self) -> int:
        """The candidate's part of the traffic now, in percent."""
        return self.past[-1].share

    @property
    def next_share(self) -> int | None:
        """The next step of the ramp; None on the last one."""
        return next((share for share in self.shares if share > self.share), None)

    def stands_as(self, seen: Trial) -> bool:
        """Whether it is the trial that was ``seen``, in the same step and state; looks at the traffic do not count."""
        return (self.id, self.state, self.past) == (seen.id, seen.state, seen.past)

    @property
    def open(self) -> bool:
        """True while it has traffic."""
        return self.state in (TrialState.RUNNING, TrialState.PAUSED)
