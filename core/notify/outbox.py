"""The outbox: which message waits for which channel, how often it was tried, and what came of it.

It is filled from the ledger, so whatever is recorded is told, whoever recorded it; a message is unique per
event and channel, so filling twice tells nobody twice. The tables live beside the ledger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from core.errors import ModelDeskError
from core.ledger.state import Request
from core.ledger.store import Ledger
from core.ledger.types import Record
from core.notify.channels import send
from core.notify.notices import Notice, notice_of, wants
from core.settings import ChannelSection, NotifySection

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
SAME_MESSAGE = timedelta(minutes=15)
FIRST_LOOK_BACK = timedelta(days=1)

_metadata = sa.MetaData()
_deliveries = sa.Table(
    "notify_deliveries",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("record_seq", sa.Integer, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.UniqueConstraint("record_seq", "channel"),
)
_cursor = sa.Table(
    "notify_cursor",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one channel; ``state`` is waiting, sent, failed (given up) or duplicate."""

    id: int
    record_seq: int
    channel: str
    kind: str
    model: str
    title: str
    body: str
    link: str
    state: str
    attempts: int
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None
    error: str


class Outbox:
    """Messages on their way, in the ledger's database."""

    def __init__(self, ledger: Ledger, settings: NotifySection) -> None:
        self._ledger = ledger
        self._settings = settings
        self._ready = False

    def fill(self, now: datetime) -> int:
        """Turn ledger events since the last call into waiting messages; returns how many were added.

        The first call looks back one day, so that switching notifications on does not retell old history.
        """
        self._create()
        with self._ledger.database.reading() as connection:
            seen = connection.execute(sa.select(_cursor.c.seq)).scalar()
        since = None if seen is not None else now - FIRST_LOOK_BACK
        records = self._ledger.records(since=since, after=seen or 0)
        requests = self._ledger.state().requests
        notices = [
            notice
            for record in records
            if (notice := notice_of(record, self._settings.base_url, _requester(requests, record)))
        ]
        rows = [
            _row(notice, channel, now)
            for notice in notices
            for channel in self._settings.channels
            if wants(channel, notice)
        ]
        head = records[-1].seq if records else seen or 0
        with self._ledger.database.writing() as connection:
            if connection.execute(sa.select(_cursor.c.seq)).scalar() != seen:
                return 0  # another process filled meanwhile
            connection.execute(sa.delete(_cursor))
            connection.execute(sa.insert(_cursor).values(name="ledger", seq=head))
            for row in rows:
                row["state"] = "duplicate" if _told_lately(connection, row, now) else "waiting"
                connection.execute(sa.insert(_deliveries).values(row))
        return len(rows)

    def deliver(self, now: datetime) -> tuple[Delivery, ...]:
        """Send what is due; a failure is tried again later (1, 5, 15, 60 and 240 minutes), then given up."""
        channels = {channel.name: channel for channel in self._settings.channels}
        return tuple(self._attempt(item, channels.get(item.channel), now) for item in self.due(now))

    def due(self, now: datetime) -> tuple[Delivery, ...]:
        """What waits and may be sent by now, oldest first."""
        waiting = sa.select(_deliveries).where(_deliveries.c.state == "waiting").order_by(_deliveries.c.id)
        with self._ledger.database.reading() as connection:
            if connection is None or not sa.inspect(connection).has_table(_deliveries.name):
                return ()
            return tuple(item for item in map(_delivery, connection.execute(waiting)) if item.due_at <= now)

    def history(self, limit: int = 200) -> tuple[Delivery, ...]:
        """The newest deliveries first."""
        with self._ledger.database.reading() as connection:
            if connection is None or not sa.inspect(connection).has_table(_deliveries.name):
                return ()
            newest = sa.select(_deliveries).order_by(_deliveries.c.id.desc()).limit(limit)
            return tuple(map(_delivery, connection.execute(newest)))

    def _attempt(self, item: Delivery, channel: ChannelSection | None, now: datetime) -> Delivery:
        attempts = item.attempts + 1
        # Claimed before it is sent: a second process that delivers at the same time finds it not due.
        if not self._claim(item, attempts, now):
            return item
        message = {
            "id": f"{item.record_seq}-{item.channel}",
            "kind": item.kind,
            "model": item.model,
            "title": item.title,
            "body": item.body,
            "link": item.link,
        }
        try:
            if channel is None:
                change = {"state": "failed", "error": "the channel is no longer configured"}
            else:
                send(channel, message)
                change = {"state": "sent", "sent_at": now.isoformat(), "error": ""}
        except ModelDeskError as error:
            change = {"state": "failed" if attempts > len(BACKOFF) else "waiting", "error": error.what}
        with self._ledger.database.writing() as connection:
            connection.execute(sa.update(_deliveries).where(_deliveries.c.id == item.id).values(change))
            row = connection.execute(sa.select(_deliveries).where(_deliveries.c.id == item.id)).one()
        return _delivery(row)

    def _claim(self, item: Delivery, attempts: int, now: datetime) -> bool:
        wait = BACKOFF[min(item.attempts, len(BACKOFF) - 1)]
        with self._ledger.database.writing() as connection:
            claimed = connection.execute(
                sa.update(_deliveries)
                .where(_deliveries.c.id == item.id, _deliveries.c.attempts == item.attempts)
                .values(attempts=attempts, due_at=(now + wait).isoformat())
            )
        return claimed.rowcount == 1

    def _create(self) -> None:
        if self._ready:
            return
        with self._ledger.database.writing() as connection:
            _metadata.create_all(connection)
        self._ready = True


def _row(notice: Notice, channel: ChannelSection, now: datetime) -> dict[str, object]:
    due = now if notice.urgent else after_quiet_hours(now, channel.quiet_hours)
    return {
        "record_seq": notice.record_seq,
        "channel": channel.name,
        "kind": notice.kind,
        "model": notice.model,
        "title": notice.title,
        "body": notice.body,
        "link": notice.link,
        "attempts": 0,
        "due_at": due.isoformat(),
        "created_at": now.isoformat(),
        "error": "",
    }


def _requester(requests: Mapping[str, Request], record: Record) -> tuple[str, ...]:
    """Who asked for the release that the record is about; they are told when others answer."""
    request = requests.get(record.payload.get("request_id") or "")
    return (request.by.name,) if request else ()


def after_quiet_hours(now: datetime, quiet: str | None) -> datetime:
    """``now``, or the end of the quiet hours (``22:00-06:00``, UTC) that it falls into."""
    if not quiet:
        return now
    start, end = (time.fromisoformat(part) for part in quiet.split("-"))
    at = now.astimezone(UTC).time()
    inside = start <= at < end if start <= end else at >= start or at < end
    if not inside:
        return now
    until = datetime.combine(now.astimezone(UTC).date(), end, UTC)
    return until if until > now else until + timedelta(days=1)


def _told_lately(connection: sa.Connection, row: dict[str, object], now: datetime) -> bool:
    same = sa.select(_deliveries.c.id).where(
        _deliveries.c.channel == row["channel"],
        _deliveries.c.title == row["title"],
        _deliveries.c.body == row["body"],
        _deliveries.c.created_at > (now - SAME_MESSAGE).isoformat(),
    )
    return connection.execute(same.limit(1)).first() is not None


def _delivery(row: sa.Row) -> Delivery:
    values = dict(row._mapping)
    for name in ("due_at", "created_at", "sent_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return Delivery(**values)
