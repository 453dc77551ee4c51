"""Paired statistics against SciPy, scikit-learn, statsmodels and published values."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from core.compare import bca
from core.compare.delong import delong
from core.compare.holm import holm
from core.compare.mcnemar import mcnemar
from core.compare.paired import estimates
from core.compare.resampling import resample
from core.compare.row_scores import Mismatch, PairedScores, pair, row_metric
from core.compare.seeds import permutation_p, welch

ALL = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auroc", "brier", "log_loss")


def scores(n: int, seed: int = 0, *, strength: float = 1.0, digits: int = 6) -> PairedScores:
    """Two models on n rows; the second sees a signal ``strength`` times as strong."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    label[:2] = 0, 1
    shared = rng.normal(size=n)
    first, second = (
        np.round(1 / (1 + np.exp(-(s * (2 * label - 1) + shared + rng.normal(0, 0.5, n)))), digits)
        for s in (1.0, strength)
    )
    return PairedScores(label, (first > 0.5).astype(int), (second > 0.5).astype(int), first, second)


def by_sklearn(name: str, label: np.ndarray, prediction: np.ndarray, score: np.ndarray) -> float:
    return {
        "accuracy": lambda: sk.accuracy_score(label, prediction),
        "sensitivity": lambda: sk.recall_score(label, prediction),
        "specificity": lambda: sk.recall_score(label, prediction, pos_label=0),
        "precision": lambda: sk.precision_score(label, prediction),
        "f1": lambda: sk.f1_score(label, prediction),
        "auroc": lambda: sk.roc_auc_score(label, score),
        "brier": lambda: sk.brier_score_loss(label, score),
        "log_loss": lambda: sk.log_loss(label, score),
    }[name]()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("digits", [6, 1])
def test_values_and_leave_one_out_are_scikit_learns(name: str, digits: int) -> None:
    both = scores(60, 3, strength=1.5, digits=digits)
    sample = resample(both, [name], 50, 0)[name]
    models = [(both.first_prediction, both.first_score), (both.second_prediction, both.second_score)]
    expected = [by_sklearn(name, both.label, *model) for model in models]
    if name != "log_loss" or digits == 6:  # rounded scores reach 0 and 1, where every clip differs
        assert [sample.first, sample.second] == pytest.approx(expected)
        left = []
        for row in range(both.n):
            keep = np.arange(both.n) != row
            first, second = (by_sklearn(name, both.label[keep], p[keep], s[keep]) for p, s in models)
            left.append(second - first)
        ours = np.repeat(sample.jackknife, sample.weights.astype(int))
        assert np.sort(ours) == pytest.approx(np.sort(left))


def plain(name: str, label: np.ndarray, prediction: np.ndarray, score: np.ndarray) -> float:
    """:func:`by_sklearn` without its checks of the input, which cost SciPy's thousand resamples 99 % of the time."""
    if name == "brier":
        return np.mean((score - label) ** 2)
    if name == "f1":
        return 2 * np.sum(prediction * label) / (np.sum(prediction) + np.sum(label))
    positive, negative = score[label == 1, None], score[label == 0]
    return np.mean((positive > negative) + 0.5 * (positive == negative))


@pytest.mark.parametrize("name", ["f1", "auroc", "brier"])
def test_interval_agrees_with_scipys_bca(name: str) -> None:
    both = scores(120, 5, strength=1.6)
    second = (both.label, both.second_prediction, both.second_score)
    assert plain(name, *second) == pytest.approx(by_sklearn(name, *second))

    def difference(label, p1, p2, s1, s2, axis=-1):
        return plain(name, label, p2, s2) - plain(name, label, p1, s1)

    arrays = (both.label, both.first_prediction, both.second_prediction, both.first_score, both.second_score)
    oracle = stats.bootstrap(
        arrays, difference, paired=True, vectorized=False, n_resamples=1000, method="BCa", rng=1
    ).confidence_interval
    ours, _ = estimates(both, [name], resamples=20_000)[name]
    width = oracle.high - oracle.low
    assert ours.low == pytest.approx(oracle.low, abs=0.12 * width)
    assert ours.high == pytest.approx(oracle.high, abs=0.12 * width)


