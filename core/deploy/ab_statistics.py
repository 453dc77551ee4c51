"""The statistics of an A/B comparison: when may a difference be called real, and when may nothing be said.

Always-valid inference: the mixture sequential probability ratio test with a normal prior on the difference
(Robbins 1970; Johari, Koomen, Pekelis, Walsh: "Always Valid Inference", Operations Research 70 (2022), eq. 6 and
section 5, for two streams by the normal approximation). With d the difference of the means, v the variance of d
and tau the prior's standard deviation:

    Lambda = sqrt(v / (v + tau^2)) * exp(tau^2 d^2 / (2 v (v + tau^2)))
    p_n    = min(p_(n-1), 1 / Lambda_n)

It may be looked at after every outcome. The interval is its inversion. A fixed horizon is judged once, at the size
that was registered beforehand. Pure: arrays in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SRM_ALPHA = 0.001
"""Below this a split is called broken (Fabijan et al. 2019 use the same)."""
SMALLEST_ARM = 30
"""Outcomes per arm before the normal approximation is used at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus live: estimate, interval at level 1 - alpha, and p-value."""

    estimate: float
    low: float
    high: float
    p_value: float


def sample_ratio_p(counts: Sequence[float], expected: Sequence[float]) -> float:
    """Chi-square p-value that units were split as planned; ``expected`` sums to what ``counts`` do. 1 when empty."""
    from scipy.stats import chisquare

    total = sum(expected)
    if total <= 0 or min(expected) <= 0:
        return 1.0
    scale = sum(counts) / total
    return float(chisquare(counts, [value * scale for value in expected]).pvalue) if scale else 1.0


def always_valid(
    live: NDArray[np.float64],
    candidate: NDArray[np.float64],
    order: NDArray[np.bool_],
    *,
    tau: float,
    alpha: float,
) -> Difference:
    """The difference of means after all outcomes, with a p-value that may be read at any time.

    ``order`` tells the arrival: True where the next outcome is the candidate's. Raises ValueError when it does not
    fit the arms or ``tau`` is not positive. With fewer than 30 outcomes in an arm the p-value is 1.
    """
    if tau <= 0 or order.sum() != len(candidate) or len(order) != len(live) + len(candidate):
        raise ValueError("order must hold one place per outcome, and tau must be positive")
    counted = [_running(live, ~order), _running(candidate, order)]
    (n_live, mean_live, var_live), (n_cand, mean_cand, var_cand) = counted
    enough = (n_live >= SMALLEST_ARM) & (n_cand >= SMALLEST_ARM)
    if not enough.any():
        return Difference(_mean(candidate) - _mean(live), -math.inf, math.inf, 1.0)
    d = (mean_cand - mean_live)[enough]
    v = np.maximum((var_live / np.maximum(n_live, 1) + var_cand / np.maximum(n_cand, 1))[enough], 1e-12)
    log_lambda = 0.5 * np.log(v / (v + tau**2)) + tau**2 * d**2 / (2 * v * (v + tau**2))
    p_value = float(np.exp(-max(0.0, float(log_lambda.max()))))
    half = math.sqrt(
        v[-1] * (v[-1] + tau**2) / tau**2 * (2 * math.log(1 / alpha) + math.log((v[-1] + tau**2) / v[-1]))
    )
    return Difference(float(d[-1]), float(d[-1]) - half, float(d[-1]) + half, p_value)


def fixed_horizon(
    live: NDArray[np.float64], candidate: NDArray[np.float64], *, size: int, alpha: float
) -> Difference | None:
    """The z-test over the first ``size`` outcomes of each arm; None while an arm has fewer."""
    from scipy.stats import norm

    if min(len(live), len(candidate)) < size:
        return None
    a, b = live[:size], candidate[:size]
    d = float(b.mean() - a.mean())
    error = math.sqrt(max((a.var(ddof=1) + b.var(ddof=1)) / size, 1e-24))
    half = float(norm.ppf(1 - alpha / 2)) * error
    return Difference(d, d - half, d + half, float(2 * norm.sf(abs(d) / error)))


def size_for(base: float, effect: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Outcomes per arm to see ``effect`` on a rate of ``base`` with a two-sided test (normal approximation)."""
    from scipy.stats import norm

    other = base + effect
    spread = base * (1 - base) + other * (1 - other)
    return math.ceil((norm.ppf(1 - alpha / 2) + norm.ppf(power)) ** 2 * spread / effect**2)


def _running(
    values: NDArray[np.float64], mine: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and variance of one arm after each arrival of either arm.

    The variance has one success and one failure added, so that a run of equal outcomes is not called certain.
    """
    spread = np.zeros(len(mine))
    spread[mine] = values
    n = np.cumsum(mine).astype(float)
    total, squares = np.cumsum(spread), np.cumsum(spread**2)
    mean = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    smooth_mean = (total + 1) / (n + 2)
    variance = np.maximum((squares + 1) / (n + 2) - smooth_mean**2, 0.0)
    return n, mean, variance


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan
