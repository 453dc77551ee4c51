"""The sixteen hard cases: what is wanted of each, and that one bad column never costs the report."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from core.drift.check import check
from core.drift.movement import cuts_of, moved_parts
from core.drift.policy import DEFAULT
from core.drift.present import quality_sentences
from core.drift.profile import profile_like, profile_reference
from core.drift.shape import column_shape, shape_of
from core.drift.sources import open_source
from core.drift.types import ColumnKind, DriftReport, Verdict

RNG = np.random.default_rng(11)
NORMAL = RNG.normal(size=500)


def run(reference: dict, current: dict, **options: object) -> DriftReport:
    return check(pa.table(reference), pa.table(current), **options)


def test_every_case_of_the_corpus_has_a_test_here(corpus):
    cases = {case["id"] for case in json.loads((corpus / "drift" / "edge_cases.json").read_text())}
    assert cases == {name.removeprefix("test_case_") for name in globals() if name.startswith("test_case_")}


def test_case_all_nan_cur():
    report = run({"a": NORMAL, "b": NORMAL}, {"a": np.full(500, np.nan), "b": NORMAL})
    assert report.column("a").verdict is Verdict.NO_DATA
    assert "no data in current" in report.column("a").reason
    assert report.column("a").quality.missing_pvalue < 1e-10
    assert report.column("b").verdict is Verdict.OK
    assert report.verdict is Verdict.DRIFT


def test_case_one_nan():
    moved = RNG.normal(2, 1, (1000, 2))
    moved[0, 0] = np.nan
    report = run(
        {"a": RNG.normal(size=1000), "b": RNG.normal(size=1000)}, {"a": moved[:, 0], "b": moved[:, 1]}
    )
    assert [column.verdict for column in report.columns] == [Verdict.DRIFT] * 2
    assert report.column("a").quality.missing_current == 1


def test_case_missing_rate_0_to_50pct():
    half = np.where(np.arange(500) % 2, NORMAL, np.nan)
    report = run({"a": NORMAL}, {"a": half})
    assert report.column("a").verdict is Verdict.DRIFT
    assert "missing values went up by 50.0%" in report.column("a").reason


def test_case_constant_same():
    column = run({"a": np.ones(500)}, {"a": np.ones(500)}).column("a")
    assert column.kind is ColumnKind.CONSTANT
    assert (column.statistics.ks.statistic, column.statistics.ks.pvalue) == (0, 1)
    assert column.verdict is Verdict.OK


def test_case_constant_moved():
    column = run({"a": np.ones(500)}, {"a": np.full(500, 2.0)}).column("a")
    assert column.statistics.ks.statistic == 1
    assert column.verdict is Verdict.DRIFT


def test_case_inf_in_cur():
    current = NORMAL.copy()
    current[:5] = np.inf
    column = run({"a": NORMAL}, {"a": current}).column("a")
    assert column.quality.infinite_current == 5
    assert column.verdict is Verdict.OK
    assert np.isfinite(column.statistics.wasserstein_normed)


def test_case_new_level_1_row():
    column = run({"a": ["p", "q"] * 250}, {"a": ["p"] * 250 + ["q"] * 249 + ["z"]}).column("a")
    assert [(level.name, level.count) for level in column.quality.new_levels] == [("z", 1)]
    assert column.statistics.chi2.pvalue > 0.5
    assert column.verdict is Verdict.OK


def test_case_lost_column():
    report = run({"a": NORMAL, "b": NORMAL}, {"b": NORMAL})
    assert report.column("a").verdict is Verdict.VANISHED
    assert [(finding.column, finding.kind) for finding in report.schema] == [("a", "missing column")]
    assert report.column("b").verdict is Verdict.OK
    assert report.verdict is Verdict.DRIFT


def test_case_extra_column():
    report = run({"b": NORMAL}, {"a": NORMAL, "b": NORMAL})
    assert [(finding.column, finding.kind) for finding in report.schema] == [("a", "extra column")]
    assert report.column("a").verdict is Verdict.NEW
    assert report.verdict is Verdict.OK


def test_case_type_change_num_to_str():
    report = run({"a": NORMAL}, {"a": [str(value) for value in NORMAL]})
    column = report.column("a")
    assert column.verdict is Verdict.TYPE_CHANGED
    assert column.quality.parsed
    assert column.statistics.ks.statistic == 0
    assert report.schema[0].kind == "type changed"


def test_case_outlier_1e9():
    reference = RNG.normal(size=20_000)
    shifted = RNG.normal(0.5, 1, 20_000)
    clean = run({"a": reference}, {"a": shifted}).column("a")
    reference[0] = 1e9
    column = run({"a": reference}, {"a": shifted}).column("a")
    assert column.verdict is Verdict.DRIFT
    assert column.effect == pytest.approx(0.197, abs=0.015)
    for name in ("psi", "jensen_shannon", "hellinger", "wasserstein_normed"):
        assert getattr(column.statistics, name) == pytest.approx(getattr(clean.statistics, name), rel=0.05)


def test_case_all_missing_chunk_cat():
    reference = {"a": ["p", "q"] * 250}
    assert run(reference, {"a": ["p"] * 400 + ["q"] * 100}).column("a").verdict is Verdict.DRIFT
    after = run(reference, {"a": pa.array([None] * 500, pa.string())}).column("a")
    assert after.verdict is Verdict.NO_DATA
    assert after.statistics.chi2 is None


def test_case_nullable_int():
    report = check(
        pd.DataFrame({"a": pd.array([1, 2, None] * 20, dtype="Int64")}),
        pd.DataFrame({"a": pd.array([1, 3, None] * 20, dtype="Int64")}),
    )
    column = report.column("a")
    assert column.kind is ColumnKind.NUMERIC
    assert (column.quality.missing_reference, column.quality.missing_current) == (20, 20)
    assert column.statistics.ks.statistic == 0.5


def test_case_high_card_all_new():
    report = run(
        {"a": [f"p{number}" for number in range(5000)], "b": RNG.normal(size=5000)},
        {"a": [f"q{number}" for number in range(5000)], "b": RNG.normal(size=5000)},
    )
    column = report.column("a")
    assert column.kind is ColumnKind.IDENTIFIER
    assert column.verdict is Verdict.NOT_TESTED
    assert (column.quality.new_values, column.quality.duplicates_current) == (5000, 0)
    assert report.verdict is Verdict.OK


def test_case_datetime():
    report = run(
        {"a": pd.date_range("2024-01-01", periods=2000, freq="h")},
        {"a": pd.date_range("2025-01-01", periods=2000, freq="h")},
        now=datetime(2025, 1, 2, tzinfo=UTC),
    )
    column = report.column("a")
    assert (column.kind, column.verdict) == (ColumnKind.DATETIME, Verdict.NOT_TESTED)
    assert column.statistics.ks is None
    assert column.quality.above_range == 2000
    assert column.quality.newest_current == datetime(2025, 3, 24, tzinfo=UTC)
    assert column.quality.in_future > 1900


def test_case_empty_current():
    report = run({"a": NORMAL}, {"a": np.empty(0)})
    assert (report.verdict, report.reason) == (Verdict.INCONCLUSIVE, "no rows in current")
    assert report.column("a").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("rows", [1, 3, 29])
def test_few_rows_are_inconclusive_even_where_they_look_moved(rows):
    report = run({"a": NORMAL}, {"a": NORMAL[:rows] + 9})
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "30" in report.reason


def test_hard_columns_cost_no_other_column():
    rows = 200
    nested = pa.array([[1, 2]] * rows)
    report = run(
        {
            "list": nested,
            "null": pa.nulls(rows),
            "bytes": pa.array([b"x"] * rows),
            "good": NORMAL[:rows],
            "flag": [True, False] * 100,
            "many": [f"level {number % 97}" for number in range(rows)],
            "time": pa.array(range(rows), pa.time64("us")),
            "decimal": pa.array(range(rows), pa.int64()).cast(pa.decimal128(21, 2)),
        },
        {
            "list": nested,
            "null": pa.nulls(rows),
            "bytes": pa.array([b"y"] * rows),
            "good": NORMAL[:rows] + 5,
            "flag": [1, 0] * 100,
            "many": pa.array(range(rows)),
            "time": pa.array(["noon"] * rows),
            "decimal": NORMAL[:rows],
        },
    )
    assert report.column("good").verdict is Verdict.DRIFT
    assert report.column("flag").verdict is Verdict.OK
    assert report.column("many").verdict is Verdict.TYPE_CHANGED
    assert report.column("time").verdict is Verdict.TYPE_CHANGED
    assert {report.column(name).verdict for name in ("list", "null", "bytes")} == {Verdict.NOT_TESTED}


def test_ten_thousand_categories_without_drift_are_ok():
    levels = np.array([f"code {number}" for number in range(10_000)])
    draws = [RNG.choice(levels, 30_000) for _ in range(2)]
    column = run({"a": draws[0]}, {"a": draws[1]}).column("a")
    assert column.kind is ColumnKind.CATEGORICAL
    assert column.statistics.chi2.pvalue > 0.001
    assert column.verdict is Verdict.OK


def test_a_new_level_of_some_size_is_drift_although_rare_levels_are_pooled():
    reference = {"a": ["p", "q", "r"] * 1300}
    column = run(reference, {"a": ["p", "q", "r"] * 55 + ["new"] * 12}).column("a")
    assert column.statistics.chi2.pvalue > 0.1
    assert column.verdict is Verdict.DRIFT
    assert "1 new level (new)" in quality_sentences(column)


def test_a_level_of_few_rows_is_not_named():
    column = run({"a": ["p", "q"] * 250}, {"a": ["p"] * 250 + ["q"] * 247 + ["secret"] * 3}).column("a")
    assert quality_sentences(column) == ("1 new level",)


def test_where_a_column_moved_hides_small_cells_and_what_would_give_them_away():
    def parts(reference: list, current: list) -> dict:
        known = profile_reference("a", pa.chunked_array([pa.array(reference)]))
        seen = profile_like(known, pa.chunked_array([pa.array(current)]))
        return {part.name: part for part in moved_parts(known, seen)}

    levels = parts(["p"] * 60 + ["q"] * 60 + ["r"] * 40, ["p"] * 100 + ["q"] * 55 + ["r"] * 5)
    assert list(levels) == ["p", "<rare level>"], "r, and q that would give it away"
    numbers = parts(np.arange(1000.0).tolist(), np.arange(500.0).tolist())
    (first, *_, last) = sorted(numbers.values(), key=lambda part: -part.current)
    assert sum(part.reference for part in numbers.values()) == pytest.approx(1)
    assert len(numbers) > 5 and last.current == 0 and first.reference == pytest.approx(0.1, abs=0.04)
    some = parts([1.0] * 100 + [None] * 5, [1.0] * 50 + [None] * 50)
    assert (some["missing"].reference, some["missing"].current) == (None, 0.5)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_picture_and_where_it_moved_give_no_small_cell_together(data):
    """Whatever is published of a column has its cuts in one grid: no difference of two of its counts is 1 to 10."""
    rng = np.random.default_rng(data.draw(st.integers(0, 9999)))
    samples = [
        np.sort(
            np.concatenate(
                [
                    rng.normal(data.draw(st.integers(0, 3)), 1, data.draw(st.integers(21, 400))),
                    rng.normal(data.draw(st.integers(5, 30)), 0.5, data.draw(st.integers(0, 30))),
                ]
            )
        )
        for _ in range(2)
    ]
    known = profile_reference("a", pa.chunked_array([pa.array(samples[0])]))
    seen = profile_like(known, pa.chunked_array([pa.array(samples[1])]))
    shape, parts = shape_of(known, seen), moved_parts(known, seen)
    cuts = cuts_of(shape)
    assert len(parts) <= len(cuts) + 1
    for side, values in ((shape.reference, samples[0]), (shape.current, samples[1])):
        told = np.union1d(side.edges[1:-1], cuts)
        counts = np.diff(np.concatenate([[0], np.searchsorted(values, told, side="right"), [len(values)]]))
        assert not ((counts > 0) & (counts <= 10)).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_chart_gives_no_small_cell_not_even_by_subtraction(seed):
    """Four rows of a rare value among 500: no bar, no step of the curve and no rest of the whole is four."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(50, 5, 496)
    known = np.concatenate([middle, [72.0] * 4, rng.normal(90, 2, 100)])
    seen = np.concatenate([middle[:300] + 1, [72.0] * 4, [-400.0] * 3])
    shape = column_shape(
        open_source(pa.table({"a": known})), open_source(pa.table({"a": seen})), "a", DEFAULT
    )
    for side, values in ((shape.reference, known), (shape.current, seen)):
        counts = side.shares * len(values)
        assert np.allclose(counts, counts.round()) and counts.sum() == pytest.approx(len(values))
        assert all(count == 0 or count >= 11 for count in counts.round())
        assert np.allclose(np.diff(side.cumulative) * len(values), counts), (
            "the curve tells what the bars tell"
        )
        inside = np.histogram(values, np.concatenate([[-np.inf], side.edges[1:-1], [np.inf]]))[0]
        assert np.abs(inside - counts.round()).sum() <= 2, "edges are real ones"
    assert not set(shape.reference.edges.tolist()) & set(known.tolist()), "no edge is a person's value"


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_two_columns_of_one_name_are_told(tmp_path, suffix):
    file = tmp_path / f"twice.{suffix}"
    twice = pa.Table.from_arrays([pa.array(NORMAL), pa.array(NORMAL + 9)], names=["x", "x"])
    (parquet.write_table if suffix == "parquet" else csv.write_csv)(twice, file)
    report = check(pa.table({"x": NORMAL}), open_source(file))
    assert report.column("x").verdict is Verdict.OK
    assert "2 columns are called 'x': the first was compared." in [one.message for one in report.schema]


def test_a_changed_type_is_said_without_how_it_is_held_in_memory(tmp_path):
    pd.DataFrame({"site": ["a", "b"] * 100}).to_parquet(tmp_path / "before.parquet")
    report = check(open_source(tmp_path / "before.parquet"), pa.table({"site": pa.array([b"a", b"b"] * 100)}))
    assert "the type changed from string to binary" in report.column("site").reason


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("largest", [1.0, 1e200, 1.79e308])
def test_huge_numbers_are_compared_as_small_ones_are_and_warn_of_nothing(largest):
    values = NORMAL / np.abs(NORMAL).max()
    column = run({"a": values * largest}, {"a": values * largest / 2}).column("a")
    small = run({"a": values}, {"a": values / 2}).column("a")
    assert column.statistics.ks.statistic == small.statistics.ks.statistic
    assert column.statistics.wasserstein_normed == pytest.approx(small.statistics.wasserstein_normed)
    assert column.verdict is small.verdict
