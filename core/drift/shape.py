"""What a chart of one column needs: shares per bin or level, and cumulative curves; no single value, no small cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.drift.bins import level_counts
from core.drift.cache import ProfileCache
from core.drift.check import reference_profile
from core.drift.policy import Policy
from core.drift.present import RARE
from core.drift.profile import Profile, profile_like
from core.drift.sources import Source
from core.privacy import SMALLEST, is_small

_BINS = 24
_POINTS = 81
_LEVELS = 15
_SMALL = SMALLEST - 1


@dataclass(frozen=True, slots=True, eq=False)
class NumericShape:
    """Shares per bin between ``edges`` (None where 1 to 10 rows are hidden) and curves over ``grid``.

    ``gap_at`` is the place on the grid where the two cumulative curves are furthest apart.
    """

    edges: np.ndarray
    reference: tuple[float | None, ...]
    current: tuple[float | None, ...]
    grid: np.ndarray
    reference_curve: np.ndarray
    current_curve: np.ndarray
    gap_at: int


@dataclass(frozen=True, slots=True)
class LevelShape:
    """Shares per level; levels held by ten rows or fewer on a side are joined in '<rare level>'."""

    levels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


def column_shape(
    reference: Source, current: Source, column: str, policy: Policy, cache: ProfileCache | None = None
) -> NumericShape | LevelShape | None:
    """The shape of a column in both tables; None when it cannot be drawn (too few rows, other kinds)."""
    if column not in reference.names or column not in current.names:
        return None
    known = reference_profile(reference, column, policy.kinds.get(column), cache)
    seen = profile_like(known, current.column(column))
    if min(known.present, seen.present) <= 2 * _SMALL or known.kind.value == "datetime":
        return None
    if known.values is not None and seen.values is not None:
        return _numeric(known.finite, seen.finite)
    if known.levels is not None and seen.levels is not None:
        return _levels(known, seen)
    return None


def _numeric(known: np.ndarray, seen: np.ndarray) -> NumericShape | None:
    if min(len(known), len(seen)) <= 2 * _SMALL:
        return None
    # The eleventh value from either end: an edge that ten others share is no single person's value.
    low = min(known[_SMALL], seen[_SMALL])
    high = max(known[-1 - _SMALL], seen[-1 - _SMALL])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges, grid = np.linspace(low, high, _BINS + 1), np.linspace(low, high, _POINTS)
    curves = [np.searchsorted(side, grid, side="right") / len(side) for side in (known, seen)]
    return NumericShape(
        edges, _shares(known, edges), _shares(seen, edges), grid, *curves,
        int(np.abs(curves[0] - curves[1]).argmax()),
    )  # fmt: skip


def _shares(values: np.ndarray, edges: np.ndarray) -> tuple[float | None, ...]:
    counts, _ = np.histogram(values, edges)
    return tuple(None if is_small(count) else float(count / len(values)) for count in counts)


def _levels(known: Profile, seen: Profile) -> LevelShape:
    levels, p, q = level_counts((known.levels, known.counts), (seen.levels, seen.counts))
    order = np.argsort(-(p + q), kind="stable")
    levels, p, q = levels[order], p[order], q[order]
    rare = ((p > 0) & (p <= _SMALL)) | ((q > 0) & (q <= _SMALL))
    rare[_LEVELS:] = True
    while rare.any() and not rare.all() and 0 < min(p[rare].sum(), q[rare].sum()) <= _SMALL:
        rare[np.flatnonzero(~rare)[-1]] = True  # the pool itself must not be a small cell
    names, left, right = levels[~rare].tolist(), p[~rare].tolist(), q[~rare].tolist()
    if rare.any():
        names, left, right = [*names, RARE], [*left, p[rare].sum()], [*right, q[rare].sum()]
    return LevelShape(
        tuple(names),
        tuple(float(count / p.sum()) for count in left),
        tuple(float(count / q.sum()) for count in right),
    )
