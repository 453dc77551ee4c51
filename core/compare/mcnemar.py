"""McNemar's test: two classifiers, right or wrong on the same rows.

Mid-p: Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91 (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr


@dataclass(frozen=True, slots=True)
class McNemar:
    """Exact conditional and mid-p values (two-sided); both 1 when the models never disagree."""

    exact_p: float
    mid_p: float


def mcnemar(first_only: int, second_only: int) -> McNemar:
    """The test from the rows that only the first, and only the second model got right."""
    discordant = first_only + second_only
    if not discordant:
        return McNemar(1.0, 1.0)
    smaller = min(first_only, second_only)
    up_to = float(bdtr(smaller, discordant, 0.5))
    below = float(bdtr(smaller - 1, discordant, 0.5)) if smaller else 0.0
    return McNemar(min(1.0, 2 * up_to), min(1.0, up_to + below))


def discordant(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """How many rows only the first, and only the second of two predictions has right."""
    first_right, second_right = first == label, second == label
    return int(np.sum(first_right & ~second_right)), int(np.sum(second_right & ~first_right))
