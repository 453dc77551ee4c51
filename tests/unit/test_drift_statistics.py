"""The statistics against SciPy, published constants and closed forms."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from core.drift.sources import open_source
from core.drift.statistics import adjust, chi_square, hellinger, jensen_shannon, ks, proportions, wasserstein
from core.drift.statistics import psi as psi_file
from core.drift.statistics import total_variation as tv
from core.drift.statistics.mmd import mmd
from core.drift.thresholds import Direction, Threshold
from core.errors import BadSettings

VALUES = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(allow_nan=True, allow_infinity=True, width=64),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, 5e-324]),
)
SAMPLE = st.lists(VALUES, min_size=1, max_size=40)
COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(SAMPLE, SAMPLE)
def test_ks_is_scipys_for_every_pair_with_ties_nan_and_infinities(left, right):
    a, b = np.array(left), np.array(right)
    ours = ks.ks(a, b)
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if min(len(a), len(b)) == 0:
        assert math.isnan(ours.statistic)
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        theirs = stats.ks_2samp(a, b)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-15)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-15)
    if ours.pvalue > ks.NEGLIGIBLE:
        assert ours.method == ("asymptotic" if said else "exact")


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(65, 900), st.integers(65, 900), st.sampled_from([0, 1, 2]))
def test_looking_at_every_64th_value_first_loses_nothing(seed, n, m, digits):
    """D and the Wasserstein distance of hundreds of values, many of them tied, are SciPy's."""
    rng = np.random.default_rng(seed)
    shift, zeros = rng.choice([0, 0.05, 1]), rng.random(2)
    a, b = (
        np.sort(np.where(rng.random(rows) < share, 0.0, rng.normal(by, 1, rows).round(digits)))
        for rows, share, by in ((n, zeros[0], 0), (m, zeros[1], shift))
    )
    assert ks.distance(a, b) == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12)
    assert wasserstein.distance(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20_000, 300), (300, 20_000), (15_000, 15_000), (200_000, 50_000)])
@pytest.mark.parametrize("shift", [0.0, 0.02, 0.2])
def test_ks_of_large_samples_is_scipys_asymptotic(n, m, shift):
    rng = np.random.default_rng(n + m)
    a, b = rng.normal(size=n).round(2), rng.normal(shift, 1, m).round(2)
    ours, theirs = ks.ks(a, b), stats.ks_2samp(a, b)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-15)
    assert ours.pvalue == pytest.approx(theirs.pvalue, abs=4e-6)
    assert ours.method == "asymptotic"


def _published(corpus):
    return json.loads((corpus / "drift" / "published.json").read_text())["items"]


def test_published_ks_values(corpus):
    checked = 0
    for item in _published(corpus):
        name, given_, wanted = item["name"], item["input"], item["expected"]
        if name == "ks 100v110 +20.1":
            pair = (np.linspace(1, 100, 100), np.linspace(1, 100, 110) + 20 + 0.1)
        elif name.startswith("ks complete"):
            pair = (np.arange(given_[0]), np.arange(given_[1]) + 100)
        elif name.startswith("ks "):
            pair = (np.array(given_[0]), np.array(given_[1]))
        else:
            continue
        result = ks.ks(*pair)
        assert (result.statistic, result.pvalue) == pytest.approx(tuple(wanted), abs=item["tol"]), name
        checked += 1
    assert checked >= 7


def test_published_values_of_the_other_statistics(corpus):
    items = {(item["name"], str(item["input"])): item for item in _published(corpus)}
    for (name, _), item in items.items():
        given_, wanted, tol = item["input"], item["expected"], item["tol"]
        if name == "jensenshannon":
            found = jensen_shannon.jensen_shannon(np.array(given_[0]), np.array(given_[1]), base=math.e)
        elif name == "wasserstein" and len(given_) == 2:
            found = wasserstein.distance(*(np.sort(np.array(side, float)) for side in given_))
        elif name.startswith("BH"):
            found = int((adjust.bonferroni(np.array(given_)) < 0.05).sum())
            assert int((adjust.benjamini_hochberg(np.array(given_)) < 0.05).sum()) == 4
        elif name == "L-inf new category":
            levels = sorted(set(given_[1]))
            counts = [np.array([side.count(level) for level in levels]) for side in given_]
            found = round(tv.l_infinity(*counts), 2)
        else:
            continue
        assert found == pytest.approx(wanted, abs=tol), name


@pytest.mark.parametrize("shift", [0.1, 0.5])
def test_ks_of_a_normal_shift_nears_the_closed_form(shift):
    grid = (np.arange(200_000) + 0.5) / 200_000
    a = stats.norm.ppf(grid)
    assert ks.distance(a, a + shift) == pytest.approx(2 * stats.norm.cdf(shift / 2) - 1, abs=1e-5)


