"""Scalars of YAML 1.2's core schema, exactly as ruamel.yaml's safe loader (and so DVC) resolves them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = {"", "~", "null", "Null", "NULL"}
_INT = re.compile(r"[-+]?0b[01_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+")
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?)?"
)
_SPECIAL = frozenset("-+0123456789.tTfFnN~")
_TAG = "tag:yaml.org,2002:"


def plain(text: str) -> Any:
    """The value of an unquoted scalar; raises ValueError for a malformed number or date."""
    if text in _NULL:
        return None
    if text[0] not in _SPECIAL:
        return text
    if text in _BOOL:
        return _BOOL[text]
    if _FLOAT.fullmatch(text):
        return _number(text)
    if _INT.fullmatch(text):
        return _integer(text)
    match = _TIMESTAMP.fullmatch(text)
    return _timestamp(text, match) if match else text


def tagged(tag: str, text: str) -> Any:
    """The value of a scalar with an explicit tag; raises ValueError for what DVC's reader refuses."""
    short = tag.removeprefix(_TAG)
    if short in ("!", "str"):
        return text
    if short == "int":
        return _integer(text)
    if short == "float":
        return _number(text)
    if short == "bool" and text in _BOOL:
        return _BOOL[text]
    if short == "null":
        return None
    raise ValueError(f"the tag '{tag}' is not supported")


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    body = digits.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(body[:2], 10)
    value = int(body[2:] if base != 10 else body, base)
    return -value if digits.startswith("-") else value


def _number(text: str) -> float:
    body = text.replace("_", "").lower()
    return float(body.replace(".inf", "inf").replace(".nan", "nan"))


def _timestamp(text: str, match: re.Match[str]) -> date | datetime | str:
    year, month, day, hour, minute, second, fraction, zone, sign, zone_hour, zone_minute = match.groups()
    if hour is None:
        # A bare date must be written with two digits each; `2024-1-5` stays a string.
        return date(int(year), int(month), int(day)) if len(text) == 10 else text
    micro = int((fraction or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(zone_hour or 0), minutes=int(zone_minute or 0))
    tz = None if zone is None else UTC if sign is None else timezone(-offset if sign == "-" else offset)
    return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micro, tz)
