"""What a chart of one column needs: shares per bin or level, and cumulative curves; no single value, no small cell."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from core.drift.bins import level_counts, rare_levels
from core.drift.cache import ProfileCache
from core.drift.check import reference_profile
from core.drift.policy import Policy
from core.drift.present import RARE, shown_level
from core.drift.profile import Profile, profile_like
from core.drift.sources import Source
from core.privacy import SMALLEST, joined_cells

_BINS = 30
_LARGEST = 1e307
"""Numbers beyond it lie in the outermost bins: their differences would overflow."""
_LEVELS = 15
_SMALL = SMALLEST - 1


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One side's shares of rows between ascending ``edges``, each of nobody or of eleven rows and more.

    The first bin holds all that is below it too, the last one all above; ``width`` is that of a bin before joining.
    """

    edges: np.ndarray
    shares: np.ndarray
    width: float

    @property
    def cumulative(self) -> np.ndarray:
        """The share of rows up to each edge."""
        return np.concatenate([[0.0], np.cumsum(self.shares)])

    def up_to(self, places: np.ndarray) -> np.ndarray:
        """The share of rows up to each place, straight between the edges."""
        return np.interp(places, self.edges, self.cumulative)


@dataclass(frozen=True, slots=True)
class NumericShape:
    """How numbers are distributed on both sides; ``gap_at`` is where the two curves are furthest apart."""

    reference: Outline
    current: Outline
    gap_at: float

    @property
    def shared_edges(self) -> np.ndarray:
        """The edges inside both outlines: between any two of them each side has nobody or eleven rows and more."""
        return np.intersect1d(self.reference.edges[1:-1], self.current.edges[1:-1])


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
    return shape_of(known, profile_like(known, current.column(column)))


def shape_of(known: Profile, seen: Profile) -> NumericShape | LevelShape | None:
    """The shape of two profiles; None when it cannot be drawn (too few rows, other kinds)."""
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
    edges = _edges(min(known[_SMALL], seen[_SMALL]), max(known[-1 - _SMALL], seen[-1 - _SMALL]))
    reference, current = _outline(known, edges), _outline(seen, edges)
    places = np.union1d(reference.edges, current.edges)
    gap = np.abs(reference.up_to(places) - current.up_to(places))
    return NumericShape(reference, current, float(places[gap.argmax()]))


def _edges(low: float, high: float) -> np.ndarray:
    """Equal bins over the middle of the values, from round numbers: an exact one would be some person's value."""
    # Where doubles are too coarse for thirty bins between, the range is widened until they are not.
    least = max(_BINS * 8 * math.ulp(max(abs(low), abs(high))), sys.float_info.min * _BINS)
    if low == high:
        least = max(1.0, least)
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    if high - low < least:
        low, high = low - least / 2, high + least / 2
    step = 10.0 ** math.floor(math.log10((high - low) / _BINS))
    return np.linspace(math.floor(low / step) * step, math.ceil(high / step) * step, _BINS + 1)


def _outline(values: np.ndarray, edges: np.ndarray) -> Outline:
    inner = np.searchsorted(values, edges[1:-1], side="right")
    counts = np.diff(np.concatenate([[0], inner, [len(values)]]))
    cells = joined_cells(counts.tolist())
    kept = [cell.start for cell in cells] + [len(counts)]
    shares = np.array([counts[cell].sum() for cell in cells]) / len(values)
    return Outline(edges[kept], shares, float(edges[1] - edges[0]))


def _levels(known: Profile, seen: Profile) -> LevelShape:
    levels, p, q = level_counts((known.levels, known.counts), (seen.levels, seen.counts))
    order = np.argsort(-(p + q), kind="stable")
    levels, p, q = levels[order], p[order], q[order]
    rare = rare_levels(p, q, np.arange(len(p)) >= _LEVELS)
    names, left, right = [shown_level(name) for name in levels[~rare]], p[~rare].tolist(), q[~rare].tolist()
    if rare.any():
        names, left, right = [*names, RARE], [*left, p[rare].sum()], [*right, q[rare].sum()]
    return LevelShape(
        tuple(names),
        tuple(float(count / p.sum()) for count in left),
        tuple(float(count / q.sum()) for count in right),
    )
