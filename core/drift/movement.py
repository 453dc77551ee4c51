"""Where a column moved: bin by bin, level by level, and what each adds to the PSI; no small cell is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.drift.bins import level_counts, quantile_bins
from core.drift.present import RARE
from core.drift.profile import Profile
from core.drift.statistics.psi import contributions
from core.privacy import is_small, shown_cells

_MOST = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A bin or level: the share of rows before and now (None where it would tell a small count).

    ``contribution`` is what it adds to the PSI; None where a share is hidden.
    """

    name: str
    reference: float | None
    current: float | None
    contribution: float | None


def moved_parts(reference: Profile, current: Profile) -> tuple[Part, ...]:
    """The parts of a column that moved most, at most twelve; missing values are a part of their own."""
    if min(reference.present, current.present) == 0:
        return ()
    if reference.values is not None and current.values is not None:
        bins = quantile_bins(reference.finite)
        names = _bin_names(bins.cuts, bins.after)
        p, q = bins.counts(reference.values), bins.counts(current.values)
    elif reference.levels is not None and current.levels is not None:
        levels, p, q = level_counts((reference.levels, reference.counts), (current.levels, current.counts))
        names, p, q = _without_rare(levels.tolist(), p, q)
    else:
        return ()
    if reference.missing + current.missing:
        names, p, q = [*names, "missing"], np.append(p, reference.missing), np.append(q, current.missing)
    used = (p + q) > 0
    names = [name for name, kept in zip(names, used, strict=True) if kept]
    p, q = p[used], q[used]
    adds, before, now = contributions(p, q), _shown(p), _shown(q)
    order = np.argsort(-np.abs(adds), kind="stable")[:_MOST]
    return tuple(
        Part(names[i], before[i], now[i], None if None in (before[i], now[i]) else float(adds[i]))
        for i in order
    )


def _shown(counts: np.ndarray) -> list[float | None]:
    """Shares of the whole; None for small counts, and for as many others as would give one away."""
    whole = int(counts.sum())
    return [None if isinstance(cell, str) else cell / whole for cell in shown_cells(counts.tolist())]


def _bin_names(cuts: np.ndarray, after: np.ndarray) -> list[str]:
    """Bins in words; the cuts are rounded, since an exact quantile is some person's value."""
    shown = [f"{cut:.3g}" for cut in cuts]
    names = []
    for place in range(len(cuts) + 1):
        low = shown[place - 1] if place else None
        high = shown[place] if place < len(cuts) else None
        if low is None:
            names.append("all" if high is None else f"up to {high}")
        elif high is None:
            names.append(f"over {low}")
        elif low == high or (not after[place - 1] and after[place]):
            names.append(f"about {high}")
        else:
            names.append(f"{low} to {high}")
    return names


def _without_rare(
    levels: list[str], p: np.ndarray, q: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Levels held by few people on a side, joined under one name."""
    rare = np.array([is_small(int(a)) or is_small(int(b)) for a, b in zip(p, q, strict=True)], dtype=bool)
    if not rare.any():
        return levels, p, q
    kept = [name for name, few in zip(levels, rare, strict=True) if not few]
    return [*kept, RARE], np.append(p[~rare], p[rare].sum()), np.append(q[~rare], q[rare].sum())
