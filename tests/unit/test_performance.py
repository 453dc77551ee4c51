"""Performance by window: metrics against scikit-learn, CBPE against published values, the alert rules."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import validate
from sklearn import metrics as sk
from typer.testing import CliRunner

from core.cli.performance import app
from core.drift.cbpe import calibrate, estimate
from core.drift.degradation import degradation, fallen_since, plain_rules, still_down
from core.drift.metrics import Metric, measure
from core.drift.performance import performance
from core.drift.prediction_log import LogColumns
from core.drift.statistics.proportions import wilson
from core.drift.types import Severity
from core.drift.windows import cut
from core.errors import BadInput

SCHEMA = Path(__file__).parents[2] / "core" / "cli" / "schemas" / "performance-check.json"
RNG = np.random.default_rng(4)


def log(rows: int = 600, start: str = "2026-01-01", flip: float = 0.0, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    label = (rng.random(rows) < score).astype(int)
    label = np.where(rng.random(rows) < flip, 1 - label, label)
    return pd.DataFrame(
        {
            "request_id": [f"r{start}{number}" for number in range(rows)],
            "timestamp": pd.date_range(start, periods=rows, freq="8min", tz="UTC"),
            "prediction": (score >= 0.5).astype(int),
            "score": score,
            "label": label,
        }
    )


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return frame.drop(columns="label"), frame[["request_id", "label"]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60))
def test_metrics_are_scikit_learns(rows):
    labels = np.array([float(label) for label, _ in rows])
    scores = np.array([score / 20 for _, score in rows])
    said = (scores >= 0.5).astype(int)
    found = measure(labels, said, scores)
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(labels, said))
    assert found["brier"].value == pytest.approx(np.mean((scores - labels) ** 2))
    if 0 < labels.sum() < len(labels):
        assert found["auroc"].value == pytest.approx(sk.roc_auc_score(labels, scores))
        assert found["sensitivity"].value == pytest.approx(sk.recall_score(labels, said))
        assert found["f1"].value == pytest.approx(sk.f1_score(labels, said, zero_division=0))
    for metric in found.values():
        assert metric.low <= metric.value + 1e-12 and metric.value <= metric.high + 1e-12


def test_car_loan_estimates_and_results_are_the_published_ones(corpus):
    folder = corpus / "drift"
    report = performance(
        folder / "car_loan_analysis.parquet",
        window="5000",
        columns=LogColumns("id", "timestamp", "y_pred", "y_pred_proba", "repaid"),
        calibration=folder / "car_loan_reference.parquet",
    )
    early, late = report.windows[:5], report.windows[5:]
    # NannyML 0.13.1: CBPE AUROC .971 -> .961, realised .970 -> .959, accuracy .9410 -> .9146 at chunk 5
    for windows, estimated, realised in ((early, 0.971, 0.971), (late, 0.9613, 0.960)):
        assert np.mean([w.estimated["auroc"].value for w in windows]) == pytest.approx(estimated, abs=1e-3)
        assert np.mean([w.metrics["auroc"].value for w in windows]) == pytest.approx(realised, abs=2e-3)
    assert report.windows[4].metrics["accuracy"].value == pytest.approx(0.9410, abs=5e-5)
    assert report.windows[5].metrics["accuracy"].value == pytest.approx(0.9146, abs=5e-5)
    accuracy = [alert for alert in report.degraded if alert.metric == "accuracy"]
    assert [(alert.type, alert.window) for alert in accuracy] == [
        ("significant_drop", report.windows[5].name)
    ]


def test_the_estimate_of_calibrated_scores_is_what_then_happens():
    frame = log(20_000)
    fitted = calibrate(frame.label.to_numpy(), frame.score.to_numpy())
    estimated = estimate(frame.score.to_numpy(), frame.prediction.to_numpy(), fitted)
    realised = measure(frame.label.to_numpy(float), frame.prediction.to_numpy(), frame.score.to_numpy())
    for name in ("accuracy", "sensitivity", "specificity", "precision", "f1", "auroc", "brier"):
        assert estimated[name].value == pytest.approx(realised[name].value, abs=0.015), name


def test_calibration_mends_distorted_scores_and_leaves_good_ones():
    frame = log(20_000)
    assert calibrate(frame.label.to_numpy(), frame.score.to_numpy() ** 3).fitted
    assert calibrate(frame.label.to_numpy()[:100], frame.score.to_numpy()[:100]) is None


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ([0.9, 0.84], {"performance_drop": Severity.WARNING}),
        ([0.9, 0.86], {}),
        ([0.9, 0.79], {"performance_drop": Severity.CRITICAL}),
        ([0.95, 0.93, 0.91, 0.89, 0.87], {"performance_trend": Severity.HIGH}),
        ([0.93, 0.91, 0.89, 0.87], {}),
        ([0.95, 0.95, 0.94, 0.94, 0.92], {}),
        ([0.9, math.nan, 0.79], {"performance_drop": Severity.CRITICAL}),
        ([0.9], {}),
        ([], {}),
    ],
)
def test_the_tutorials_rules_to_the_letter(values, rules):
    assert dict(plain_rules(values)) == rules


def _windows(values, rows):
    found = []
    for place, value in enumerate(values):
        right = round(value * rows)
        found.append((f"w{place}", {"accuracy": Metric(right / rows, *wilson(right, rows))}))
    return found


def test_noise_in_forty_rows_raises_nothing_and_the_same_fall_in_4000_does():
    values = (0.85, 0.775)
    assert degradation(_windows(values, 40), {}) == ()
    assert [alert.type for alert in degradation(_windows(values, 4000), {})] == ["performance_drop"]


def test_false_alarms_on_steady_performance_are_rare():
    raised = 0
    for _ in range(200):
        series = []
        for place in range(20):
            right = int(RNG.binomial(60, 0.85))
            series.append((f"w{place}", {"accuracy": Metric(right / 60, *wilson(right, 60))}))
        raised += bool(degradation(series, {}))
    assert raised / 200 < 0.1


def test_a_rise_of_a_loss_is_a_fall():
    rising = [("a", {"brier": Metric(0.1, 0.09, 0.11)}), ("b", {"brier": Metric(0.3, 0.29, 0.31)})]
    assert degradation(rising, {})[0].severity is Severity.CRITICAL
    assert degradation(list(reversed(rising)), {}) == ()
    assert degradation(rising, {"brier": "higher"}) == ()


def test_windows_by_day_week_and_rows():
    seconds = np.array([0, 10, 86_400 * 4, 86_400 * 4 + 5, np.nan])
    assert [len(window.indices) for window in cut("day", seconds, 5)] == [2, 2]
    assert cut("week", seconds, 5)[1].start == datetime(1970, 1, 5, tzinfo=UTC)
    assert [len(window.indices) for window in cut("2", None, 7)] == [2, 2, 2, 1]
    for wrong in ("month", "0", "-3"):
        with pytest.raises(BadInput, match="window"):
            cut(wrong, seconds, 5)
    with pytest.raises(BadInput, match="timestamp"):
        cut("day", None, 5)


def _facts(report) -> str:
    return " / ".join(alert.message for alert in report.alerts if alert.type == "data")


def test_late_labels_twice_unknown_and_bad_scores_are_facts():
    predictions, labels = split(log(800))
    predictions.loc[:19, "score"] = 1.7
    twice = labels.head(30).assign(label=1 - labels.label.head(30), observed_at="2026-02-01")
    stray = pd.DataFrame(
        {"request_id": [f"no{n}" for n in range(15)], "label": 1, "observed_at": "2026-01-01"}
    )
    given = pd.concat([twice, labels.assign(observed_at="2026-01-01"), stray])
    report = performance(predictions, given, now=datetime(2026, 1, 2, tzinfo=UTC))
    facts = _facts(report)
    for part in ("given twice: 30", "unknown requests: 15", "outside 0 to 1: 20", "in the future:"):
        assert part in facts
    first = report.windows[0]
    assert first.n == 180 and first.labelled == 180
    # the newer of two labels counts: the first 20 rows have no score, the next 10 have flipped labels
    honest = performance(*split(log(800))).windows[0]
    assert first.metrics["accuracy"].value < honest.metrics["accuracy"].value


def test_one_class_half_labels_and_naive_timestamps():
    predictions, labels = split(log(400))
    predictions["timestamp"] = predictions["timestamp"].dt.tz_localize(None)
    report = performance(predictions, labels.head(200).assign(label=0))
    assert "one class" in _facts(report) and "without a zone" in _facts(report)
    assert "auroc" not in report.windows[0].metrics
    assert [window.labelled for window in report.windows] == [180, 20, 0]


def test_bad_input_is_a_sentence():
    frame = log(50)
    with pytest.raises(BadInput, match="neither 'prediction' nor 'score'"):
        performance(frame[["request_id", "timestamp"]])
    with pytest.raises(BadInput, match="join by"):
        performance(frame.drop(columns=["label"]), frame[["label"]])


def test_more_than_two_classes_and_numbers():
    classes = pd.DataFrame({"prediction": list("abc") * 40, "label": list("abb") * 40})
    report = performance(classes, window="60")
    assert report.windows[0].metrics["accuracy"].value == pytest.approx(2 / 3)
    numbers = pd.DataFrame({"prediction": np.arange(60.0), "label": np.arange(60.0) + 0.5})
    assert performance(numbers, window="60").windows[0].metrics["mae"].value == pytest.approx(0.5)


def test_the_command_line(tmp_path):
    good, bad = log(720), log(720, "2026-01-05", flip=0.6)
    predictions, labels = split(pd.concat([good, bad]))
    predictions.to_parquet(tmp_path / "p.parquet")
    labels.head(1430).to_csv(tmp_path / "l.csv", index=False)

    def run(*more):
        given = ("check", "--predictions", tmp_path / "p.parquet", *more, "--output", "json")
        result = CliRunner().invoke(app, list(map(str, given)))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        document = json.loads(result.stdout)
        validate(document, json.loads(SCHEMA.read_text()))
        return result.exit_code, document

    code, document = run("--labels", tmp_path / "l.csv", "--window", "day")
    assert code == 3
    assert {"performance_drop", "performance_trend"} & {alert["type"] for alert in document["alerts"]}
    assert document["windows"][0]["metrics"]["accuracy"]["low"] < 0.75
    assert run("--window", "100")[0] == 4
    labels.head(720).to_csv(tmp_path / "l.csv", index=False)
    assert run("--labels", tmp_path / "l.csv")[0] == 0
    _, document = run("--labels", tmp_path / "l.csv", "--window", "8")
    assert document["windows"][0]["n"] == "<11" and document["windows"][0]["metrics"] == {}


def test_a_few_rows_of_a_class_raise_no_alarm_and_tell_of_nobody() -> None:
    """Three positives among thirteen rows, all scored low: the AUROC of 0.1 says nothing, and is about three people."""
    rng = np.random.default_rng(4)
    days = [(f"2026-01-{day:02d}", 400) for day in range(1, 8)] + [("2026-01-08", 13)]
    parts = []
    for day, rows in days:
        label = (rng.random(rows) < 0.3).astype(int)
        score = np.clip(0.3 + 0.3 * label + rng.normal(0, 0.15, rows), 0, 1)
        if rows == 13:
            label = np.array([1] * 3 + [0] * 10)
            score = np.where(label == 1, 0.1, 0.4) + rng.normal(0, 0.01, rows)
        parts.append(pd.DataFrame({"timestamp": pd.Timestamp(day, tz="UTC"), "label": label, "score": score,
                                   "prediction": (score >= 0.5).astype(int)}))  # fmt: skip
    report = performance(pd.concat(parts, ignore_index=True))
    last = report.windows[-1]
    assert last.labelled == 13
    assert set(last.metrics) == {"accuracy", "brier", "log_loss"}
    assert not [alert for alert in report.alerts if alert.metric in ("auroc", "sensitivity", "f1")]
    assert {"auroc", "sensitivity", "specificity", "f1"} <= set(report.windows[0].metrics)


def test_a_fall_is_not_over_because_forty_rows_look_better_and_is_over_when_enough_do():
    high = [(0.90, 400)] * 4
    fallen = [*high, *[(0.70, 400)] * 3]
    assert still_down(_of(fallen), "accuracy", {})
    assert still_down(_of([*fallen, (0.85, 40)]), "accuracy", {}), "forty rows could be chance"
    assert not still_down(_of([*fallen, *[(0.89, 400)] * 1]), "accuracy", {}), "four hundred are none"
    assert not still_down(_of([*fallen, *[(0.9, 40)] * 6]), "accuracy", {}), "six times forty are none either"
    assert not still_down(_of(high), "accuracy", {})
    assert not still_down(_of(high[:2]), "accuracy", {}), "nothing to compare with yet"


def _of(parts):
    found = []
    for place, (value, rows) in enumerate(parts):
        found += [(f"w{place}", metrics) for _, metrics in _windows((value,), rows)]
    return found


def test_a_fall_began_where_it_first_was_certain_or_half_as_deep():
    high = [(0.90, 400)] * 4
    assert fallen_since(_of([*high, (0.7, 400), (0.7, 400)]), "accuracy", {}) == "w4"
    assert fallen_since(_of([*high, (0.75, 12), (0.7, 400), (0.88, 20)]), "accuracy", {}) == "w4", (
        "half as deep"
    )
    assert fallen_since(_of([*high, (0.7, 400), *[(0.9, 400)] * 2, (0.7, 400)]), "accuracy", {}) == "w7", (
        "again"
    )
    assert fallen_since(_of([*high, *high]), "accuracy", {}) is None
