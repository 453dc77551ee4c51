"""What follows from a date alone: reminders of a request that still waits, and its expiry.

The desk itself is the actor. Both are told by the channels that subscribed to them, and both happen once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import DESK, Action, Actor, decide
from core.ledger.events import RequestExpired, RequestReminded
from core.registry.requests import CHANGES, OPEN, find_request, judged_or_open

if TYPE_CHECKING:
    from core.ledger.state import Request
    from core.workspace import Workspace

REMIND_AT = (90, 50)
"""Percent of a request's life, the latest first: of two that are due the earlier is not told any more."""


def record_expired(ws: Workspace) -> tuple[str, ...]:
    """Close the requests whose date has passed, on the record; gives back their ids."""
    closed = []
    for found in ws.ledger.state().requests.values():
        if found.closed or found.opened.expires_at > ws.ledger.now():
            continue
        with ws.ledger.exclusive(f"alias {found.opened.model}"):
            request = find_request(ws, found.request_id)
            if not request.closed:
                event = RequestExpired(**_place(request), reason="its date has passed")
                ws.ledger.append(event, DESK, key=f"expired:{request.request_id}")
                closed.append(request.request_id)
    return tuple(closed)


def record_reminders(ws: Workspace) -> tuple[str, ...]:
    """Remind of the requests that wait for half and for nine tenths of their time, once each; their ids."""
    told = []
    for request in ws.ledger.state().requests.values():
        percent = _due(ws, request)
        key = f"reminded:{request.request_id}:{percent}"
        if percent is None or ws.ledger.by_key(key):
            continue
        found = judged_or_open(ws, request)
        if found.unjudged or found.state not in (OPEN, CHANGES):
            continue
        opened = request.opened
        event = RequestReminded(
            **_place(request),
            version=opened.version,
            percent=percent,
            expires_at=opened.expires_at,
            waits_for=_approvers(ws, request),
        )
        ws.ledger.append(event, DESK, key=key)
        told.append(request.request_id)
    return tuple(told)


def _due(ws: Workspace, request: Request) -> int | None:
    end, now = request.opened.expires_at, ws.ledger.now()
    if request.closed or now >= end:
        return None
    passed = 100 * ((now - request.at) / (end - request.at))
    return next((percent for percent in REMIND_AT if passed >= percent), None)


def _approvers(ws: Workspace, request: Request) -> tuple[str, ...]:
    """The people with the right to sign it who neither asked for it nor signed; named in the settings."""
    opened, settings = request.opened, ws.settings
    out = {request.by.name, *(item.by.name for item in request.signatures)}
    granted = dict.fromkeys(grant.user for grant in settings.access.grants if grant.role == "approver")
    people = (Actor(name, source="settings") for name in granted if name not in out)
    return tuple(
        one.name
        for one in people
        if decide(settings, one, Action.APPROVE, opened.model, opened.environment).allowed
    )


def _place(request: Request) -> dict[str, str]:
    opened = request.opened
    return {"model": opened.model, "environment": opened.environment, "request_id": opened.request_id}
