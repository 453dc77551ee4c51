"""Cutting a log into windows: days, weeks, or n rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from core.errors import BadInput


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Rows ``indices`` of the log; ``start`` and ``end`` are the first and the last moment that count."""

    start: datetime | None
    end: datetime | None
    indices: np.ndarray

    @property
    def name(self) -> str:
        """The window as people call it: its first day, or its first row."""
        if self.start is None:
            return f"row {int(self.indices[0]) + 1}" if len(self.indices) else "no rows"
        return self.start.strftime("%Y-%m-%d" if self.start.hour == 0 else "%Y-%m-%d %H:%M")


_DAY = 86_400
_MONDAY = 4 * _DAY  # 1970-01-05 was the first Monday


def cut(window: str, seconds: np.ndarray | None, rows: int) -> tuple[Window, ...]:
    """The windows of a log of ``rows`` rows, oldest first; empty days are left out.

    ``seconds`` are the rows' times since 1970 (NaN where unknown; such rows join no day or week).
    Raises BadInput for a window that is not day, week or a number of rows, or days without times.
    """
    if window in ("day", "week"):
        if seconds is None:
            raise BadInput(
                f"A window of a {window} needs a timestamp column.", "Name it, or use rows: --window 500."
            )
        return _calendar(seconds, _DAY if window == "day" else 7 * _DAY, 0 if window == "day" else _MONDAY)
    if not window.isdigit() or int(window) < 1:
        raise BadInput(f"'{window}' is no window.", "Use day, week or a number of rows.")
    return _by_rows(int(window), seconds, rows)


def _calendar(seconds: np.ndarray, length: int, offset: int) -> tuple[Window, ...]:
    known = np.flatnonzero(np.isfinite(seconds))
    bucket = ((seconds[known] - offset) // length).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    buckets, first = np.unique(bucket[order], return_index=True)
    parts = np.split(known[order], first[1:]) if len(buckets) else []
    return tuple(
        Window(_moment(number * length + offset), _moment((number + 1) * length + offset), rows)
        for number, rows in zip(buckets.tolist(), parts, strict=True)
    )


def _by_rows(size: int, seconds: np.ndarray | None, rows: int) -> tuple[Window, ...]:
    order = np.arange(rows) if seconds is None else np.argsort(seconds, kind="stable")
    parts = [order[at : at + size] for at in range(0, rows, size)]
    if len(parts) > 1 and len(parts[-1]) < size / 2:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return tuple(_rows_window(part, seconds) for part in parts)


def _rows_window(part: np.ndarray, seconds: np.ndarray | None) -> Window:
    times = seconds[part] if seconds is not None else np.empty(0)
    times = times[np.isfinite(times)]
    if not len(times):
        return Window(None, None, part)
    return Window(_moment(float(times.min())), _moment(float(times.max())), part)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
