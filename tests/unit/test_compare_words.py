"""Deltas, sentences, labels, segments and figures of a comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.compare.differences import differences
from core.compare.disagreement import Segment, disagreement
from core.compare.references import told_apart
from core.compare.row_scores import SMALLEST, PairedScores
from core.compare.types import Comparison, Item, Row, Section, Verdict, Word
from core.compare.words import cells, difference_table, main_metric, sentence, tally, unique_labels
from core.experiments.types import History
from dashboard.charts import comparison as charts
from dashboard.charts.histories import best_so_far, step_chart, with_steps
from dashboard.palette import LIGHT


def comparison(*items: Item, verdicts: tuple[Verdict, ...] = ()) -> Comparison:
    return Comparison(told_apart(items), 0, "chosen", differences(items), verdicts, ())


def item(ref: str, label: str = "twin", **values: object) -> Item:
    return Item(ref=ref, label=label, kind="run", run_id=ref.removeprefix("run:"), **values)


def test_deltas_are_signed_and_named_by_direction() -> None:
    row = Row(Section.METRICS, "log_loss", (0.5, 0.4, 0.6, 0.5, None, float("nan")))
    assert [cell.words for cell in cells(row, 0, {})] == [
        "0.5", "0.4  ▼ -0.1 better", "0.6  ▲ +0.1 worse", "0.5", "missing", "nan",
    ]  # fmt: skip
    unknown = cells(Row(Section.METRICS, "cost", (1.0, 2.0)), 0, {})[1]
    assert (unknown.words, unknown.better) == ("2  ▲ +1", None)
    assert cells(Row(Section.PARAMS, "depth", ("1", "2")), 0, {})[1].words == "2"


def test_the_table_has_only_what_differs_unless_asked() -> None:
    found = comparison(
        item("run:a1", params={"d": "1", "e": "1"}), item("run:b2", params={"d": "2", "e": "1"})
    )
    columns, rows = difference_table(found, {})
    assert columns == ["part", "key", "twin (a1) (baseline)", "twin (b2)"]
    assert rows == [["params", "d", "1", "2"]]
    assert len(difference_table(found, {}, identical=True)[1]) == 2


def test_labels_are_distinct_even_for_one_run_twice() -> None:
    found = comparison(
        item("run:a"), Item(ref="version:m/1", label="twin", kind="version", run_id="a"), item("run:b")
    )
    assert len(set(unique_labels(found))) == 3
    odd = comparison(
        Item(ref="run:a", label="key", kind="run", run_id="a"),
        Item(ref="run:b", label="part", kind="run", run_id="b"),
    )
    assert len(set(difference_table(odd, {})[0])) == 4  # the names of the table's own columns are taken


def test_sentences_use_the_four_words() -> None:
    base = {"candidate": "run:b", "metric": "auroc", "reason": "because"}
    with_interval = Verdict(word=Word.BETTER, difference=0.02, low=0.01, high=0.03, n=900, **base)
    assert sentence(with_interval, {"run:b": "B"}, "A") == (
        "B is better than A on auroc: +0.02 (95 % interval +0.01 to +0.03), because."
    )
    for word in (Word.SAME, Word.NOT_COMPARABLE):
        assert word.value in sentence(Verdict(word=word, **base), {}, "A")


def test_the_first_metric_is_one_that_was_tested() -> None:
    def verdict(metric: str, low: float | None = None) -> Verdict:
        return Verdict(candidate="b", metric=metric, word=Word.SAME, reason="", low=low)

    found = comparison(
        item("run:a"), item("run:b"), verdicts=(verdict("aaa"), verdict("f1", 0.1), verdict("auroc"))
    )
    assert main_metric(found, {}) == "f1"
    assert main_metric(comparison(item("run:a"), item("run:b")), {}) is None


def paired(wrong_first: int, wrong_second: int, n: int = 400) -> PairedScores:
    label = np.arange(n) % 2
    first, second = label.copy(), label.copy()
    first[:wrong_first] ^= 1
    second[n - wrong_second :] ^= 1
    score = np.linspace(0, 1, n)
    return PairedScores(label, first, second, score, score)


def test_many_verdicts_are_tallied() -> None:
    def of(word: Word) -> Verdict:
        return Verdict(candidate="b", metric="m", word=word, reason="")

    assert tally([of(Word.SAME)]) == "1 not distinguishable"
    words = [of(word) for word in (Word.WORSE, Word.BETTER, Word.SAME, Word.BETTER)]
    assert tally(words) == "2 better, 1 worse and 1 not distinguishable"


def test_segments_count_who_is_right() -> None:
    by_label = disagreement(paired(100, 60))[:2]
    assert [segment.n for segment in by_label] == [200, 200]
    assert [(s.both_right, s.only_baseline, s.only_candidate, s.both_wrong) for s in by_label] == [
        (120, 30, 50, 0)
    ] * 2


@pytest.mark.parametrize("wrong", range(1, 2 * SMALLEST, 3))
def test_a_segment_with_a_small_cell_shows_no_count(wrong: int) -> None:
    for segment in disagreement(paired(wrong, 100)):
        shown = cells_of(segment)
        assert not any(count is not None and 1 <= count < SMALLEST for count in shown)
        assert segment.hidden == (None in shown)


@given(st.data())
def test_no_small_count_is_what_is_left_of_the_totals(data: st.DataObject) -> None:
    """Label and score cut the same rows: one cut shown whole gives the totals, from which the other is subtracted."""
    n = data.draw(st.integers(44, 400))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    label, score = rng.integers(0, 2, n), rng.random(n)
    wrong = data.draw(st.lists(st.floats(0, 0.6), min_size=2, max_size=2))
    predictions = [label ^ (rng.random(n) < share * score) for share in wrong]
    segments = disagreement(PairedScores(label, *predictions, score, None))
    first, second = (prediction == label for prediction in predictions)
    totals = [np.sum(kind) for kind in (first & second, first & ~second, ~first & second, ~first & ~second)]
    for cut in ("label", "baseline score"):
        siblings = [segment for segment in segments if segment.name.startswith(cut)]
        shown = [segment for segment in siblings if not segment.hidden]
        left = np.subtract(totals, np.sum([cells_of(segment) for segment in shown], axis=0))
        if 0 < len(shown) < len(siblings):
            assert len(siblings) - len(shown) > 1
            assert not any(0 < count < SMALLEST for count in left)


def cells_of(segment: Segment) -> tuple[int | None, ...]:
    return (segment.both_right, segment.only_baseline, segment.only_candidate, segment.both_wrong)


def test_small_segments_are_not_shown_at_all() -> None:
    scores = paired(0, 20)
    rare = PairedScores(
        (np.arange(400) < 5).astype(int), scores.first_prediction, scores.second_prediction, None, None
    )
    assert disagreement(rare) == ()


def test_figures_draw_what_they_are_given() -> None:
    verdicts = [
        Verdict(candidate="b", metric="m", word=Word.BETTER, reason="", difference=0.2, low=0.1, high=0.3),
        Verdict(candidate="c", metric="m", word=Word.SAME, reason="", difference=0.1),
    ]
    figure = charts.interval_chart(verdicts, {"b": "B", "c": "C"}, LIGHT)
    assert [trace.y[0] for trace in figure.data] == ["▲ B", "= C"]
    assert figure.data[0].error_x.array[0] == pytest.approx(0.1)
    words = charts.parallel_chart([("kind", ["x", "y", "x"]), ("m", [1.0, 2.0, 3.0])], LIGHT).data[0]
    assert list(words.dimensions[0].ticktext) == ["x", "y"]
    assert list(words.dimensions[1]["values"]) == [1, 2, 3]
    lacking = charts.parallel_chart([("C", ["0.1", None, "1"]), ("kind", ["x", None, "y"])], LIGHT).data[0]
    assert list(lacking.dimensions[0].ticktext) == ["–", "0.1", "1"]
    assert min(lacking.dimensions[0]["values"]) == lacking.dimensions[0]["values"][1] < 0.1
    assert list(lacking.dimensions[1].ticktext) == ["–", "x", "y"]
    nobody = charts.parallel_chart([("gone", [None, None]), ("lr", [0.001, 0.1])], LIGHT).data[0]
    assert list(nobody.dimensions[0].ticktext) == ["–"]
    assert list(nobody.dimensions[1]["values"]) == [-3, -1]  # two decades are read by their logarithms
    assert list(best_so_far(np.array([3.0, np.nan, 4.0, 2.0]), "lower")) == [3, 3, 3, 2]


def history(values: list[float], seconds_apart: float = 1) -> History:
    steps = np.arange(len(values))
    times = (1_000 * seconds_apart * steps).astype(np.int64)
    return History(
        run_id="a", metric="m", steps=steps, values=np.array(values), times=times, points=len(values)
    )


@pytest.mark.parametrize(
    ("apart", "unit", "last"), [(1, "seconds", 2), (600, "minutes", 20), (7_200, "hours", 4)]
)
def test_time_is_told_in_a_unit_that_suits_it(apart: float, unit: str, last: float) -> None:
    figure = step_chart([history([1, 2, 3], apart)], {"a": "A"}, LIGHT, relative=True)
    assert figure.layout.xaxis.title.text == f"{unit} since the first value"
    assert figure.data[0].x[-1] == last


def test_a_log_axis_and_what_has_no_curve() -> None:
    few = step_chart([history([0.1, -1, 2])], {"a": "A"}, LIGHT, log=True).layout.yaxis
    assert (few.type, few.dtick) == ("log", "D2")
    assert step_chart([history([1e-6, 2])], {"a": "A"}, LIGHT, log=True).layout.yaxis.dtick is None
    assert step_chart([history([-1, 0])], {"a": "A"}, LIGHT, log=True).layout.yaxis.type == "log"
    never = history([np.nan, np.inf])
    assert with_steps([never, history([1]), history([np.nan, 1])])[0].values[1] == 1
    assert len(with_steps([never, history([1])])) == 0
