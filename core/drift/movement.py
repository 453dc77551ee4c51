"""Where a column moved: bin by bin, level by level, and what each adds to the PSI; no small cell is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.drift.profile import Profile
from core.drift.shape import NumericShape, shape_of
from core.drift.statistics.psi import contributions
from core.privacy import is_small

_MOST = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A bin or level: the share of rows before and now (None where it would tell a small count).

    ``contribution`` is what it adds to the PSI over these parts; None where a share is hidden.
    """

    name: str
    reference: float | None
    current: float | None
    contribution: float | None


def moved_parts(reference: Profile, current: Profile) -> tuple[Part, ...]:
    """The parts of a column that moved most, at most twelve, of those who have a value; then those who have none.

    They are whole bins and levels of its picture (:mod:`core.drift.shape`): other ones would, laid over the picture's,
    give away the few people in between.
    """
    shape = shape_of(reference, current)
    if shape is None:
        return ()
    if isinstance(shape, NumericShape):
        cuts = cuts_of(shape)
        names = _bin_names(cuts, shape.reference.width)
        before, now = (
            np.diff(np.concatenate([[0.0], side.up_to(cuts), side.cumulative[-1:]]))
            for side in (shape.reference, shape.current)
        )
    else:
        names, before, now = list(shape.levels), np.array(shape.reference), np.array(shape.current)
    adds = contributions(before, now)
    parts = [
        Part(names[place], float(before[place]), float(now[place]), float(adds[place]))
        for place in np.argsort(-np.abs(adds), kind="stable")[:_MOST]
        if before[place] + now[place] > 0
    ]
    return (*parts, *_missing(reference, current))


def cuts_of(shape: NumericShape) -> np.ndarray:
    """Of the edges that both sides have, those next to the reference's deciles."""
    edges = shape.shared_edges
    if not len(edges):
        return edges
    reached = shape.reference.up_to(edges)
    return edges[np.unique([np.abs(reached - decile / 10).argmin() for decile in range(1, 10)])]


def _missing(reference: Profile, current: Profile) -> tuple[Part, ...]:
    if not reference.missing + current.missing:
        return ()
    before, now = (np.array([side.present, side.missing]) for side in (reference, current))
    shares = [
        None if is_small(int(missing)) or is_small(int(present)) else float(missing / (missing + present))
        for present, missing in (before, now)
    ]
    adds = None if None in shares else float(contributions(before, now)[1])
    return (Part("missing", shares[0], shares[1], adds),)


def _bin_names(cuts: np.ndarray, width: float) -> list[str]:
    """Bins in words, with as many digits as tell cuts ``width`` apart."""
    digits = max(0, 1 - math.floor(math.log10(width)))
    shown = [f"{cut:,.{digits}f}" for cut in cuts]
    if not shown:
        return ["all"]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"over {shown[-1]}"]
