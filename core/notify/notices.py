"""What an event says to a person: a title, a body, a severity and the page concerned. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote, urlencode

from core.ledger.canonical import instant
from core.ledger.types import Record
from core.settings import ChannelSection

_TITLES = {
    "promoted": "{model} v{to_version} promoted to {environment}",
    "deployed": "{model} v{to_version} deployed to {environment}",
    "rolled_back": "{model} rolled back to v{to_version} in {environment}",
    "operation_failed": "{model}: {verb} to v{to_version} failed in {environment}",
    "freeze_set": "Promotions of {model} are frozen",
    "freeze_lifted": "Promotions of {model} are open again",
    "alias_moved_outside": "{model}: alias {alias} was moved outside Model Desk",
    "request_opened": "{model} v{version} waits for approval",
    "approval_signed": "{model} v{version} was approved by {printed_name}",
    "changes_requested": "Changes were requested for {model}",
    "request_rejected": "The request for {model} was rejected",
    "request_expired": "The request for {model} expired",
    "request_reminded": "{model} v{version} still waits for approval: {percent} % of its time is over",
    "commented": "A comment on the request for {model}",
    "drift_alert_raised": "{model} in {environment}: {summary}",
    "drift_alert_resolved": "{model} in {environment}: over: {summary}",
    "retraining_requested": "Training anew was asked for: {model}",
}
_URGENT = {"rolled_back", "operation_failed", "alias_moved_outside"}
_REQUESTS = {
    "request_opened",
    "approval_signed",
    "changes_requested",
    "request_rejected",
    "request_expired",
    "request_reminded",
    "commented",
}
KINDS = tuple(_TITLES)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about one ledger event; ``urgent`` ones ignore quiet hours.

    ``concerns`` are the people, by name, whom it is about besides those who act: the requester, say.
    """

    record_seq: int
    kind: str
    model: str
    title: str
    body: str
    link: str
    urgent: bool
    concerns: tuple[str, ...] = ()


def notice_of(record: Record, base_url: str, concerns: tuple[str, ...] = ()) -> Notice | None:
    """The message for ``record``, of interest to ``concerns``; None for kinds that nobody outside need know."""
    template = _TITLES.get(record.kind)
    if template is None:
        return None
    fields = _Blank(record.payload) | {"model": record.model, "environment": record.environment}
    body = f"By {record.actor.display_name or record.actor.name}, {record.at:%Y-%m-%d %H:%M} UTC."
    if addressed_to := record.payload.get("addressed_to"):
        body = f"For {addressed_to}. {body}"
    if about := record.payload.get("about"):
        body += f" About: {', '.join(about)}."
    if expires_at := record.payload.get("expires_at") if record.kind == "request_reminded" else None:
        body += f" It expires on {instant(expires_at):%Y-%m-%d %H:%M} UTC."
    if record.reason:
        body += f" Reason: {record.reason}"
    return Notice(
        record_seq=record.seq,
        kind=record.kind,
        model=record.model,
        title=template.format_map(_Blank(fields)),
        body=body,
        link=f"{base_url.rstrip('/')}/{_place(record)}",
        urgent=record.kind in _URGENT or record.payload.get("severity") in ("high", "critical"),
        concerns=tuple(dict.fromkeys((*concerns, *_named(record)))),
    )


def _named(record: Record) -> tuple[str, ...]:
    """People whom the event itself names."""
    names = (
        record.payload.get("addressed_to"),
        record.payload.get("run_author"),
        record.payload.get("owner"),
        *record.payload.get("waits_for", ()),
    )
    return tuple(name for name in names if isinstance(name, str) and name)


def _place(record: Record) -> str:
    """The page that the message is about, and what it should show."""
    if record.kind in _REQUESTS and record.payload.get("request_id"):
        return f"request?id={quote(record.payload['request_id'], safe='')}"
    query, page = {"model": record.model}, "drift" if record.kind == "retraining_requested" else "deploy"
    if alert := record.payload.get("alert_id"):
        query |= {"environment": record.environment, "alert": alert}
    return f"{page}?{urlencode(query, quote_via=quote, safe='')}"


def wants(channel: ChannelSection, notice: Notice) -> bool:
    """Whether ``channel`` subscribed to this kind of event, this model and one of these people."""
    of_interest = not channel.people or bool(set(channel.people) & set(notice.concerns))
    named = any(fnmatchcase(notice.kind, kind) for kind in channel.kinds)
    return named and of_interest and fnmatchcase(notice.model, channel.models)


class _Blank(dict):
    """Fields of an event; one that an old event lacks prints as a question mark instead of failing."""

    def __missing__(self, key: str) -> str:
        return "?"
