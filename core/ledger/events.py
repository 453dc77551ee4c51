"""Every kind of decision and fact that the ledger keeps: one frozen dataclass a kind.

An event says what happened to which model and environment and why; the ledger adds number, time, actor and the
hash chain. Kinds may be added and fields with a default may be added to a kind; neither is ever removed, since
old records must stay readable for years.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from core.ledger.canonical import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event has: its subject, and the reason given by the actor."""

    kind: ClassVar[str] = ""
    model: str = ""
    environment: str = ""
    reason: str = ""

    def payload(self) -> dict[str, Any]:
        """All fields but the subject, as the ledger stores them."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("model", "environment")
        }


# -- operations: moving what serves ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStarted(Event):
    """A promotion, deployment or rollback is about to act; its outcome is a later event of the same id."""

    kind: ClassVar[str] = "operation_started"
    operation_id: str
    verb: str
    from_version: int | None
    to_version: int | None
    alias: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFailed(Event):
    """The operation did not happen; ``live_version`` is what was read back afterwards."""

    kind: ClassVar[str] = "operation_failed"
    operation_id: str
    verb: str
    from_version: int | None
    to_version: int | None
    live_version: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved(Event):
    operation_id: str
    from_version: int | None
    to_version: int
    alias: str = ""
    verified: bool = False
    sha256: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(_Moved):
    """A version became the live one; ``basis`` says by what right: ``approved``, ``no policy`` ..."""

    kind: ClassVar[str] = "promoted"
    basis: str = "no policy"
    request_id: str = ""
    policy_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed(_Moved):
    """A version took all traffic of a serving endpoint."""

    kind: ClassVar[str] = "deployed"
    basis: str = "no policy"
    request_id: str = ""
    policy_version: int | None = None
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(_Moved):
    """An earlier version serves again. Break-glass: needs no approval beforehand, but a review afterwards."""

    kind: ClassVar[str] = "rolled_back"
    target: str = "last-good"
    engine: str = ""
    review_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSwitched(Event):
    """The share of traffic per version (as text keys) of an endpoint changed; shares sum to 1."""

    kind: ClassVar[str] = "traffic_switched"
    operation_id: str = ""
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBackReviewed(Event):
    """A lead looked at a break-glass rollback afterwards."""

    kind: ClassVar[str] = "rollback_reviewed"
    operation_id: str
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSet(Event):
    """Promotions of this model (and environment; '' means all) are refused until lifted."""

    kind: ClassVar[str] = "freeze_set"
    cause: str = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeLifted(Event):
    """The freeze of this model and environment ends."""

    kind: ClassVar[str] = "freeze_lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMovedOutside(Event):
    """The mirror in MLflow does not say what was decided; nobody told the ledger who moved it."""

    kind: ClassVar[str] = "alias_moved_outside"
    alias: str
    from_version: int | None
    to_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasReconciled(Event):
    """The alias was put back to the ledger's version, or the ledger accepted the alias's version."""

    kind: ClassVar[str] = "alias_reconciled"
    alias: str
    from_version: int | None
    to_version: int | None
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRefused(Event):
    """Someone tried what they may not do, or what the state forbids."""

    kind: ClassVar[str] = "action_refused"
    action: str
    version: int | None = None
    error: str = ""


# -- requests, approvals, policy -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPublished(Event):
    """A policy version, word for word; it never changes afterwards."""

    kind: ClassVar[str] = "policy_published"
    policy: str
    version: int
    sha256: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOpened(Event):
    """Someone asks that a version goes live. ``digest`` binds the request to what is to be judged."""

    kind: ClassVar[str] = "request_opened"
    request_id: str
    version: int
    run_id: str | None
    run_author: str
    digest: str
    evidence: Mapping[str, Any]
    policy_version: int | None
    tier: str
    needs: int
    champion: int | None
    expires_at: datetime
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSigned(Event):
    """A signature under a request: printed name, meaning, and the digest of what was signed.

    ``allows_code`` names what loading the files may run; without it, nothing that the model's author chose.
    """

    kind: ClassVar[str] = "approval_signed"
    request_id: str
    version: int
    digest: str
    printed_name: str
    meaning: str
    authenticated: bool
    deputy_for: str = ""
    groups: tuple[str, ...] = ()
    allows_code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOverridden(Event):
    """A named person accepts an inconclusive gate, or a failed one on drift, with a reason."""

    kind: ClassVar[str] = "gate_overridden"
    request_id: str
    gate: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesRequested(Event):
    """An approver wants something changed before deciding; ``reason`` says what.

    ``about`` names the gates or subgroups concerned, ``addressed_to`` the requester.
    """

    kind: ClassVar[str] = "changes_requested"
    request_id: str
    about: tuple[str, ...] = ()
    addressed_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRejected(Event):
    """An approver said no; the request is closed."""

    kind: ClassVar[str] = "request_rejected"
    request_id: str
    printed_name: str
    authenticated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWithdrawn(Event):
    """The requester (or an admin) took the request back."""

    kind: ClassVar[str] = "request_withdrawn"
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExpired(Event):
    """The request passed its date without a decision."""

    kind: ClassVar[str] = "request_expired"
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReminded(Event):
    """The request still waits although ``percent`` of its time is over; ``waits_for`` are people who may sign."""

    kind: ClassVar[str] = "request_reminded"
    request_id: str
    version: int
    percent: int
    expires_at: datetime
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented(Event):
    """A remark on a request; the text is the reason."""

    kind: ClassVar[str] = "commented"
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeputyNamed(Event):
    """``deputy`` may approve in place of the actor until ``until``."""

    kind: ClassVar[str] = "deputy_named"
    deputy: str
    principal: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeputyEnded(Event):
    """``deputy`` no longer stands in for ``principal``, before the date that was named."""

    kind: ClassVar[str] = "deputy_ended"
    deputy: str
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerEnrolled(Event):
    """A person set (or changed) the passphrase they sign with; the passphrase itself is not here."""

    kind: ClassVar[str] = "signer_enrolled"
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFailed(Event):
    """A wrong passphrase; ``locked`` when the signer is now locked out."""

    kind: ClassVar[str] = "signature_failed"
    signer: str
    failures: int
    locked: bool = False


# -- exporting -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMade(Event):
    """Something left the desk: an evidence pack, an audit extract."""

    kind: ClassVar[str] = "export_made"
    what: str
    sha256: str = ""
    version: int | None = None


@cache
def kinds() -> Mapping[str, type[Event]]:
    """Every event kind by its name."""
    import core.ledger.alert_events
    import core.ledger.pipeline_events
    import core.ledger.report_events
    import core.ledger.serving_events
    import core.ledger.version_events
    import core.ledger.view_events  # noqa: F401 - kinds in files of their own

    found: dict[str, type[Event]] = {}
    pending = [Event]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if cls.kind:
                found[cls.kind] = cls
    return types.MappingProxyType(found)


def restore(kind: str, model: str, environment: str, payload: Mapping[str, Any]) -> Event:
    """The event that was stored; unknown kinds (of a newer version) become a plain :class:`Event`."""
    cls = kinds().get(kind, Event)
    values = {
        name: _restored(is_time, payload[name]) for name, is_time in _fields(cls).items() if name in payload
    }
    return cls(**values | {"model": model, "environment": environment})


@cache
def _fields(cls: type[Event]) -> dict[str, bool]:
    """The fields of an event, and whether each holds a time."""
    hints = typing.get_type_hints(cls)
    return {
        item.name: datetime in (hints[item.name], *typing.get_args(hints[item.name])) for item in fields(cls)
    }


def _restored(is_time: bool, value: Any) -> Any:
    if is_time and value is not None:
        return instant(value)
    return tuple(value) if isinstance(value, list) else value
