"""Canonical JSON and the hash chain: the same facts always give the same bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
"""``prev_hash`` of the first record."""


def canonical_json(value: Any) -> str:
    """``value`` as compact JSON with sorted keys; times in UTC, NaN and infinities as words.

    Raises TypeError for anything that JSON or a time cannot express: a ledger takes plain facts only.
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def record_hash(fields: tuple[Any, ...]) -> str:
    """Hash of a stored row: every column before ``hash``, in table order (``payload`` as its stored text)."""
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    # A lone surrogate cannot be stored anyway; "surrogatepass" keeps a doctored row from stopping a check.
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def instant_text(at: datetime) -> str:
    """An aware time as fixed-width UTC text, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(text: str) -> datetime:
    """The time that :func:`instant_text` wrote."""
    return datetime.fromisoformat(text)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
