"""Differences, directions, groups, importance, references and exports."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.compare.differences import differences
from core.compare.directions import direction, improves
from core.compare.export import to_csv, to_latex, to_markdown
from core.compare.grouping import collapse, is_seed, spread
from core.compare.importance import importance
from core.compare.references import Reference, machine_apart, parse, run_item
from core.compare.types import Direction, Item, Section, Word
from core.compare.words import Cell
from core.errors import BadInput
from core.experiments.types import Run


def item(name: str, **values: object) -> Item:
    return Item(ref=name, label=name, kind="run", run_id=name, **values)


def test_only_rows_that_differ_are_listed_and_the_others_counted() -> None:
    first = item(
        "a", params={"lr": "0.10", "depth": "3", "flag": "True"}, metrics={"f1": math.nan, "auc": 0.9}
    )
    second = item(
        "b", params={"lr": 0.1, "depth": "4", "flag": True, "new": ""}, metrics={"f1": math.nan, "auc": 0.8}
    )
    found = differences([first, second])
    assert [(row.section, row.key, row.values) for row in found.differing] == [
        (Section.PARAMS, "depth", ("3", "4")),
        (Section.PARAMS, "new", (None, "")),
        (Section.METRICS, "auc", (0.9, 0.8)),
    ]
    assert [row.key for row in found.identical] == ["flag", "lr", "f1"]


def test_text_is_not_mistaken_for_numbers() -> None:
    pairs = [("1_000", "1000"), ("a", "A"), (str(2**60), str(2**60 + 1)), ("", "0")]
    for first, second in pairs:
        assert (
            len(differences([item("a", params={"p": first}), item("b", params={"p": second})]).differing) == 1
        )


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "1.0", "x"])),
        min_size=2,
        max_size=6,
    )
)
def test_every_key_is_in_exactly_one_part(columns: list[dict[str, str]]) -> None:
    found = differences([item(str(i), params=column) for i, column in enumerate(columns)])
    keys = [row.key for row in (*found.differing, *found.identical)]
    assert sorted(keys) == sorted(set().union(*columns))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("auroc", "higher"), ("val_log_loss", "lower"), ("test/accuracy", "higher"), ("Test F1", "higher"),
        ("rmse", "lower"), ("cost", "lower"), ("train_seconds", "unknown"), ("loss_weight", "unknown"),
        ("eval_mae", "lower"), ("val_cost", "lower"),
    ],
)  # fmt: skip
def test_directions_are_declared_or_on_the_short_list(metric: str, expected: str) -> None:
    assert direction(metric, {"cost": "lower"}).value == expected


def test_a_declaration_beats_the_list_and_zero_improves_nothing() -> None:
    assert direction("accuracy", {"accuracy": "lower"}) is Direction.LOWER
    assert improves(0.0, Direction.HIGHER) is None
    assert improves(-1.0, Direction.LOWER) is True
    assert improves(1.0, Direction.UNKNOWN) is None


def test_seeds_collapse_to_mean_and_spread() -> None:
    items = [
        item(
            f"{d}{s}",
            params={"depth": str(d), "seed": str(s)},
            metrics={"f1": d + s / 10},
            tags={"team": "x"},
        )
        for d in (1, 2)
        for s in range(3)
    ]
    groups = collapse([*items, item("alone", params={"depth": "9", "seed": "0"}, metrics={"f1": 0.5})])
    assert [len(group.items) for group in groups] == [3, 3, 1]
    first = groups[0].metrics["f1"]
    assert (first.mean, first.sd, first.n, first.low, first.high) == pytest.approx((1.1, 0.1, 3, 1.0, 1.2))
    assert groups[0].setting == (("depth", "1"),)
    assert "single run, no spread" in groups[2].metrics["f1"].words
    assert [len(group.items) for group in collapse(items, ["tags.team"])] == [6]
    assert collapse(items, ["absent"])[0].setting == (("absent", "(none)"),)


def test_values_that_are_no_numbers_are_counted_apart() -> None:
    found = spread([1.0, None, math.nan, 3.0])
    assert (found.mean, found.n, found.left_out) == (2.0, 2, 2)
    assert "2 without a value" in found.words
    assert spread([None]).words == "no value"
    assert spread([math.inf, 1.0]).mean == math.inf


def test_names_of_seeds() -> None:
    assert all(map(is_seed, ("seed", "random_state", "train.seed", "numpy_seed", "random_seed", "SEED")))
    assert not any(map(is_seed, ("seeds_used_in_paper", "reseed", "seeded", "n_seed_points")))


def _sweep(n: int) -> tuple[list[dict[str, str]], list[float]]:
    rng = np.random.default_rng(0)
    params = [
        {"depth": str(rng.integers(1, 9)), "kind": rng.choice(["a", "b"]), "noise": str(rng.integers(0, 9)),
         "fixed": "1", "run_name": f"run-{i}x"}
        for i in range(n)
    ]  # fmt: skip
    values = [-int(p["depth"]) + 3.0 * (p["kind"] == "b") + rng.normal(0, 0.1) for p in params]
    return params, values


def test_importance_finds_what_was_built_in() -> None:
    found = importance(*_sweep(80))
    assert [row.param for row in found.rows] == ["depth", "kind", "noise"]
    assert found.rows[0].rank_correlation < -0.7
    assert found.rows[1].rank_correlation is None
    assert abs(found.rows[2].forest) < 0.05
    assert found.left_out == ("fixed", "run_name")
    assert "80 runs" in found.caveat
    assert "not cause" in found.caveat
    assert found == importance(*_sweep(80))


def test_importance_is_hidden_where_it_would_mislead() -> None:
    params, values = _sweep(30)
    assert (
        "19 runs have a value" in importance(params[:25], [*values[:19], *[None] * 3, *[math.nan] * 3]).hidden
    )
    assert "same value" in importance(params, [1.0] * 30).hidden
    assert "one value" in importance([{"a": "1"}] * 30, values).hidden


def test_importance_without_any_signal_warns() -> None:
    rng = np.random.default_rng(1)
    params = [{"a": str(rng.integers(0, 9))} for _ in range(40)]
    assert "read its column with doubt" in importance(params, list(rng.normal(size=40))).caveat


def test_how_busy_the_machine_was_is_of_the_environment_and_no_metric() -> None:
    metrics = {"auroc": 0.9, "system/cpu_utilization_percentage": 12.34567, "system/gpu_0_power": math.nan}
    run = Run(
        run_id="a" * 32, name="a", experiment="e", experiment_id="1", status="FINISHED", start_time=None,
        metrics=metrics, tags={"python.version": "3.11"},
    )  # fmt: skip
    whole = run_item(run, "run:aaaa")
    assert whole.metrics == metrics, "a gate may ask for any of them"
    found = machine_apart(whole)
    assert found.metrics == {"auroc": 0.9}
    assert found.environment == {
        "python.version": "3.11", "system/cpu_utilization_percentage": "12.35", "system/gpu_0_power": "nan",
    }  # fmt: skip


def test_references_are_parsed() -> None:
    assert parse("run:" + "a" * 32) == Reference("run", "a" * 32, "", "run:" + "a" * 32)
    assert parse("version:team/risk/07").detail == "7"
    assert parse("version:a/b/3").name == "a/b"
    assert (parse("alias:m@champion").name, parse("alias:a@b@c").detail) == ("m", "c")
    assert parse("rev:HEAD~1").name == "HEAD~1"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "run:",
        "run:xyz",
        "run:abc",
        "version:m",
        "version:m/x",
        "alias:m",
        "rev:",
        "rev:--all",
        "run:' OR 1=1",
    ],
)
def test_wrong_references_name_the_forms(wrong: str) -> None:
    with pytest.raises(BadInput, match="version:MODEL/N"):
        parse(wrong)


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=5))
def test_csv_is_read_back_and_runs_no_formula(rows: list[list[str]]) -> None:
    written = to_csv(["a", "b"], rows)
    back = list(csv.reader(io.StringIO(written, newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in back[1:]] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    assert not any(cell[:1] in ("=", "@") for row in back for cell in row)


def test_markdown_and_latex_cannot_be_broken_out_of() -> None:
    nasty = "a|b\n<script>_x_ 50% & $y$ {z} \\"
    markdown = to_markdown(["k"], [[nasty]])
    assert markdown.count("\n") == 3
    assert "\\|" in markdown
    assert "<script" not in markdown.replace("\\<", "")
    latex = to_latex(["k", "v"], [[nasty, -0.5]])
    assert r"50\% \& \$y\$ \{z\} \textbackslash{}" in latex
    assert r"\toprule" in latex
    assert "-0.5" in latex
    marks = [
        Cell(0.5, step, better, word).words
        for step in (0.1, -0.1)
        for better in (True, None)
        for word in Word
    ]
    assert to_latex(["v", "seeds", "none"], [[mark, "0.9 ± 0.1", "–"] for mark in marks]).isascii()
