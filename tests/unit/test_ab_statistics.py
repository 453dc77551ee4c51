"""A/B statistics against simulations and known values: few false alarms while peeking, power when it matters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deploy.ab_statistics import (
    SRM_ALPHA,
    always_valid,
    fixed_horizon,
    sample_ratio_p,
    size_for,
)

TAU, ALPHA = 0.03, 0.05


def arms(rng: np.random.Generator, size: int, base: float, effect: float) -> tuple:
    live = (rng.random(size) < base).astype(float)
    candidate = (rng.random(size) < base + effect).astype(float)
    order = rng.permutation(np.repeat([False, True], size))
    return live, candidate, order


def test_no_difference_is_rarely_called_one_though_looked_at_after_every_outcome() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(
        always_valid(*arms(rng, 2500, 0.1, 0), tau=TAU, alpha=ALPHA).p_value <= ALPHA for _ in range(250)
    )
    assert alarms / 250 <= ALPHA
    # Peeking at a fixed-horizon test is what it protects from: with 50 looks that cries wolf far too often.
    peeked = 0
    for _ in range(100):
        live, candidate, _order = arms(rng, 2500, 0.1, 0)
        looks = (fixed_horizon(live, candidate, size=n, alpha=ALPHA) for n in range(50, 2501, 50))
        peeked += any(look.p_value <= ALPHA for look in looks)
    assert peeked / 100 > 0.15


def test_three_points_are_found_with_power() -> None:
    rng = np.random.default_rng(2)
    found = [always_valid(*arms(rng, 5000, 0.1, 0.03), tau=TAU, alpha=ALPHA) for _ in range(200)]
    assert np.mean([item.p_value <= ALPHA for item in found]) > 0.9
    assert np.mean([item.low <= 0.03 <= item.high for item in found]) >= 0.95


def test_a_fixed_horizon_says_nothing_before_its_size() -> None:
    rng = np.random.default_rng(3)
    live, candidate, _ = arms(rng, 999, 0.1, 0.2)
    assert fixed_horizon(live, candidate, size=1000, alpha=ALPHA) is None
    assert fixed_horizon(live, candidate, size=999, alpha=ALPHA).p_value < 0.001


def test_a_fixed_horizon_keeps_its_error_rate() -> None:
    rng = np.random.default_rng(4)
    alarms = [
        fixed_horizon(*arms(rng, 1000, 0.3, 0)[:2], size=1000, alpha=ALPHA).p_value <= ALPHA
        for _ in range(600)
    ]
    assert 0.03 < np.mean(alarms) < 0.075


def test_known_values() -> None:
    # 9,100 against 900 where 90 to 10 was planned: chi-square 11.11, p = 0.00086.
    assert sample_ratio_p((9100, 900), (9, 1)) == pytest.approx(0.00086, abs=1e-5)
    assert sample_ratio_p((9100, 900), (9, 1)) < SRM_ALPHA < sample_ratio_p((9050, 950), (9, 1))
    assert sample_ratio_p((0, 0), (9, 1)) == 1.0
    # Fleiss, Levin, Paik: 10 % against 13 %, 80 % power, two-sided 5 %: about 1,770 an arm.
    assert size_for(0.10, 0.03) == pytest.approx(1772, abs=5)
    # One look, by the formula: n = 100 an arm, means 0.2 and 0.5, smoothed variances.
    live, candidate = np.repeat([1.0, 0.0], [20, 80]), np.repeat([1.0, 0.0], [50, 50])
    order = np.repeat([False, True], 100)
    v = sum((s + 1) / 102 * (1 - (s + 1) / 102) / 100 for s in (20, 50))
    inverse = np.sqrt((v + TAU**2) / v) * np.exp(-(TAU**2) * 0.09 / (2 * v * (v + TAU**2)))
    rng = np.random.default_rng(0)
    rng.shuffle(live), rng.shuffle(candidate)
    found = always_valid(live, candidate, order, tau=TAU, alpha=ALPHA)
    assert found.p_value <= inverse + 1e-12 and found.estimate == pytest.approx(0.3)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="order must hold"):
        always_valid(np.ones(3), np.ones(3), np.array([True, False]), tau=TAU, alpha=ALPHA)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=300))
def test_more_outcomes_never_raise_the_p_value_and_swapped_arms_mirror(
    pairs: list[tuple[bool, float]],
) -> None:
    order = np.array([mine for mine, _ in pairs])
    values = np.array([value for _, value in pairs])
    whole = always_valid(values[~order], values[order], order, tau=TAU, alpha=ALPHA)
    half = len(order) // 2
    part = order[:half]
    before = (
        always_valid(values[:half][~part], values[:half][part], part, tau=TAU, alpha=ALPHA) if half else None
    )
    assert 0 <= whole.p_value <= (before.p_value if before else 1.0)
    mirror = always_valid(values[order], values[~order], ~order, tau=TAU, alpha=ALPHA)
    assert mirror.p_value == pytest.approx(whole.p_value)
    if np.isfinite(whole.low):
        assert whole.low <= whole.estimate <= whole.high
        assert mirror.estimate == pytest.approx(-whole.estimate)