def test_wasserstein_of_two_normals_nears_the_closed_form():
    quantiles = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert wasserstein.distance(quantiles, quantiles * 10) == pytest.approx(
        9 * math.sqrt(2 / math.pi), abs=2e-3
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
)
def test_wasserstein_is_scipys(left, right):
    a, b = np.sort(left), np.sort(right)
    assert wasserstein.distance(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-9, abs=1e-6)


def test_wasserstein_still_sees_a_shift_behind_one_outlier():
    rng = np.random.default_rng(3)
    a, b = np.sort(rng.normal(size=20_000)), np.sort(rng.normal(0.5, 1, 20_000))
    clean = wasserstein.normed(a, b)
    assert clean == pytest.approx(stats.wasserstein_distance(a, b) / np.std(a))
    assert wasserstein.normed(np.append(a[:-1], 1e9), b) == pytest.approx(clean, rel=0.05)


@settings(max_examples=150, deadline=None)
@given(COUNTS)
def test_chi_square_is_scipys_homogeneity_without_yates(pairs):
    a, b = np.array(pairs).T
    ours = chi_square.chi_square(a, b)
    used = (a + b) > 0
    pooled = chi_square.pool_rare(a[used], b[used])
    if len(pooled[0]) < 2 or min(a.sum(), b.sum()) == 0:
        assert ours.pvalue == 1
        return
    theirs = stats.chi2_contingency(np.vstack(pooled), correction=False)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-300)


@settings(max_examples=150, deadline=None)
@given(COUNTS)
def test_pooling_leaves_no_small_expectation_and_loses_no_row(pairs):
    a, b = np.array(pairs).T
    left, right = chi_square.pool_rare(a, b)
    assert (left.sum(), right.sum()) == (a.sum(), b.sum())
    if len(left) > 1 and (a + b).sum():
        smaller = min(a.sum(), b.sum()) / (a + b).sum()
        assert ((left + right) * smaller).min() >= chi_square.MIN_EXPECTED


@settings(max_examples=100, deadline=None)
@given(COUNTS)
def test_distances_are_symmetric_bounded_and_zero_for_the_same(pairs):
    a, b = np.array(pairs, dtype=float).T
    for measure in (
        jensen_shannon.jensen_shannon,
        hellinger.hellinger,
        tv.total_variation,
        tv.l_infinity,
    ):
        if min(a.sum(), b.sum()) == 0:
            assert math.isnan(measure(a, b))
            continue
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert 0 <= measure(a, b) <= 1
        assert measure(a, a) == pytest.approx(0, abs=1e-7)
    if min(a.sum(), b.sum()):
        assert jensen_shannon.jensen_shannon(a, b) == pytest.approx(
            jensenshannon(a / a.sum(), b / b.sum(), 2), abs=1e-7
        )


def test_psi_stays_under_its_noise_floor_in_19_of_20_undrifted_samples():
    rng = np.random.default_rng(5)
    over = [
        psi_file.psi(rng.multinomial(500, [0.1] * 10), rng.multinomial(500, [0.1] * 10))
        > psi_file.noise_floor(10, 500, 500)
        for _ in range(2000)
    ]
    assert np.mean(over) == pytest.approx(0.05, abs=0.02)


def test_two_proportions_is_the_uncorrected_chi_square():
    ours = proportions.two_proportions(30, 200, 55, 210)
    assert ours == pytest.approx(
        stats.chi2_contingency([[30, 170], [55, 155]], correction=False).pvalue, rel=1e-9
    )


def test_wilson_is_scipys():
    theirs = stats.binomtest(17, 40).proportion_ci(method="wilson")
    assert proportions.wilson(17, 40) == pytest.approx((theirs.low, theirs.high))
    assert proportions.wilson(0, 0) == (0, 1)


def test_adjusted_pvalues_are_scipys():
    p = np.random.default_rng(1).random(30)
    assert adjust.benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    assert adjust.benjamini_hochberg(np.array([])).size == 0


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, math.inf, "much"])
def test_a_threshold_refuses_what_it_cannot_mean(value):
    with pytest.raises(BadSettings, match="ks_effect"):
        Threshold("ks_effect", value)


def test_a_threshold_knows_its_direction():
    assert Threshold("effect", 0.1).crossed_by(0.1)
    assert not Threshold("effect", 0.1).crossed_by(math.nan)
    assert not Threshold("effect", 0.1).crossed_by(None)
    assert Threshold("alpha", 0.05, Direction.BELOW).crossed_by(0.01)
    assert not Threshold("alpha", 0.05, Direction.BELOW).crossed_by(0.05)


@pytest.mark.filterwarnings("error")
def test_mmd_sees_a_moved_column_beside_numbers_near_the_largest_double():
    rng = np.random.default_rng(2)

    def side(shift: float):
        return open_source(
            pa.table({"huge": rng.choice([-1.7e308, 1.7e308], 200), "moved": rng.normal(shift, 1, 200)})
        )

    known, same, moved = side(0), side(0), side(1)
    assert mmd(known, moved, ["huge", "moved"]).pvalue < 0.01
    assert mmd(known, same, ["huge", "moved"]).pvalue > 0.05
