"""Records as plain facts and as sentences: the same words on a page, in an export and in a notification."""

from __future__ import annotations

from typing import Any

from core.ledger import alert_events, version_events
from core.ledger import events as ev
from core.ledger.canonical import instant_text
from core.ledger.types import Record
from core.registry.types import said


def event_facts(record: Record) -> dict[str, Any]:
    """A record as plain JSON values: its own columns, the sentence, and its payload's fields under ``facts``."""
    return {
        "seq": record.seq,
        "at": instant_text(record.at),
        "actor": record.actor.printed_name,
        "actor_id": record.actor.name,
        "source": record.actor.source,
        "kind": record.kind,
        "model": record.model,
        "environment": record.environment,
        "reason": record.reason,
        "sentence": sentence(record),
        "operation_id": record.payload.get("operation_id") or None,
        "from_version": record.payload.get("from_version"),
        "to_version": record.payload.get("to_version"),
        "facts": {key: value for key, value in record.payload.items() if key != "reason"},
        "hash": record.hash,
    }


def sentence(record: Record) -> str:
    """What happened, in a few words, without who and when."""
    place = f" in {record.environment}" if record.environment else ""
    match record.event:
        case ev.OperationStarted() as event:
            return f"{event.verb.capitalize()} begun{place}: {_move(event.from_version, event.to_version)}"
        case ev.OperationFailed() as event:
            now = said(event.live_version)
            return f"{event.verb.capitalize()} failed{place} ({event.error}); live afterwards: {now}"
        case ev.RolledBack() as event:
            return f"Rolled back{place}: {_move(event.from_version, event.to_version)}"
        case ev.Promoted() as event:
            return f"Promoted{place}: {_move(event.from_version, event.to_version)} ({event.basis})"
        case ev.Deployed() as event:
            return f"Deployed{place}: {_move(event.from_version, event.to_version)} ({event.basis})"
        case ev.TrafficSwitched() as event:
            shares = ", ".join(f"v{version} {share:.0%}" for version, share in sorted(event.shares.items()))
            return f"Traffic{place}: {shares}"
        case ev.AliasMovedOutside() as event:
            return f"{event.alias} moved outside Model Desk: {_move(event.from_version, event.to_version)}"
        case ev.AliasReconciled() as event:
            verb = "Accepted from MLflow" if event.accepted else "Alias put back"
            return f"{verb}{place}: {_move(event.from_version, event.to_version)}"
        case ev.ActionRefused() as event:
            return f"Refused{place}: {event.action} of {said(event.version)} ({event.error})"
        case ev.RequestOpened() as event:
            return f"Approval requested for v{event.version}{place} ({event.needs} needed)"
        case ev.RequestReminded() as event:
            return f"Reminder: {event.percent} % of the time to decide about v{event.version} is over"
        case ev.ApprovalSigned() as event:
            return f"Approved v{event.version}: {event.meaning}"
        case ev.GateOverridden() as event:
            return f"Check {event.gate} accepted although inconclusive"
        case ev.PolicyPublished() as event:
            return f"Policy {event.policy} version {event.version} published"
        case ev.DeputyNamed() as event:
            return f"{event.deputy} stands in for {event.principal} until {event.until:%Y-%m-%d}"
        case ev.DeputyEnded() as event:
            return f"{event.deputy} no longer stands in for {event.principal}"
        case ev.ChangesRequested() as event:
            about = f" about {', '.join(event.about)}" if event.about else ""
            return f"Changes requested{about}"
        case ev.SignatureFailed() as event:
            return f"Wrong passphrase for {event.signer}" + ("; locked" if event.locked else "")
        case alert_events.DriftAlertRaised() as event:
            return f"Drift alert ({event.severity}): {event.summary}"
        case alert_events.DriftAlertAcknowledged() as event:
            return f"Drift alert taken on by {event.owner or 'the actor'}"
        case alert_events.DriftAlertSnoozed() as event:
            return f"Drift alert snoozed until {event.until:%Y-%m-%d %H:%M} UTC"
        case alert_events.DriftAlertResolved() as event:
            return f"Drift alert over{' by itself' if event.automatic else ''}: {event.summary}"
        case ev.ExportMade() as event:
            return f"Exported: {event.what}"
        case version_events.VersionDeleted() as event:
            return f"Version {event.version} deleted"
        case version_events.VersionArchived() as event:
            return f"Version {event.version} archived"
        case version_events.VersionRestored() as event:
            return f"Version {event.version} restored from the archive"
        case ev.FreezeSet():
            return f"Promotions frozen{place}"
        case ev.FreezeLifted():
            return f"Freeze lifted{place}"
    return record.kind.replace("_", " ").capitalize() + place


def _move(before: int | None, after: int | None) -> str:
    return f"{said(before)} -> {said(after)}"
