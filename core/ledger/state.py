"""The state that follows from the records: what serves, what is frozen, which requests wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.access import Actor
from core.ledger import alert_events
from core.ledger import events as ev
from core.ledger.types import Record

Place = tuple[str, str]
"""A model and an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A stretch of time in which a version was the live one; ``until`` is None while it is.

    ``taken_back`` is True when a rollback ended it: such a version is no target to roll back to.
    """

    version: int
    since: datetime
    by: Actor
    seq: int
    kind: str
    operation_id: str = ""
    sha256: str = ""
    basis: str = ""
    request_id: str = ""
    until: datetime | None = None
    taken_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Promotions of a model are refused; ``environment`` '' means in all of them."""

    model: str
    environment: str
    since: datetime
    by: Actor
    reason: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One approval under a request."""

    by: Actor
    at: datetime
    event: ev.ApprovalSigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request and everything that happened to it; whether it suffices is the registry's judgement."""

    opened: ev.RequestOpened
    at: datetime
    by: Actor
    signatures: tuple[Signature, ...] = ()
    overrides: tuple[tuple[Actor, ev.GateOverridden], ...] = ()
    remarks: tuple[Record, ...] = ()
    changes_wanted: bool = False
    closed: str = ""
    closed_at: datetime | None = None
    closed_by: Actor | None = None
    used_by: str = ""

    @property
    def request_id(self) -> str:
        """The request's id."""
        return self.opened.request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputy:
    """``deputy`` may approve in place of ``principal`` until a date."""

    deputy: str
    principal: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """A monitor's finding that is not over; ``raised`` is the newest telling of it, ``since`` the first.

    ``taken`` is how somebody took it on, None while nobody has.
    """

    raised: Record
    since: datetime
    taken: Record | None = None
    snoozed_until: datetime | None = None
    retraining: Record | None = None

    @property
    def event(self) -> alert_events.DriftAlertRaised:
        """What was found."""
        event = self.raised.event
        assert isinstance(event, alert_events.DriftAlertRaised)
        return event

    @property
    def owner(self) -> str:
        """Who took it on; '' while nobody has."""
        return "" if self.taken is None else self.taken.payload["owner"] or self.taken.actor.printed_name

    def waits(self, now: datetime) -> bool:
        """True while somebody still has to take it on."""
        return self.taken is None and (self.snoozed_until is None or self.snoozed_until <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the records say, after ``seq`` of them."""

    seq: int = 0
    services: Mapping[Place, tuple[Service, ...]] = field(default_factory=dict)
    freezes: Mapping[Place, Freeze] = field(default_factory=dict)
    requests: Mapping[str, Request] = field(default_factory=dict)
    named: Mapping[tuple[str, str], Deputy] = field(default_factory=dict)
    published: Mapping[str, tuple[datetime, ev.PolicyPublished]] = field(default_factory=dict)
    unfinished: Mapping[str, Record] = field(default_factory=dict)
    reviews_due: Mapping[str, Record] = field(default_factory=dict)
    alerts: Mapping[str, OpenAlert] = field(default_factory=dict)
    moved_outside: Mapping[Place, Record] = field(default_factory=dict)
    archived: Mapping[tuple[str, int], Record] = field(default_factory=dict)

    @property
    def deputies(self) -> tuple[Deputy, ...]:
        """Who stands in for whom, also those whose time is over."""
        return tuple(self.named.values())

    @property
    def policies(self) -> tuple[tuple[datetime, ev.PolicyPublished], ...]:
        """Every published policy text and when it was published, oldest first."""
        return tuple(self.published.values())

    def live(self, model: str, environment: str) -> Service | None:
        """The live version of a model in an environment, as decided."""
        services = self.services.get((model, environment), ())
        return services[-1] if services and services[-1].until is None else None

    def last_good(self, model: str, environment: str) -> tuple[Service, ...]:
        """What really served before the live version and was not taken back: newest first, each once."""
        services = self.services.get((model, environment), ())
        now = self.live(model, environment)
        seen = {now.version} if now else set()
        bad = {service.version for service in services if service.taken_back}
        found = []
        for service in reversed(services):
            if service.version not in seen | bad:
                seen.add(service.version)
                found.append(service)
        return tuple(found)

    def freeze(self, model: str, environment: str) -> Freeze | None:
        """The freeze that holds for a model in an environment."""
        places = ((model, environment), (model, ""), ("", environment), ("", ""))
        return next((self.freezes[place] for place in places if place in self.freezes), None)

    def principals(self, name: str, at: datetime) -> tuple[str, ...]:
        """Whose deputy ``name`` is at a time."""
        return tuple(item.principal for item in self.deputies if item.deputy == name and item.until > at)
