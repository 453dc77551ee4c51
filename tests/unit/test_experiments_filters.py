"""The filter language: against a plain Python evaluator, and pointing at what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.experiments import columns
from core.experiments.filter_types import FilterError
from core.experiments.filters import parse_filter, parse_order
from core.experiments.search import Extremes, select
from core.experiments.types import RunTable

NAN = float("nan")
RUNS = [
    {
        "auroc": 0.9,
        "loss": 0.1,
        "model": "rf",
        "stage": "dev",
        "status": "FINISHED",
        "end": 60_000,
        "curve": (0.1, 0.9),
        "commit": "1a2b3c4d" * 5,
        "data": [("train", "ab12", "training"), ("hold", "ff00", "test")],
    },
    {
        "auroc": NAN,
        "model": "100%",
        "stage": "a_b",
        "status": "FAILED",
        "end": 1_000,
        "commit": "1a2b" + "0" * 36,
    },
    {
        "loss": -0.5,
        "model": "5",
        "status": "RUNNING",
        "end": None,
        "curve": (-1.0, 2.0),
        "data": [("train", "cd34", "")],
    },
    {"auroc": 0.0, "loss": NAN, "stage": "Dev\nx", "status": "FINISHED", "end": 0},
    {"auroc": 1e308, "model": "", "stage": "aXb", "status": "KILLED", "end": 7_200_000},
]


def table() -> RunTable:
    def text(key: str) -> pa.Array:
        return pa.array([run.get(key) for run in RUNS], pa.string())

    def number(key: str) -> pa.Array:
        return pa.array([run.get(key) for run in RUNS], pa.float64())

    size = len(RUNS)
    frame = columns.attributes(
        {
            "run_id": pa.array([f"{index:032x}" for index in range(size)]),
            **{
                name: pa.array([""] * size)
                for name in ("name", "experiment", "experiment_id", "user", "artifact_uri")
            },
            "lifecycle_stage": pa.array(["active"] * size),
            "status": text("status"),
            "start_time": pa.array([0] * size),
            "end_time": pa.array([run["end"] for run in RUNS], pa.int64()),
        }
    )
    return RunTable(
        attributes=frame,
        metrics=pa.table({"auroc": number("auroc"), "loss": number("loss")}),
        params=pa.table({"model": text("model")}),
        tags=pa.table({"stage": text("stage"), "mlflow.source.git.commit": text("commit")}),
        datasets=pa.Table.from_pylist(
            [
                {"run_id": f"{index:032x}", "name": name, "digest": digest, "context": context, "source": ""}
                for index, run in enumerate(RUNS)
                for name, digest, context in run.get("data", ())
            ],
            schema=columns.dataset_schema(),
        ),
        total=size,
        source="direct",
        as_of=datetime(2026, 11, 1, tzinfo=UTC),
    )


TABLE = table()


def ranges(metric: str, run_ids: pa.Array) -> pa.Table:
    known = [(f"{index:032x}", *run["curve"]) for index, run in enumerate(RUNS) if "curve" in run]
    return pa.table(dict(zip(("run_id", "low", "high"), map(list, zip(*known, strict=True)), strict=True)))


def search(filter: str, order: str = "") -> list[int]:
    found = select(TABLE, filter, order, None, Extremes(ranges, {"curve": "lower"}))
    return [int(run_id, 16) for run_id in found.run_ids]


# A condition is built as text and as a Python function of a run that gives True, False or None (unknown).

COMPARE = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
METRICS = {"metrics.auroc": "auroc", "metric.`loss`": "loss", 'metrics."loss"': "loss"}
TEXTS = {"params.model": "model", "tags.stage": "stage", "status": "status", "attributes.status": "status"}


def known(key, test):
    return lambda run: None if run.get(key) is None else test(run[key])


@st.composite
def metric_comparison(draw):
    name, sign = draw(st.sampled_from(sorted(METRICS))), draw(st.sampled_from(sorted(COMPARE)))
    value = draw(st.one_of(st.sampled_from([0.9, 0, -0.5, 1e-3]), st.floats(-2, 2)))
    return f"{name} {sign} {value!r}", known(METRICS[name], lambda found: COMPARE[sign](found, value))


@st.composite
def text_comparison(draw):
    name, sign = (
        draw(st.sampled_from(sorted(TEXTS))),
        draw(st.sampled_from(["=", "!=", "LIKE", "ilike", "IN", "not in"])),
    )
    value = draw(
        st.one_of(
            st.sampled_from(["rf", "a_b", "dev%", "%", "", "FINISHED", ".*"]), st.text("abDe_%.x", max_size=4)
        )
    )
    quoted = f'"{value}"'
    if sign in ("=", "!="):
        return f"{name} {sign} {quoted}", known(TEXTS[name], lambda found: COMPARE[sign](found, value))
    if "in" in sign.lower().split():
        wanted = sign == "IN"
        return f"{name} {sign} ({quoted}, 'rf')", known(
            TEXTS[name], lambda found: (found in (value, "rf")) is wanted
        )
    pattern = "".join(".*" if sign_ == "%" else "." if sign_ == "_" else re.escape(sign_) for sign_ in value)
    flags = re.DOTALL | (re.IGNORECASE if sign == "ilike" else 0)
    return f"{name} {sign} {quoted}", known(
        TEXTS[name], lambda found: bool(re.fullmatch(pattern, found, flags))
    )


@st.composite
def null_test(draw):
    name = draw(st.sampled_from(sorted(METRICS | TEXTS)))
    wanted = draw(st.booleans())
    key = (METRICS | TEXTS)[name]
    return f"{name} is {'' if wanted else 'NOT '}null", lambda run: (run.get(key) is None) is wanted


@st.composite
def duration_comparison(draw):
    sign = draw(st.sampled_from(sorted(COMPARE)))
    text, seconds = draw(
        st.sampled_from([("1m", 60), ("'60s'", 60), ("0", 0), ("1000ms", 1), ("2h", 7200), ("0.5h", 1800)])
    )
    return f"duration {sign} {text}", known("end", lambda found: COMPARE[sign](found / 1000, seconds))


@st.composite
def range_comparison(draw):
    over, side = draw(st.sampled_from([("min", 0), ("max", 1), ("best", 0)]))
    sign, value = draw(st.sampled_from(sorted(COMPARE))), draw(st.sampled_from([-1, 0.1, 0.9, 2]))
    return f"{over}(metrics.curve) {sign} {value}", known(
        "curve", lambda found: COMPARE[sign](found[side], value)
    )


@st.composite
def commit_comparison(draw):
    sign, start = (
        draw(st.sampled_from(["=", "!="])),
        draw(st.sampled_from(["1a2b", "1A2B3C4", "1a2b0", "ffff"])),
    )
    wanted = sign == "="
    return f"git_commit {sign} '{start}'", known(
        "commit", lambda found: found.startswith(start.lower()) is wanted
    )


@st.composite
def dataset_comparison(draw):
    place, key = draw(st.sampled_from(list(enumerate(("name", "digest", "context")))))
    value = draw(st.sampled_from(["train", "ab12", "training", "", "nothing"]))
    text, test = draw(
        st.sampled_from(
            [
                (f"= '{value}'", lambda found: found == value),
                (f"!= '{value}'", lambda found: found != value),
                (f"NOT IN ('{value}', 'cd34')", lambda found: found not in (value, "cd34")),
                (f"NOT LIKE '{value}%'", lambda found: not found.startswith(value)),
            ]
        )
    )
    # A run has any number of data sets: the question is whether one fits, so it is never unknown.
    return f"dataset.{key} {text}", lambda run: any(
        item[place] and test(item[place]) for item in run.get("data", ())
    )


nan_test = st.just(("metrics.auroc IS NAN", known("auroc", lambda found: found != found)))


def negated(part):
    text, test = part

    def unless(run):
        found = test(run)
        return None if found is None else not found

    return f"NOT ({text})", unless


def joined(parts):
    (left, first), word, (right, second) = parts

    def both(run):
        values = (first(run), second(run))
        decided = word == "or"
        return decided if decided in values else None if None in values else not decided

    return f"({left}) {word} ({right})", both


conditions = st.recursive(
    st.one_of(
        metric_comparison(),
        text_comparison(),
        null_test(),
        nan_test,
        duration_comparison(),
        range_comparison(),
        commit_comparison(),
        dataset_comparison(),
    ),
    lambda inner: st.one_of(
        inner.map(negated), st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(joined)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(conditions)
def test_filters_mean_what_plain_python_says(condition):
    text, test = condition
    assert sorted(search(text)) == [index for index, run in enumerate(RUNS) if test(run) is True]


@settings(max_examples=300, deadline=None)
@given(st.text("metrics.auroc<>=!'\"`()0123 andornot,likein%_-\\;é\n", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_filter_or_a_bad_filter(text):
    try:
        search(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("metrics.auroc > 'high'", 16, "a metric is compared with a number"),
        ("metrics.auroc >", 15, "a metric is compared with a number"),
        ("params.model > 'rf'", 13, "text is compared with = or !="),
        ("auroc > 0.9", 0, "'auroc' is not an attribute"),
        ("metric.auroc > 0.9 params.x = 'a'", 19, "expected AND or OR"),
        ("(metrics.auroc > 0.9", 20, "closing parenthesis"),
        ("metrics.auroc > 0.9)", 19, "expected AND or OR"),
        ("params.model = 'rf", 15, "quote ' is not closed"),
        ("params.model = rf", 15, "a value in 'quotes'"),
        ("start_time > 'yesterday'", 13, "is not a time"),
        ("duration > 'long'", 11, "is not a duration"),
        ("dataset.size = 'x'", 0, "a name, a digest and a context"),
        ("what.x = 'x'", 0, "'what' is not known"),
        ("metrics.auroc > 0.9; DROP TABLE runs", 19, "';' has no meaning"),
        ("status IN 'FAILED'", 10, "a list in parentheses"),
        ("max(params.model) > 3", 4, "max() takes a metric"),
        ("(" * 100 + "a", 60, "nested"),
        ("metrics.x > 1 AND AND", 18, "expected what to compare"),
    ],
)
def test_a_wrong_filter_points_at_the_character(text, place, problem):
    with pytest.raises(FilterError, match=re.escape(problem)) as caught:
        parse_filter(text)
    assert caught.value.position == place


def test_a_filter_of_any_length_and_with_any_quotes():
    assert search(" AND ".join(["metrics.auroc > 0.5"] * 2000)) == search("metrics.auroc > 0.5")
    assert search(" OR ".join(["status = 'FAILED'", "status = 'KILLED'"] * 1000)) == search(
        "status IN ('FAILED', 'KILLED')"
    )
    quoted = parse_filter("params.model = 'it''s \"so\"'")
    assert quoted == parse_filter('params.model = "it\'s ""so"""') and quoted.value == 'it\'s "so"'
    with pytest.raises(FilterError, match="half a character") as caught:
        search("params.model = '\udcff'")
    assert caught.value.position == 16 and str(caught.value).encode()


def test_a_metric_without_a_direction_has_no_best():
    with pytest.raises(BadInput, match="no direction is declared"):
        search("best(metrics.mystery) > 1")


def test_numbers_written_in_params_and_relative_times():
    assert search("params.model = 5") == [2]
    assert search("duration >= 1h") == [4] and search("duration < '2s'") == [1, 3]
    assert search("start_time < 7d ago") == [0, 1, 2, 3, 4] and search("start_time > '30 d ago'") == []


def test_order_puts_missing_values_and_nan_last():
    assert search("", "metrics.auroc") == [3, 0, 4, 1, 2]
    assert search("", "metrics.auroc DESC") == [4, 0, 3, 1, 2]
    assert search("", "tags.stage DESC, run_id")[-1] == 2
    with pytest.raises(FilterError, match="cannot be ordered"):
        parse_order("dataset.name")
    with pytest.raises(FilterError, match="expected a comma"):
        parse_order("metrics.auroc UP")
