"""The timeline of an incident: alerts, operations, freezes and reviews of one model, in order, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.document import Table
from core.errors import NotFound
from core.registry.words import event_facts, sentence
from core.reports.charts import Moment, timeline
from core.reports.types import Report

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace

BEFORE, AFTER = timedelta(hours=24), timedelta(hours=24)
_BAD = frozenset({"drift_alert_raised", "operation_failed", "alias_moved_outside", "action_refused"})
_GOOD = frozenset({"rolled_back", "drift_alert_resolved", "rollback_reviewed", "freeze_lifted"})
_QUIET = frozenset({"operation_started", "export_made"})


def incident_report(
    ws: Workspace,
    model: str,
    now: datetime,
    *,
    environment: str = "production",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Report:
    """What happened to ``model`` between two times; by default a day around its last rollback.

    Raises NotFound for a model without a recorded event, and without a rollback when no time is given.
    """
    records = ws.ledger.records(model=model)
    if not records:
        ws.registry.model(model)
    since, until = _window(records, model, now, since, until)
    happened = [
        record
        for record in records
        if since <= record.at <= until
        and record.environment in ("", environment)
        and record.kind not in _QUIET
    ]
    open_reviews = [
        one for one in ws.ledger.state().reviews_due.values() if (one.model, one.environment) == (model, environment)
    ]  # fmt: skip
    moments = [Moment(record.at, sentence(record), _tone(record)) for record in happened]
    took = _took(happened)
    facts = {
        "model": model,
        "environment": environment,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "events": [event_facts(record) for record in happened],
        "seconds_from_alert_to_rollback": took,
        "review_open": bool(open_reviews),
    }
    rows = tuple(
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor.printed_name, sentence(one), one.reason or "–") for one in happened
    )  # fmt: skip
    events = Table(
        "What happened (UTC)",
        ("At", "Who", "What", "Why"),
        rows,
        "" if rows else "Nothing was recorded in this time.",
        timeline(moments),
    )
    return Report(
        title=f"Incident: {model} in {environment}",
        lead=_lead(happened, since, until, took),
        tables=(events, _outcome(ws, model, environment, open_reviews), _where(ws, model)),
        facts=facts,
        marker=f"incident {model}",
    )


def _window(
    records: Sequence[Record], model: str, now: datetime, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    if since is not None:
        return since, until or now
    last = next((record for record in reversed(records) if record.kind == "rolled_back"), None)
    if last is None:
        raise NotFound(f"No rollback of {model} is on the record.", "Name the time: --since and --until.")
    return last.at - BEFORE, until or min(now, last.at + AFTER)


def _took(happened: Sequence[Record]) -> float | None:
    """Seconds from the first alert to the first rollback after it."""
    alert = next((record for record in happened if record.kind in _BAD), None)
    if alert is None:
        return None
    back = next((one for one in happened if one.kind == "rolled_back" and one.at >= alert.at), None)
    return (back.at - alert.at).total_seconds() if back else None


def _lead(happened: Sequence[Record], since: datetime, until: datetime, took: float | None) -> str:
    words = f"{len(happened)} events from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC."
    if took is not None:
        words += f" From the first alarm to the rollback: {_span(took)}."
    return words


def _outcome(ws: Workspace, model: str, environment: str, reviews: Sequence[Record]) -> Table:
    state = ws.ledger.state()
    live, freeze = state.live(model, environment), state.freeze(model, environment)
    rows: list[tuple[str, str]] = [
        (
            "Live now",
            f"v{live.version} since {live.since:%Y-%m-%d %H:%M} UTC" if live else "nothing recorded",
        ),
        ("Promotions", f"frozen: {freeze.reason}" if freeze else "allowed"),
        ("Review", "open: a lead must look at the rollback" if reviews else "none is open"),
    ]
    open_alerts = [
        one
        for one in state.alerts.values()
        if (one.event.model, one.event.environment) == (model, environment)
    ]
    rows += [("Open alert", one.event.summary) for one in open_alerts]
    return Table("How it stands", ("What", "State"), tuple(rows))


def _where(ws: Workspace, model: str) -> Table:
    return Table("Where to look", note=f"{ws.settings.notify.base_url.rstrip('/')}/deploy?model={model}")


def _tone(record: Record) -> str:
    return "bad" if record.kind in _BAD else "good" if record.kind in _GOOD else "plain"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
