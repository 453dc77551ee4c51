"""Completing a filter: every offer goes on from what is written, and leads to a filter that can be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments import columns
from core.experiments.completion import OFFERED, completions
from core.experiments.filter_types import FilterError
from core.experiments.filters import parse_filter
from core.experiments.types import RunTable

RUNS = 12


def table() -> RunTable:
    words = pa.array([f"r{row}" for row in range(RUNS)])
    frame = columns.attributes(
        {
            name: words
            for name in columns.attribute_schema().names
            if name not in ("start_time", "end_time", "duration_s")
        }
        | {"start_time": pa.array([0] * RUNS), "end_time": pa.array([1000] * RUNS)}
        | {"status": pa.array(["FINISHED", "FAILED"] * (RUNS // 2))}
    )
    nan = float("nan")
    return RunTable(
        attributes=frame,
        metrics=pa.table(
            {"auroc": [row / RUNS for row in range(RUNS)], "val auroc": [0.5] * RUNS, "odd": [nan] * RUNS}
        ),
        params=pa.table({"model_type": ["rf", "it's", 'a "b"'] * 4, "both quotes": ["'\""] * RUNS}),
        tags=pa.table({"stage": ["dev"] * RUNS, "mlflow.user": ["ana"] * RUNS}),
        datasets=columns.dataset_schema().empty_table(),
        total=RUNS,
        source="direct",
        as_of=datetime(2026, 11, 1, tzinfo=UTC),
    )


TABLE = table()


def offered(text: str) -> list[str]:
    return [item.text for item in completions(text, TABLE)]


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("au", "metrics.auroc "),
        ("metrics.val", "metrics.`val auroc` "),
        ("metrics.`va", "metrics.`val auroc` "),
        ("metrics.auroc ", "metrics.auroc > "),
        ("metrics.auroc > 0.5", "metrics.auroc > 0.5 AND "),
        ("metrics.auroc > 0.5 o", "metrics.auroc > 0.5 OR "),
        ("params.model_type = 'r", "params.model_type = 'rf' "),
        ("params.model_type = ", "params.model_type = 'rf' "),
        ("status = 'FA", "status = 'FAILED' "),
        ("start_time > ", "start_time > 1d ago "),
        ("max(au", "max(metrics.auroc) "),
        ("NOT (tags.sta", "NOT (tags.stage "),
        ("metrics.auroc IS ", "metrics.auroc IS NULL "),
    ],
)
def test_the_first_offer(written: str, first: str):
    assert offered(written)[0] == first


def test_mlflows_own_tags_and_values_without_a_quote_are_not_offered():
    assert not any("mlflow" in text for text in offered("tags."))
    assert offered("params.`both quotes` = ") == [] and offered("metrics.odd > ") == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, OFFERED - 1), min_size=1, max_size=16))
def test_following_the_offers_is_never_wrong_before_its_end(choices: list[int]):
    text = ""
    for choice in choices:
        found = offered(text)
        if not found:
            break
        text = found[choice % len(found)]
        try:
            parse_filter(text)
        except FilterError as error:
            assert error.position >= len(text.rstrip()), text


@settings(max_examples=300, deadline=None)
@given(st.text("metrics.auroc<>=!'\"`()0123 andornot,likein%_-\\;é\n", max_size=30) | st.text(max_size=15))
def test_any_text_can_be_gone_on_with(text: str):
    assert len(completions(text, TABLE)) <= OFFERED
