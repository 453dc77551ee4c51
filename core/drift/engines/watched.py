"""A watched model whose reference and prediction log are tables of an engine: a window compared, and kept for the page.

The engine is asked by ``monitor`` alone. The page shows what was kept, beside when that was.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import narwhals as nw

from core.drift import kept
from core.drift.check import check
from core.drift.engines.failures import TooMany
from core.drift.engines.open import open_table
from core.drift.engines.table import EngineTable
from core.drift.kept import Kept
from core.drift.kinds import Family
from core.drift.policy import Policy
from core.drift.trend import TrendWindow
from core.errors import BadInput, BadSettings

if TYPE_CHECKING:
    from core.settings import MonitorSection
    from core.workspace import Workspace

_DAYS = {"day": 1, "week": 7}
_MOST_KEPT = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What the engine was asked so far: the windows by name, ascending, and when it was asked last."""

    asked_at: datetime
    windows: tuple[TrendWindow, ...]


def kept_look(ws: Workspace, section: MonitorSection, window: str) -> Look | None:
    """What ``monitor`` kept for this section as it is now; None while it has not run."""
    return _reports(ws).read(Look, _key(section, window))


def look(
    ws: Workspace, section: MonitorSection, policy: Policy, window: str, now: datetime, at: str | None
) -> tuple[str, Look]:
    """Compare a window (the last with enough rows, unless ``at`` names one) in the engine, and keep the report."""
    log = _table(section, "predictions")
    sizes = _windows(log, section.timestamp, window)
    name = _chosen(sizes, policy.min_rows, at)
    current = _between(log, section.timestamp, date.fromisoformat(name), _DAYS[window])
    report = check(_reference(section, log, window), current, policy, now=now)
    known = kept_look(ws, section, window)
    others = [part for part in known.windows if part.name != name] if known else []
    ordered = sorted([*others, TrendWindow(name, sizes[name], report)], key=lambda part: part.name)
    found = Look(now, tuple(ordered[-_MOST_KEPT:]))
    _reports(ws).write(_key(section, window), found)
    return name, found


def _reports(ws: Workspace) -> Kept:
    return Kept(ws.root / ".modeldesk" / "reports")


def _key(section: MonitorSection, window: str) -> str:
    return kept.key("engine", section.model_dump_json(exclude={"connect"}), window)


def _table(section: MonitorSection, field: str) -> EngineTable:
    # A path keeps one slash of a URI's two.
    name = re.sub(r"^(\w+):/(?=[^/])", r"\1://", str(getattr(section, field)))
    return open_table(section.engine, name, _connection(section))


def _connection(section: MonitorSection) -> str | None:
    if section.connect_variable is None:
        return section.connect
    url = os.environ.get(section.connect_variable)
    if not url:
        raise BadSettings(
            f"The environment variable {section.connect_variable} is not set.",
            f"Set it to the database's URL; the monitor of {section.model} reads it.",
        )
    return url


def _reference(section: MonitorSection, log: EngineTable, window: str) -> EngineTable:
    """The reference's table, or the log's stretch that ``window:FIRST..LAST`` names."""
    scheme, _, span = str(section.reference).partition(":")
    if scheme != "window":
        return _table(section, "reference")
    first, _, last = span.partition("..")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise BadSettings(
            f"'{section.reference}' names no days.", "Write window:2026-01-01..2026-01-07."
        ) from error
    return _between(log, section.timestamp, start, (end - start).days + _DAYS[window])


def _windows(log: EngineTable, timestamp: str, window: str) -> dict[str, int]:
    """Rows per day or week (which begins on Monday) by the name of its first day, ascending."""
    if window not in _DAYS:
        raise BadInput(f"An engine's log is cut by day or week, not '{window}'.", "Use --window day or week.")
    if timestamp not in log.names or log.family_of(timestamp) is not Family.TIME:
        raise BadInput(
            f"The log has no column of times called '{timestamp}'.", 'Name it: timestamp = "COLUMN".'
        )
    day = nw.col(timestamp).cast(nw.Datetime("us")).dt.truncate("1d")
    days = log.frame.filter(~nw.col(timestamp).is_null()).select(first_day=day)
    try:
        found = log.fetch(days.group_by("first_day").agg(nw.len().cast(nw.Int64).alias("rows")))
    except TooMany as error:
        raise BadInput("The log holds too many days.", "Name a view of the last months instead.") from error
    if not found.num_rows:
        raise BadInput("The prediction log holds no row with a time.", "Check the timestamp column.")
    sizes: Counter[str] = Counter()
    for row in found.sort_by("first_day").to_pylist():
        first = row["first_day"].date()
        monday = first - timedelta(days=first.weekday())
        sizes[(first if window == "day" else monday).isoformat()] += row["rows"]
    return dict(sizes)


def _chosen(sizes: dict[str, int], min_rows: int, at: str | None) -> str:
    if at in sizes:
        return at
    return ([name for name, rows in sizes.items() if rows >= min_rows] or list(sizes))[-1]


def _between(log: EngineTable, timestamp: str, first: date, days: int) -> EngineTable:
    kind = log.type_of(timestamp)
    start = first if kind == nw.Date else datetime(first.year, first.month, first.day)  # noqa: DTZ001 - as the column
    if getattr(kind, "time_zone", None):
        start = start.replace(tzinfo=UTC)
    column = nw.col(timestamp)
    return log.filtered((column >= start) & (column < start + timedelta(days=days)))
