"""From records to state: a fold over the events in order.

The same code makes the whole state in memory and follows one event in the stored state, within the transaction
that appends it (see stored.py).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from core.ledger import alert_events, version_events
from core.ledger import events as ev
from core.ledger.state import Deputy, Freeze, OpenAlert, Place, Request, Service, Signature, State
from core.ledger.types import Record

Tables = dict[str, MutableMapping[Any, Any]]
"""The parts of a state by name."""

PARTS = (
    "services", "freezes", "requests", "named", "published", "unfinished", "reviews_due", "alerts",
    "moved_outside", "archived",
)  # fmt: skip


def project(records: Iterable[Record], state: State | None = None) -> State:
    """The state after ``records``, which follow those that gave ``state``."""
    before = state or State()
    tables: Tables = {name: _copied(getattr(before, name)) for name in PARTS}
    fold, seq = _Fold(**tables), before.seq
    for record in records:
        fold.add(record)
        seq = record.seq
    return State(seq=seq, **tables)


def follow(record: Record, tables: Tables) -> None:
    """Change the parts of the state by what ``record`` says."""
    _Fold(**tables).add(record)


def _copied(table: Any) -> MutableMapping[Any, Any]:
    return table.copy()


_TAKEN_BACK = attrgetter("taken_back")
_CLOSINGS = {
    "request_rejected": "rejected",
    "request_withdrawn": "withdrawn",
    "request_expired": "expired",
}


@dataclass
class _Fold:
    """The state while it is being built: one attribute a part of it."""

    services: MutableMapping[Place, tuple[Service, ...]]
    freezes: MutableMapping[Place, Freeze]
    requests: MutableMapping[str, Request]
    named: MutableMapping[tuple[str, str], Deputy]
    published: MutableMapping[str, tuple[datetime, ev.PolicyPublished]]
    unfinished: MutableMapping[str, Record]
    reviews_due: MutableMapping[str, Record]
    alerts: MutableMapping[str, OpenAlert]
    moved_outside: MutableMapping[Place, Record]
    archived: MutableMapping[tuple[str, int], Record]

    def add(self, record: Record) -> None:
        place = (record.model, record.environment)
        match record.event:
            case ev.OperationStarted() as event:
                self.unfinished[event.operation_id] = record
            case ev.OperationFailed() as event:
                self.unfinished.pop(event.operation_id, None)
            case ev.Promoted() | ev.Deployed() | ev.RolledBack() as event:
                self._serves(place, record, event)
            case ev.AliasReconciled() as event:
                self._reconciled(place, record, event)
            case ev.AliasMovedOutside():
                self.moved_outside[place] = record
            case ev.RolledBackReviewed() as event:
                self.reviews_due.pop(event.operation_id, None)
            case ev.FreezeSet() as event:
                self.freezes[place] = Freeze(
                    model=record.model,
                    environment=record.environment,
                    since=record.at,
                    by=record.actor,
                    reason=event.reason,
                    cause=event.cause,
                )
            case version_events.VersionArchived() as event:
                self.archived[record.model, event.version] = record
            case version_events.VersionRestored() | version_events.VersionDeleted() as event:
                self.archived.pop((record.model, event.version), None)
            case ev.FreezeLifted():
                self.freezes.pop(place, None)
            case ev.DeputyNamed() as event:
                self._deputy(event)
            case ev.DeputyEnded() as event:
                self.named.pop((event.deputy, event.principal), None)
            case ev.PolicyPublished() as event:
                self.published[f"{record.seq:012}"] = (record.at, event)
            case event if alert_id := getattr(event, "alert_id", ""):
                self._alert(alert_id, record, event)
            case ev.RequestOpened() as event:
                self.requests[event.request_id] = Request(opened=event, at=record.at, by=record.actor)
            case event if request_id := getattr(event, "request_id", ""):
                self._request(request_id, record, event)

    def _serves(self, place: Place, record: Record, event: Any) -> None:
        self.unfinished.pop(event.operation_id, None)
        self.moved_outside.pop(place, None)
        if isinstance(event, ev.RolledBack) and event.review_due:
            self.reviews_due[event.operation_id] = record
        service = Service(
            version=event.to_version,
            since=record.at,
            by=record.actor,
            seq=record.seq,
            kind=record.kind,
            operation_id=event.operation_id,
            sha256=event.sha256,
            basis=getattr(event, "basis", "rollback"),
            request_id=getattr(event, "request_id", ""),
        )
        self._take_over(place, service, taken_back=isinstance(event, ev.RolledBack))
        if service.request_id in self.requests:
            used = replace(self.requests[service.request_id], used_by=event.operation_id, closed="done")
            self.requests[service.request_id] = used

    def _take_over(self, place: Place, service: Service, taken_back: bool) -> None:
        # A rollback asks no archive: what serves is in use again.
        self.archived.pop((place[0], service.version), None)
        earlier = self.services.get(place, ())
        if earlier and earlier[-1].until is None:
            if earlier[-1].version == service.version:
                return
            ended = replace(earlier[-1], until=service.since, taken_back=taken_back)
            earlier = (*earlier[:-1], ended)
        # A version that is promoted again after having been taken back got a new, deliberate chance.
        if not taken_back and any(map(_TAKEN_BACK, earlier)):
            earlier = tuple(
                replace(item, taken_back=False) if item.version == service.version else item
                for item in earlier
            )
        self.services[place] = (*earlier, service)

    def _reconciled(self, place: Place, record: Record, event: ev.AliasReconciled) -> None:
        self.moved_outside.pop(place, None)
        if event.accepted and event.to_version is not None:
            service = Service(
                version=event.to_version,
                since=record.at,
                by=record.actor,
                seq=record.seq,
                kind=record.kind,
                basis="accepted from outside",
            )
            self._take_over(place, service, taken_back=False)

    def _deputy(self, event: ev.DeputyNamed) -> None:
        key = (event.deputy, event.principal)
        self.named.pop(key, None)
        self.named[key] = Deputy(deputy=event.deputy, principal=event.principal, until=event.until)

    def _alert(self, alert_id: str, record: Record, event: ev.Event) -> None:
        if isinstance(event, alert_events.DriftAlertRaised):
            known = self.alerts.get(alert_id)
            self.alerts[alert_id] = OpenAlert(raised=record, since=known.since if known else record.at)
            return
        alert = self.alerts.pop(alert_id, None)
        if alert is None or isinstance(event, alert_events.DriftAlertResolved):
            return
        match event:
            case alert_events.DriftAlertAcknowledged():
                alert = replace(alert, taken=record, snoozed_until=None)
            case alert_events.DriftAlertSnoozed():
                alert = replace(alert, snoozed_until=event.until)
            case alert_events.DriftAlertReopened():
                alert = replace(alert, taken=None, snoozed_until=None)
            case alert_events.RetrainingRequested():
                alert = replace(alert, retraining=record)
        self.alerts[alert_id] = alert

    def _request(self, request_id: str, record: Record, event: ev.Event) -> None:
        request = self.requests.get(request_id)
        if request is None:
            return
        if record.kind in _CLOSINGS:
            request = replace(
                request, closed=_CLOSINGS[record.kind], closed_at=record.at, closed_by=record.actor
            )
        if isinstance(event, ev.ApprovalSigned):
            signature = Signature(by=record.actor, at=record.at, event=event)
            request = replace(request, signatures=(*request.signatures, signature), changes_wanted=False)
        elif isinstance(event, ev.GateOverridden):
            request = replace(request, overrides=(*request.overrides, (record.actor, event)))
        elif isinstance(event, ev.ChangesRequested):
            request = replace(request, changes_wanted=True)
        self.requests[request_id] = replace(request, remarks=(*request.remarks, record))
