"""Statistics and quality facts of one column from two profiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from core.drift.bins import level_counts, quantile_bins, rare_levels, small_cells
from core.drift.kinds import FEW_VALUES
from core.drift.profile import Profile
from core.drift.statistics.chi_square import chi_square, pool_rare
from core.drift.statistics.hellinger import hellinger
from core.drift.statistics.jensen_shannon import jensen_shannon
from core.drift.statistics.ks import test as ks_test
from core.drift.statistics.proportions import so_many_new, two_proportions
from core.drift.statistics.psi import noise_floor, psi
from core.drift.statistics.total_variation import l_infinity, total_variation
from core.drift.statistics.wasserstein import normed
from core.drift.types import ColumnKind, Level, Quality, Statistics, TestResult, Told
from core.privacy import SMALLEST

_SOLVABLE = 12
"""A sum over more cells than this can be made up by so many counts that it tells none of them."""
SMALL_CELL = SMALLEST - 1
"""Counts of 1 to 10 people are never shown; extremes are shown only as the value that 10 others reach."""


def statistics(reference: Profile, current: Profile) -> Statistics:
    """Every statistic that the columns' kind allows; an empty record when there is nothing to compare."""
    if min(reference.present, current.present) == 0 or reference.kind is ColumnKind.DATETIME:
        return Statistics()
    if reference.values is not None and current.values is not None:
        return _ordered(reference, current)
    if reference.levels is not None and current.levels is not None:
        return _by_level(reference, current)
    return Statistics()


def _ordered(reference: Profile, current: Profile) -> Statistics:
    finite = reference.finite, current.finite
    bins = quantile_bins(finite[0])
    return ordered_statistics(
        ks_test(reference.values, current.values),
        (bins.counts(reference.values), bins.counts(current.values)),
        _few_values(reference.values, current.values),
        (reference.missing, current.missing),
        normed(*finite, reference.sums),
    )


Pair = tuple[np.ndarray, np.ndarray]


def ordered_statistics(
    ks: TestResult, parts: Pair, few: Pair | None, missing: tuple[int, int], wasserstein: float | None
) -> Statistics:
    """The statistics of numbers from the rows per quantile bin and, where values are few, per value."""
    joined = _joined(*few) if few else None
    if joined:  # bins of the few values themselves would tell how many rows hold each
        parts, wasserstein = joined, None
    index, floor = _psi(*_with_missing(*parts, *missing), joined)
    exact = _exact(*few) if few else None
    return Statistics(
        told=_told(*few, joined, exact) if joined else None,
        ks=ks,
        chi2=exact[0] if exact else None,
        psi=index,
        psi_noise_floor=floor,
        jensen_shannon=_unless_one(jensen_shannon, parts),
        hellinger=_unless_one(hellinger, parts),
        wasserstein_normed=wasserstein,
        total_variation=exact[1] if exact else None,
        l_infinity=_unless_one(l_infinity, joined or few) if few else None,
    )


def are_few(reference: int, current: int) -> bool:
    """Whether so many different values are tested one by one (2 to 10 in the reference, at most 20 in current)."""
    return 2 <= reference <= FEW_VALUES and current <= 2 * FEW_VALUES


def _few_values(reference: np.ndarray, current: np.ndarray) -> Pair | None:
    """Rows per value when both hold few different ones."""
    if not are_few(*(1 + int(np.count_nonzero(side[1:] != side[:-1])) for side in (reference, current))):
        return None
    values = np.union1d(reference, current)
    return tuple(
        np.searchsorted(side, values, "right") - np.searchsorted(side, values, "left")
        for side in (reference, current)
    )


def _by_level(reference: Profile, current: Profile) -> Statistics:
    _, p, q = level_counts((reference.levels, reference.counts), (current.levels, current.counts))
    joined = _joined(p, q)
    shown, exact = joined or (p, q), _exact(p, q)
    index, floor = _psi(*_with_missing(*shown, reference.missing, current.missing), joined)
    return Statistics(
        novelty=so_many_new(p, q),
        told=_told(p, q, joined, exact) if joined else None,
        chi2=exact[0],
        psi=index,
        psi_noise_floor=floor,
        jensen_shannon=_unless_one(jensen_shannon, shown),
        hellinger=_unless_one(hellinger, shown),
        total_variation=exact[1],
        l_infinity=_unless_one(l_infinity, shown),
    )


def _joined(p: np.ndarray, q: np.ndarray) -> Pair | None:
    """The rows by level with the rare levels as one; None where no level is rare."""
    if not (small_cells(p) | small_cells(q)).any():
        return None
    order = np.argsort(-(p + q), kind="stable")
    p, q = p[order], q[order]
    rare = rare_levels(p, q)
    return np.append(p[~rare], p[rare].sum()), np.append(q[~rare], q[rare].sum())


def _unless_one(distance: Callable[[np.ndarray, np.ndarray], float], pair: Pair) -> float | None:
    """The distance; None where all levels are one."""
    return distance(*pair) if len(pair[0]) > 1 else None


