"""A week for leads: what is live, what was decided, what waits, what alarmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from core.attention import Overview, overview
from core.document import Table
from core.registry.words import event_facts, sentence
from core.reports.charts import days
from core.reports.types import Report

if TYPE_CHECKING:
    from core.access import Actor
    from core.ledger.types import Record
    from core.workspace import Workspace

WEEK = timedelta(days=7)
_GROUPS = {
    "Released": ("promoted", "deployed"),
    "Rolled back": ("rolled_back",),
    "Failed or refused": ("operation_failed", "action_refused"),
    "Approvals": ("request_opened", "approval_signed", "changes_requested", "request_rejected", "request_withdrawn"),
    "Alerts": ("drift_alert_raised", "drift_alert_resolved"),
    "Moved outside": ("alias_moved_outside", "alias_reconciled"),
    "Freezes": ("freeze_set", "freeze_lifted"),
    "Registered": ("version_registered",),
}  # fmt: skip


def weekly_report(ws: Workspace, actor: Actor, now: datetime, until: datetime | None = None) -> Report:
    """The seven days before ``until`` (default: now); what is live and what waits is always of now."""
    end = until or now
    told = [kind for kinds in _GROUPS.values() for kind in kinds]
    records = ws.ledger.records(kinds=told, since=end - WEEK, until=end)
    seen = overview(ws, actor, now)
    counts = {name: sum(one.kind in kinds for one in records) for name, kinds in _GROUPS.items()}
    facts = {
        "since": (end - WEEK).isoformat(),
        "until": end.isoformat(),
        "counts": counts,
        "models": [
            {
                "model": one.model,
                "live": one.live.version if one.live else one.production,
                "since": one.live.since.isoformat() if one.live else None,
                "in_sync": one.in_sync,
                "frozen": one.frozen,
                "missing": list(one.gaps),
            }
            for one in seen.models
        ],
        "waiting": [{"word": item.word, "sentence": item.sentence} for item in seen.items],
        "events": [event_facts(record) for record in records],
    }
    return Report(
        title=f"Week {end:%G-W%V} of {ws.settings.name}",
        lead=_lead(counts, seen, end),
        tables=(_waiting(seen), _models(seen), _decided(records, counts, end), _where(ws)),
        facts=facts,
        marker=f"weekly {end:%G-W%V}",
    )


def _lead(counts: dict[str, int], seen: Overview, end: datetime) -> str:
    done = (
        ", ".join(f"{count} {name.lower()}" for name, count in counts.items() if count)
        or "nothing was decided"
    )
    down = f" MLflow did not answer ({seen.failure.what})" if seen.failure else ""
    return f"{end - WEEK:%d %b} to {end:%d %b %Y} (UTC): {done}. {len(seen.items)} things wait for somebody.{down}"


def _waiting(seen: Overview) -> Table:
    rows = tuple((item.word, item.sentence) for item in seen.items)
    return Table("Waiting for somebody", ("State", "What"), rows, "" if rows else "Nothing waits.")


def _models(seen: Overview) -> Table:
    rows = tuple(
        (
            one.model,
            f"v{one.live.version}" if one.live else "–" if one.production is None else f"v{one.production}",
            f"{one.live.since:%Y-%m-%d}" if one.live else "–",
            one.live.by.printed_name if one.live else "–",
            {True: "in sync", False: "OUT OF SYNC", None: "not recorded"}[one.in_sync]
            + (", frozen" if one.frozen else ""),
            ", ".join(one.gaps) or "nothing",
        )
        for one in seen.models
    )
    return Table("What is live", ("Model", "Version", "Since", "By", "State", "Missing"), rows)


def _decided(records: Sequence[Record], counts: dict[str, int], end: datetime) -> Table:
    per_day: Counter[date] = Counter(record.at.date() for record in records)
    span = [(end - WEEK + timedelta(days=number)).date() for number in range(1, 8)]
    rows = tuple(
        (f"{one.at:%a %d %H:%M}", one.model, sentence(one), one.actor.printed_name, one.reason or "–")
        for one in records
    )
    note = "; ".join(f"{name}: {count}" for name, count in counts.items() if count)
    drawn = days({day: per_day[day] for day in span}) if rows else ""
    return Table(
        "What was decided (UTC)",
        ("At", "Model", "What", "Who", "Why"),
        rows,
        note or "Nothing was decided.",
        drawn,
    )


def _where(ws: Workspace) -> Table:
    return Table("Where to look", note=ws.settings.notify.base_url)