def test_bca_is_exactly_scipys_on_the_same_replicates() -> None:
    rng = np.random.default_rng(7)
    values = rng.exponential(size=40)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=4000, method="BCa", rng=2)
    jackknife = (values.sum() - values) / 39
    accel = bca.acceleration(jackknife, np.ones(40))
    low, high = bca.interval(values.mean(), oracle.bootstrap_distribution, accel, 0.95)
    assert (low, high) == pytest.approx(tuple(oracle.confidence_interval), rel=1e-3)


@given(st.integers(0, 10_000), st.floats(-1.5, 1.5))
@settings(max_examples=40, deadline=None)
def test_p_value_and_interval_say_the_same(seed: int, centre: float) -> None:
    values = np.random.default_rng(seed).exponential(size=30) - 1 + centre
    rng = np.random.default_rng(seed + 1)
    replicates = rng.choice(values, (2000, 30)).mean(axis=1)
    accel = bca.acceleration((values.sum() - values) / 29, np.ones(30))
    p_value = bca.p_value(values.mean(), replicates, accel)
    if 40 < np.sum(replicates < 0) < 1960:  # further out the quantiles rest on single replicates
        inside, outside = (
            bca.interval(values.mean(), replicates, accel, 1 - p_value * f) for f in (0.8, 1.2)
        )
        assert inside[0] <= 0 <= inside[1]
        assert not outside[0] < -1e-2 or not outside[1] > 1e-2


def test_coverage_of_the_interval() -> None:
    """200 test sets from one distribution: the 95 % interval holds the true difference in 90 to 99 %."""
    truth, _ = estimates(scores(200_000, 99, strength=1.3), ["accuracy"], resamples=10)["accuracy"]
    hits = 0
    for seed in range(200):
        estimate, _ = estimates(scores(300, seed, strength=1.3), ["accuracy"], resamples=500)["accuracy"]
        hits += estimate.low <= truth.difference <= estimate.high
    assert 180 <= hits <= 198


def test_same_seed_same_interval_and_identical_models_no_difference() -> None:
    both = scores(500, 1, strength=1.2)
    assert [e for e, _ in estimates(both, ALL).values()] == [e for e, _ in estimates(both, ALL).values()]
    twin = PairedScores(
        both.label, both.first_prediction, both.first_prediction, both.first_score, both.first_score
    )
    for estimate, _ in estimates(twin, ALL).values():
        assert (estimate.difference, estimate.low, estimate.high, estimate.p_value) == (0, 0, 0, 1)


def test_ten_thousand_rows_within_a_few_seconds_of_cpu() -> None:
    both = scores(10_000, 4, strength=1.1)
    started = time.process_time()
    assert set(estimates(both, ALL)) == set(ALL)
    assert time.process_time() - started < 5


def test_delong_against_hanley_and_mcneils_ct_ratings() -> None:
    """Hanley and McNeil (1982); Stata's roctab prints area 0.8932, s.e. 0.0307, CI 0.83295 to 0.95339."""
    rating = np.repeat([1, 2, 3, 4, 5] * 2, [33, 6, 6, 11, 2, 3, 2, 2, 11, 33]).astype(float)
    label = np.repeat([0, 1], [58, 51])
    result = delong(label, rating, rating)
    error = result.covariance[0, 0] ** 0.5
    assert result.areas[0] == pytest.approx(0.8932, abs=5e-5)
    assert error == pytest.approx(0.0307, abs=5e-5)
    assert result.areas[0] - 1.959964 * error == pytest.approx(0.83295, abs=1e-5)
    assert result.p_value == 1.0


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_delong_is_its_definition_over_all_pairs(seed: int, digits: int) -> None:
    both = scores(40, seed, strength=1.5, digits=digits)
    positive, negative = both.label == 1, both.label == 0
    if min(positive.sum(), negative.sum()) < 2:
        return
    kernel = [
        (s[positive][:, None] > s[negative]) + 0.5 * (s[positive][:, None] == s[negative])
        for s in (both.first_score, both.second_score)
    ]
    s10 = np.cov([k.mean(axis=1) for k in kernel])
    s01 = np.cov([k.mean(axis=0) for k in kernel])
    result = delong(both.label, both.first_score, both.second_score)
    assert result.areas == pytest.approx([k.mean() for k in kernel])
    assert result.covariance == pytest.approx(s10 / positive.sum() + s01 / negative.sum())


