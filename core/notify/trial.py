"""Sending on request: what is due, or a test message to every channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadSettings, ModelDeskError
from core.notify.channels import send

if TYPE_CHECKING:
    from core.notify.outbox import Delivery
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Trial:
    """What a channel answered to a test message; ``arrived`` is None when it was not asked."""

    channel: str
    arrived: bool | None
    error: str = ""


def deliver(ws: Workspace, actor: Actor) -> tuple[Delivery, ...]:
    """Make messages of new events and send what is due. Raises Refused and Unavailable."""
    require(ws.settings, actor, Action.ACKNOWLEDGE)
    now = datetime.now(UTC)
    ws.outbox.fill(now)
    return ws.outbox.deliver(now)


def trial(ws: Workspace, actor: Actor, *, dry_run: bool = False) -> tuple[Trial, ...]:
    """A test message to every channel, now. Raises Refused, and BadSettings without a channel."""
    require(ws.settings, actor, Action.ACKNOWLEDGE)
    settings = ws.settings.notify
    if not settings.channels:
        raise BadSettings(
            "No channel is configured.", "Add [[notify.channels]] to modeldesk.toml (see the README)."
        )
    if dry_run:
        return tuple(Trial(channel.name, None) for channel in settings.channels)
    message = {
        "id": "test",
        "kind": "test",
        "model": "",
        "title": "Model Desk: test message",
        "body": "If you can read this, this channel works.",
        "link": settings.base_url,
    }
    found = []
    for channel in settings.channels:
        try:
            send(channel, message)
            found.append(Trial(channel.name, True))
        except ModelDeskError as error:
            found.append(Trial(channel.name, False, f"{error.what} {error.way_out}".strip()))
    return tuple(found)
