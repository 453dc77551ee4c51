"""Times and durations as people write them in a filter."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)(\s+ago)?", re.IGNORECASE)


def time_of(value: float | str, now: datetime) -> float:
    """Unix milliseconds of a time literal: ms, '2026-11-01[T08:00]' (UTC), or '7d ago'; raises ValueError."""
    if not isinstance(value, str):
        return value
    if match := _QUANTITY.fullmatch(value.strip()):
        return now.timestamp() * 1000 - float(match[1]) * _UNITS_S[match[2].lower()] * 1000
    moment = datetime.fromisoformat(value.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def seconds_of(value: float | str) -> float:
    """Seconds of a duration literal: a number, or '5m', '2h'; raises ValueError."""
    if not isinstance(value, str):
        return value
    match = _QUANTITY.fullmatch(value.strip())
    if not match or match[3]:
        raise ValueError(value)
    return float(match[1]) * _UNITS_S[match[2].lower()]