def test_mcnemar_against_fagerland_and_statsmodels() -> None:
    """Fagerland et al. (2013), airway hyper-responsiveness: 1 and 7 discordant, exact 0.070, mid-p 0.039."""
    assert mcnemar(1, 7).exact_p == pytest.approx(0.070, abs=5e-4)
    assert mcnemar(1, 7).mid_p == pytest.approx(0.039, abs=5e-4)
    for b, c in ((0, 0), (3, 3), (0, 9), (40, 61), (1000, 1100)):
        oracle = sm_mcnemar([[10, b], [c, 10]], exact=True).pvalue if b + c else 1.0
        assert mcnemar(b, c).exact_p == pytest.approx(min(1.0, oracle))
        assert mcnemar(b, c).mid_p <= mcnemar(b, c).exact_p


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_welch_is_statsmodels_and_permutation_is_scipys() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.8, 0.01, 5), rng.normal(0.82, 0.03, 4)
    ours = welch(first, second, level=0.95)
    means = CompareMeans(DescrStatsW(second), DescrStatsW(first))
    assert (ours.low, ours.high) == pytest.approx(means.tconfint_diff(usevar="unequal"))
    assert ours.p_value == pytest.approx(means.ttest_ind(usevar="unequal")[1])
    oracle = stats.permutation_test((first, second), lambda x, y: abs(np.mean(x) - np.mean(y)),
                                    alternative="greater").pvalue  # fmt: skip
    assert permutation_p(first, second, 0) == pytest.approx(oracle)
    large = rng.normal(size=(2, 15))
    sampled = stats.permutation_test(tuple(large), lambda x, y: abs(np.mean(x) - np.mean(y)), rng=1,
                                     alternative="greater").pvalue  # fmt: skip
    assert permutation_p(*large, 0) == pytest.approx(sampled, abs=0.03)


def test_welch_without_spread_says_nothing() -> None:
    assert welch([0.1 + 0.2, 0.3], [0.4, 0.4], level=0.95) is None


def table(ids: list[str], labels: list[int] | None = None, **columns: object) -> pd.DataFrame:
    labels = labels or [i % 2 for i in range(len(ids))]
    return pd.DataFrame({"row_id": ids, "label": labels, "prediction": labels} | columns)


def test_rows_are_matched_by_id_and_mismatches_say_why() -> None:
    ids = [f"p{i:02}" for i in range(20)]
    shuffled = table(ids).sample(frac=1, random_state=1)
    assert isinstance(pair(table(ids), shuffled), PairedScores)
    flipped = [1 - i % 2 for i in range(20)]
    for other, words in (
        (table(ids[:-1]), "numbers of rows"),
        (table([*ids[:-1], "x"]), "not the same"),
        (table(ids, flipped), "different labels"),
        (table([*ids[:-1], ids[0]]), "twice"),
        (table(ids).drop(columns="label"), "lack the column label"),
    ):
        result = pair(table(ids), other)
        assert isinstance(result, Mismatch)
        assert words in result.reason
        assert "p0" not in result.reason
    assert "fewer than 11" in pair(table(ids[:9]), table(ids[:9])).reason


def test_only_test_metrics_are_read_from_test_rows() -> None:
    assert row_metric("test/roc-auc") is None or row_metric("test/roc_auc") == "auroc"
    assert [row_metric(m) for m in ("auroc", "test_recall", "val_auroc", "train_loss", "cost")] == [
        "auroc", "sensitivity", None, None, None,
    ]  # fmt: skip
