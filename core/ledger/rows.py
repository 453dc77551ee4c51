"""Between an event and its row: what is stored, and what the hash of a row covers."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from core.access import Actor
from core.ledger.canonical import canonical_json, instant, instant_text, record_hash
from core.ledger.events import Event
from core.ledger.types import Head, Record, Use


def row_of(event: Event, actor: Actor, key: str | None, at: datetime, last: Head) -> tuple[Any, ...]:
    """The row that follows ``last``, in table order."""
    who = {"name": actor.name, "display_name": actor.display_name, "source": actor.source, "demo": actor.demo}
    body = (
        last.events + 1,
        instant_text(at),
        event.kind,
        event.model,
        event.environment,
        canonical_json(who),
        key,
        canonical_json(event.payload()),
        last.hash,
    )
    return (*body, record_hash(body))


def record_of(row: Any) -> Record:
    """The record that a row holds."""
    seq, at, kind, model, environment, actor, key, payload, prev_hash, digest = row
    return Record(
        seq=seq,
        at=instant(at),
        actor=_actor(actor),
        kind=kind,
        model=model,
        environment=environment,
        key=key,
        payload=_parsed(payload),
        prev_hash=prev_hash,
        hash=digest,
    )


def use_of(row: Any) -> Use:
    """The last use that a grouped row holds."""
    kind, model, environment, actor, at = row
    return Use(kind=kind, model=model, environment=environment, actor=_actor(actor), at=instant(at))


@lru_cache(maxsize=4096)
def _actor(text: str) -> Actor:
    return Actor(**json.loads(text))


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # A whole number beyond 64 bits, say: slower, but the standard library reads it.
        return json.loads(text)
