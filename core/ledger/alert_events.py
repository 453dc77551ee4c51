"""The kinds of events about alerts: what a monitor found, and what people did about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from core.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlertRaised(Event):
    """A monitor found drift or degradation; the same id again means that it has become worse.

    ``finding`` names what is wrong (drift, degraded, inconclusive), ``window`` where it was seen.
    """

    kind: ClassVar[str] = "drift_alert_raised"
    alert_id: str
    severity: str
    summary: str
    finding: str = ""
    window: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlertAcknowledged(Event):
    """Someone took the alert on: ``owner``, else the actor."""

    kind: ClassVar[str] = "drift_alert_acknowledged"
    alert_id: str
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlertSnoozed(Event):
    """Nobody is to be reminded of the alert before ``until``."""

    kind: ClassVar[str] = "drift_alert_snoozed"
    alert_id: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlertReopened(Event):
    """The alert waits for somebody again: no owner, no snooze."""

    kind: ClassVar[str] = "drift_alert_reopened"
    alert_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAlertResolved(Event):
    """The alert is over; ``automatic`` when the monitor no longer sees what it was about."""

    kind: ClassVar[str] = "drift_alert_resolved"
    alert_id: str
    summary: str = ""
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingRequested(Event):
    """Someone asks that the model be trained anew because of an alert; it ends with the alert."""

    kind: ClassVar[str] = "retraining_requested"
    alert_id: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKindSet(Event):
    """The monitor is to treat a column as ``treated_as``; '' gives it back to the policy file and the rules."""

    kind: ClassVar[str] = "column_kind_set"
    column: str
    treated_as: str
    before: str = ""
