"""The words of a comparison: each verdict with its reason, on hand-made items."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.compare.evidence import PAIRED_LIMIT
from core.compare.types import Item, Verdict, Word
from core.compare.verdicts import verdicts
from core.compare.warnings import warnings

N = 2_000
RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 2, N)
NOISE = RNG.normal(size=(2, N))


def table(strength: float, noise: int = 0) -> pd.DataFrame:
    """Test rows of a model; the stronger the signal the better it is."""
    score = 1 / (1 + np.exp(-(strength * (2 * LABEL - 1) + NOISE[noise])))
    ids = [f"r{row:05}" for row in range(N)]
    return pd.DataFrame(
        {"row_id": ids, "label": LABEL, "prediction": (score > 0.5).astype(int), "score": score}
    )


def accuracy(frame: pd.DataFrame) -> float:
    return float((frame["prediction"] == frame["label"]).mean())


def run(name: str, frame: pd.DataFrame | None = None, **changes: object) -> Item:
    metrics = {} if frame is None else {"accuracy": accuracy(frame)}
    return Item(ref=f"run:{name}", label=name, kind="run", run_id=name, **({"metrics": metrics} | changes))


def judge(items: list[Item], frames: dict[str, pd.DataFrame] | None = None, **declared: str) -> list[Verdict]:
    return list(verdicts(items, 0, declared, lambda item: (frames or {}).get(item.label)))


def test_better_and_worse_from_the_same_test_rows() -> None:
    frames = {"a": table(1.0), "b": table(1.4, 1)}
    items = [run(name, frame) for name, frame in frames.items()]
    (better,) = judge(items, frames)
    (worse,) = judge(items[::-1], frames)
    assert (better.word, worse.word) == (Word.BETTER, Word.WORSE)
    assert better.n == N
    assert 0 < better.low <= better.difference <= better.high
    assert better.difference == pytest.approx(accuracy(frames["b"]) - accuracy(frames["a"]))
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low), abs=0.005)
    assert "McNemar" in better.method


def test_lower_is_better_for_a_loss_and_a_declaration_wins() -> None:
    frames = {"a": table(1.0), "b": table(1.4, 1)}
    items = [run(name, frame, metrics={"log_loss": _log_loss(frame)}) for name, frame in frames.items()]
    assert judge(items, frames)[0].word is Word.BETTER
    assert judge(items, frames, log_loss="higher")[0].word is Word.WORSE


def _log_loss(frame: pd.DataFrame) -> float:
    right = np.where(frame["label"] == 1, frame["score"], 1 - frame["score"])
    return float(-np.log(right).mean())


def test_not_distinguishable_when_the_interval_holds_zero() -> None:
    frames = {"a": table(1.0), "b": table(1.0, 1)}
    (verdict,) = judge([run(name, frame) for name, frame in frames.items()], frames)
    assert verdict.word is Word.SAME
    assert verdict.low < 0 < verdict.high
    assert "includes 0" in verdict.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data_hash": "bbbbbbbbb"}, "different data hash (aaaaaaa and bbbbbbb)"),
        ({"datasets": {"test: t": "2"}}, "different data set (test)"),
        ({"metrics": {}}, "the candidate has no accuracy"),
        ({"metrics": {"accuracy": math.nan}}, "not a finite number"),
        ({"metrics": {"accuracy": 0.999}}, "another definition or split"),
    ],
)
def test_not_comparable_says_why(change: dict, words: str) -> None:
    frames = {"a": table(1.0), "b": table(1.4, 1)}
    base = {"data_hash": "aaaaaaaaa", "datasets": {"test: t": "1"}}
    items = [run("a", frames["a"], **base), replace(run("b", frames["b"], **base), **change)]
    (verdict,) = judge(items, frames)
    assert verdict.word is Word.NOT_COMPARABLE
    assert words in verdict.reason


def test_other_test_rows_are_another_split_and_warned_of() -> None:
    frames = {"a": table(1.0), "b": table(1.4, 1).assign(row_id=[f"x{row}" for row in range(N)])}
    items = [run(name, frame) for name, frame in frames.items()]
    (verdict,) = judge(items, frames)
    assert verdict.word is Word.NOT_COMPARABLE
    assert "another split" in verdict.reason
    assert any("Other test rows" in sentence for sentence in warnings(items, [verdict]))


def test_unknown_direction_is_no_verdict_but_keeps_the_interval() -> None:
    items = [
        run(f"{k}{s}", metrics={"cost": 1.0 * k + 0.01 * s}, params={"k": str(k)})
        for k in (1, 2)
        for s in range(4)
    ]
    verdict = next(v for v in judge(items) if v.candidate == "run:20")
    assert verdict.word is Word.NOT_COMPARABLE
    assert "no direction" in verdict.reason
    assert verdict.low < 1 < verdict.high
    declared = next(v for v in judge(items, cost="lower") if v.candidate == "run:20")
    assert declared.word is Word.WORSE


def test_seeds_decide_without_row_scores() -> None:
    values = {"1": (0.80, 0.81, 0.79, 0.80), "2": (0.86, 0.87, 0.85, 0.86)}
    items = [
        run(f"{depth}-{seed}", metrics={"f1": value}, params={"depth": depth, "seed": str(seed)})
        for depth, group in values.items()
        for seed, value in enumerate(group)
    ]
    found = {verdict.candidate: verdict for verdict in judge(items)}
    assert found["run:2-0"].word is Word.BETTER
    assert found["run:2-0"].n == 8
    assert "Welch" in found["run:2-0"].method
    assert "permutation test over 4 and 4 runs: p = 0.029" in found["run:2-0"].reason
    assert "Holm" not in found["run:2-0"].reason  # four runs of one setting are one test
    assert found["run:1-1"].word is Word.SAME
    assert "same setting" in found["run:1-1"].reason


def test_one_run_each_is_honest() -> None:
    items = [
        run("a", metrics={"f1": 0.8}, params={"d": "1"}),
        run("b", metrics={"f1": 0.9}, params={"d": "2"}),
    ]
    (verdict,) = judge(items)
    assert (verdict.word, verdict.reason) == (Word.SAME, "one run each, no per-row scores")
    assert verdict.difference == pytest.approx(0.1)
    assert verdict.low is None
    assert verdict.n is None


def test_seeds_that_change_nothing_are_no_evidence() -> None:
    items = [
        run(f"{d}{s}", metrics={"f1": 0.8 + d / 10}, params={"d": str(d), "seed": str(s)})
        for d in (0, 1)
        for s in range(3)
    ]
    assert "no spread over seeds" in judge(items)[-1].reason


def test_runs_tested_on_other_data_are_no_repeats() -> None:
    items = [
        run(f"{d}{s}", metrics={"f1": 0.8 + d / 10 + s / 100}, params={"d": str(d), "seed": str(s)})
        for d in (0, 1)
        for s in range(2)
    ]
    other = replace(items[-1], datasets={"test: holdout": "2"})
    items = [replace(item, datasets={"test: holdout": "1"}) for item in items[:-1]] + [other]
    found = {verdict.candidate: verdict for verdict in judge(items)}
    assert found["run:10"].reason == "2 and 1 runs of the settings, no per-row scores"
    assert found["run:11"].word is Word.NOT_COMPARABLE


def test_the_same_run_under_two_names_is_no_difference() -> None:
    first = run("a", table(1.0))
    (verdict,) = judge([first, replace(first, ref="version:m/1")])
    assert (verdict.word, verdict.reason) == (Word.SAME, "the same run as the baseline")


def test_holm_over_several_candidates_is_said() -> None:
    frames = {"a": table(1.0), "b": table(1.4, 1), "c": table(1.0, 1)}
    found = judge([run(name, frame) for name, frame in frames.items()], frames)
    assert [verdict.word for verdict in found] == [Word.BETTER, Word.SAME]
    assert all("Holm over 2 candidates" in verdict.reason for verdict in found)


def test_many_candidates_say_that_rows_are_not_paired() -> None:
    items = [run(str(i), metrics={"f1": i / 100}, params={"d": str(i)}) for i in range(PAIRED_LIMIT + 2)]
    assert f"up to {PAIRED_LIMIT} candidates" in judge(items)[0].reason
    assert "Holm-adjusted" in warnings(items, judge(items))[-1]


def test_different_data_is_warned_of_unasked() -> None:
    items = [run("a", data_hash="1" * 32), run("b", data_hash="2" * 32), run("c", data_hash="2" * 32)]
    (sentence,) = warnings(items, ())
    assert "1111111 (a); 2222222 (b, c)" in sentence
    assert warnings(items[1:], ()) == ()