def _exact(p: np.ndarray, q: np.ndarray) -> tuple[TestResult, float]:
    """Test and effect that a verdict by level rests on."""
    return chi_square(p, q), total_variation(p, q)


def _told(p: np.ndarray, q: np.ndarray, joined: Pair, exact: tuple[TestResult, float]) -> Told:
    # The test pools levels by what is expected of them; it may be told where what it then compares holds no few rows.
    tested = pool_rare(p, q)
    few = len(tested[0]) <= _SOLVABLE and any(small_cells(side).any() for side in tested)
    effect = coarse(exact[1], min(p.sum(), q.sum()))
    return Told(None if few else exact[0], _unless_one(total_variation, joined), effect)


def coarse(effect: float, rows: int) -> float:
    """The effect (0 to 1), so coarse that no count of 1 to 10 of so many rows follows from it."""
    step = max(0.05, SMALL_CELL / max(1, rows))
    return min(1.0, step * round(effect / step))


def _with_missing(p: np.ndarray, q: np.ndarray, reference: int, current: int) -> Pair:
    """With the missing rows as a bin, but where they or those who are not missing are so few that it would tell."""
    cells = np.array([reference, current, p.sum(), q.sum()])
    if reference + current == 0 or small_cells(cells).any():
        return p, q
    return np.append(p, reference), np.append(q, current)


def _psi(p: np.ndarray, q: np.ndarray, joined: Pair | None) -> tuple[float | None, float | None]:
    if joined is not None and len(p) < 2:
        return None, None
    used = int(((p + q) > 0).sum())
    return psi(p, q), noise_floor(used, int(p.sum()), int(q.sum()))


def quality(reference: Profile, current: Profile, now: datetime | None = None) -> Quality:
    """Missing values, new and vanished levels, range, infinities, constants, freshness and types."""
    new, vanished = _changed_levels(reference, current)
    below, above = _outside(reference, current)
    return Quality(
        missing_reference=reference.missing,
        missing_current=current.missing,
        missing_pvalue=two_proportions(reference.missing, reference.rows, current.missing, current.rows),
        new_levels=new,
        vanished_levels=vanished,
        below_range=below,
        above_range=above,
        infinite_reference=reference.infinite,
        infinite_current=current.infinite,
        constant_reference=_constant(reference),
        constant_current=_constant(current),
        duplicates_current=_duplicates(current),
        new_values=_new_keys(reference, current),
        newest_reference=_newest(reference),
        newest_current=_newest(current),
        in_future=_in_future(current, now),
        type_reference=reference.type,
        type_current=current.type,
        parsed=current.parsed,
        rounded=reference.rounded or current.rounded,
    )


def _changed_levels(reference: Profile, current: Profile) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    if reference.levels is None or current.levels is None or not current.present:
        return (), ()
    known, seen = set(reference.levels), set(current.levels)
    new = [Level(n, int(c)) for n, c in zip(current.levels, current.counts, strict=True) if n not in known]
    gone = [
        Level(n, int(c)) for n, c in zip(reference.levels, reference.counts, strict=True) if n not in seen
    ]
    return (
        tuple(sorted(new, key=lambda level: -level.count)),
        tuple(sorted(gone, key=lambda level: -level.count)),
    )


def _outside(reference: Profile, current: Profile) -> tuple[int, int]:
    known, seen = reference.finite, current.finite
    if not len(known) or not len(seen):
        return 0, 0
    return (
        int(np.searchsorted(seen, known[0], side="left")),
        len(seen) - int(np.searchsorted(seen, known[-1], side="right")),
    )


def _constant(profile: Profile) -> bool:
    if profile.rounded:
        return False
    if profile.values is not None:
        return len(profile.values) > 0 and bool(profile.values[0] == profile.values[-1])
    return profile.levels is not None and len(profile.levels) == 1


def _duplicates(profile: Profile) -> int | None:
    if profile.keys is None:
        return None
    return int(np.count_nonzero(profile.keys[1:] == profile.keys[:-1]))


def _new_keys(reference: Profile, current: Profile) -> int | None:
    if reference.keys is None or current.keys is None:
        return None
    return int((~np.isin(current.keys, reference.keys)).sum())


def _newest(profile: Profile) -> datetime | None:
    """The day that at least ten later rows reach too, so that it is no single person's date."""
    values = profile.values
    if profile.kind is not ColumnKind.DATETIME or values is None or len(values) <= SMALL_CELL:
        return None
    if profile.type.startswith(("time32", "time64")):
        return None  # a time of day is of no day
    at = float(values[-1 - SMALL_CELL])
    if not math.isfinite(at) or not -62135596800 <= at < 253402300800:
        return None
    return datetime.fromtimestamp(at // 86400 * 86400, UTC)


def _in_future(profile: Profile, now: datetime | None) -> int:
    if profile.kind is not ColumnKind.DATETIME or profile.values is None or now is None:
        return 0
    return len(profile.values) - int(np.searchsorted(profile.values, now.timestamp(), side="right"))
