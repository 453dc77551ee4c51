"""The kinds of events about what serves: what changed without a decision, trials and drills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingChanged(Event):
    """What answers changed without a decision: live fell over to the warm previous version, or is back."""

    kind: ClassVar[str] = "serving_changed"
    health: str
    live_version: int | None
    answering_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted(Event):
    """A candidate gets a part of the traffic; ``rules`` hold what was registered before the first outcome."""

    kind: ClassVar[str] = "trial_started"
    trial_id: str
    trial: str
    live_version: int
    candidate: int
    steps: tuple[int, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPaused(Event):
    """The ramp stands still until somebody resumes it; the shares stay as they are."""

    kind: ClassVar[str] = "trial_paused"
    trial_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResumed(Event):
    """The ramp goes on."""

    kind: ClassVar[str] = "trial_resumed"
    trial_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded(Event):
    """The trial is over: ``finished`` (the candidate took all traffic), ``aborted`` or ``overtaken``."""

    kind: ClassVar[str] = "trial_ended"
    trial_id: str
    outcome: str
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReplayed(Event):
    """Logged requests were asked again of a version that has no traffic; counts only."""

    kind: ClassVar[str] = "shadow_replayed"
    version: int
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackDrilled(Event):
    """Going back and forth was rehearsed with requests under way."""

    kind: ClassVar[str] = "rollback_drilled"
    operation_id: str
    from_version: int
    to_version: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    requests: int = 0
    failed: int = 0
