"""Nobody is found by arithmetic: no small count follows from figures, sums, weeks, segments or exports."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.drift.bins import rare_levels
from core.drift.check import check
from core.drift.performance import PerformanceReport, WindowPerformance, performance_json
from core.drift.present import quality_sentences, report_json
from core.drift.profile import profile_like, profile_reference
from core.drift.segments import segments_of
from core.drift.shape import shape_of
from core.drift.types import Verdict
from core.drift.watched import open_watched
from core.privacy import is_small
from core.workspace import open_workspace
from tests.watched_workspace import build


def column(before: list, now: list):
    return check(pa.table({"a": before}), pa.table({"a": now})).column("a")


def told(before: list, now: list) -> dict:
    """All that a reader of the page or an export gets of one column."""
    found = column(before, now)
    document = report_json(check(pa.table({"a": before}), pa.table({"a": now})))["columns"][0]
    known, seen = (pa.chunked_array([pa.array(side)]) for side in (before, now))
    profile = profile_reference("a", known)
    shape = shape_of(profile, profile_like(profile, seen))
    return document | {
        "page": quality_sentences(found), "reason": found.reason, "shape": getattr(shape, "current", None),
    }  # fmt: skip


@pytest.mark.parametrize("values", [["no", "yes"], [0, 1]], ids=["levels", "few-numbers"])
def test_what_is_told_of_two_levels_is_the_same_for_several_small_counts(values):
    """With 300 rows and the reference known, an exact effect or p-value would be the count itself."""
    low, high = values
    seen = {}
    for few in (2, 3, 4, 5, 6):
        found = told([low, high] * 150, [low] * (300 - few) + [high] * few)
        del found["shape"]
        seen[few] = json.dumps(found, default=str)
    assert len(set(seen.values())) == 1, seen
    assert "total variation about 0.5, adjusted p < 0.0001" in seen[3]
    assert column([low, high] * 150, [low] * 297 + [high] * 3).verdict is Verdict.DRIFT


@pytest.mark.parametrize("turned", [False, True], ids=["reference-constant", "current-constant"])
@pytest.mark.parametrize("above", [False, True], ids=["few-others", "few-alike"])
def test_beside_a_single_value_no_figure_counts_the_few_who_differ(above, turned):
    """Where one side is all 0, D times the other's rows is how many of those are not 0."""
    seen = {}
    for few in (2, 3, 4, 5, 6):
        others = [0.0] * (400 - few) + [number / 7 for number in range(1, few + 1)]
        odd = [float(value == 0) * (1 + place / 9) for place, value in enumerate(others)] if above else others
        pair = ([0.0] * 400, odd)
        found = told(*(reversed(pair) if turned else pair))
        del found["shape"]  # has only cells of more than ten
        seen[few] = json.dumps(found, default=str)
    assert len(set(seen.values())) == 1, seen


@pytest.mark.parametrize("few", [2, 3, 4])
def test_a_few_missing_values_show_neither_in_p_values_nor_in_shares_nor_in_words(few):
    rng = np.random.default_rng(1)
    known = rng.choice(["a", "b"], 400).tolist()
    now = [*rng.choice(["a", "b", "new"], 38 - few).tolist(), *["new"] * 12, *[None] * few]
    document = told(known, now)
    missing = document["quality"]["missing"]
    assert (missing["current"], missing["share_current"], missing["pvalue"]) == ("<11", None, None)
    (level,) = document["quality"]["new_levels"]
    assert level["share"] == level["count"] / 50, "of all rows: else the rest would be known"
    lost = told(list(map(float, range(100))), [*map(float, range(40)), *[None] * 8])
    assert "%" not in lost["reason"]


def test_the_chart_has_no_pool_of_a_few_rows_that_one_side_lacks():
    shape = told(["p", "q"] * 250, ["p"] * 250 + ["q"] * 247 + ["z"] * 3)["shape"]
    assert all(not is_small(round(share * 500)) for share in shape)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_levels_that_are_told_hold_nobody_or_enough(pairs):
    ordered = sorted(pairs, key=lambda pair: -sum(pair))
    p, q = np.array(ordered).T
    rare = rare_levels(p, q)
    assert not any(map(is_small, (*p[~rare], *q[~rare])))
    if not rare.all():
        assert not any(map(is_small, (int(p[rare].sum()), int(q[rare].sum()))))


def test_what_lies_outside_the_range_is_not_told_as_a_sum():
    known = np.linspace(0, 1, 300)
    found = told(known.tolist(), [*known[:270], *[2.0] * 27, *[-1.0] * 3])
    outside = found["quality"]["out_of_range"]
    assert outside == {"below": "<11", "above": 27}
    assert not any("30" in line for line in found["page"]), "30 less 27 are three people"
    assert "outside the reference's range: <11 below, 27 above" in found["page"]


START = datetime(2026, 1, 5, tzinfo=UTC)


def days(counts: list[tuple[int, int]]) -> PerformanceReport:
    return PerformanceReport(
        tuple(
            WindowPerformance(START + timedelta(at), START + timedelta(at + 1), f"day {at}", n, labelled)
            for at, (n, labelled) in enumerate(counts)
        ),
        (),
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=7, max_size=7))
def test_no_day_follows_from_its_week(counts):
    """The same log by week tells the sum of its seven days."""
    shown = [part["n"] for part in performance_json(days([(n, 0) for n in counts]))["windows"]]
    hidden = [n for n, one in zip(counts, shown, strict=True) if isinstance(one, str)]
    assert all(not is_small(n) or isinstance(one, str) for n, one in zip(counts, shown, strict=True))
    if any(map(is_small, hidden)) and len(hidden) < 7:
        assert len(hidden) > 1, "one hidden day alone is the week less the others"


def test_the_few_who_have_no_label_yet_are_not_told():
    parts = performance_json(days([(300, 297), (300, 150), (300, 300), (300, 0)]))["windows"]
    assert [part["labelled"] for part in parts] == ["all but <11", 150, 300, 0]


def test_no_segment_follows_from_the_others_and_the_window(tmp_path):
    import pandas as pd

    build(tmp_path, moved=0)
    file = tmp_path / "predictions" / "2026-01-06.parquet"
    log = pd.read_parquet(file)
    log.loc[:3, "site"] = "tiny"
    log.to_parquet(file)
    ws = open_workspace(tmp_path)
    watched = open_watched(ws, "risk")
    found = segments_of(ws, watched, watched.window(), "site")
    shown = [segment.told_rows for segment in found]
    assert [segment.level for segment in found if isinstance(segment.told_rows, str)], shown
    assert sum(segment.rows for segment in found) == 296 and "hidden" in shown
    assert all(math.isfinite(segment.rows) for segment in found)
