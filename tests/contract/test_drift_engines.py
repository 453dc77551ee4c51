"""One contract for every engine: what PostgreSQL and Spark say of two tables is what this machine says of them."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ibis.backends.sql.compilers.bigquery import BigQueryCompiler
from ibis.backends.sql.compilers.trino import TrinoCompiler
from jsonschema import validate
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.cli.drift import app
from core.cli.main import app as model_desk
from core.drift.check import check
from core.drift.engines.bracket import ANSWER, Buckets, Sizes, deciding
from core.drift.engines.numbers import compare_numbers
from core.drift.engines.open import open_table
from core.drift.engines.table import EngineTable
from core.drift.monitor import Status, monitor_report
from core.drift.policy import Policy
from core.drift.statistics.ks import distance
from core.drift.types import ColumnKind, DriftReport, TestResult, Verdict
from core.errors import BadInput, NotFound, Unavailable
from core.workspace import open_workspace
from tests.contract.engine_tables import Postgres, Spark, Tables
from tests.contract.ledger_store import fresh_database
from tests.watched_workspace import build

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SCHEMA = Path(__file__).parents[2] / "core" / "cli" / "schemas" / "drift-check.json"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
ON_THIS_MACHINE_ALONE = {"wasserstein_normed"}
"""Needs every value in order; no engine is asked for it."""
TEXT_DATES = {
    "day as text": ("newest_reference", "newest_current", "in_future", "below_range", "above_range")
}


@pytest.fixture(scope="module")
def on_postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    tables = Postgres(fresh_database(request.getfixturevalue("postgres")))
    yield tables
    tables.close()


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Spark:
    pytest.importorskip("pyspark", reason="make test-spark installs it")
    return Spark(tmp_path_factory.mktemp("spark"))


@pytest.fixture(
    params=[
        pytest.param("on_postgres", marks=pytest.mark.postgres),
        pytest.param("on_spark", marks=[pytest.mark.spark, pytest.mark.slow]),
    ]
)
def tables(request: pytest.FixtureRequest) -> Tables:
    return request.getfixturevalue(request.param)


def hard(rows: int, shift: float, seed: int) -> pa.Table:
    """Every kind of column, and what makes each hard."""
    rng = np.random.default_rng(seed)
    lab = rng.lognormal(0, 3, rows)
    lab[:6] = [math.nan, math.nan, math.inf, math.inf, -math.inf, 5e-324]
    wide = rng.normal(0, 1, rows)
    wide[:4] = [1.5e308, -1.5e308, 1e-310, -0.0]
    code = rng.integers(0, 6, rows)
    text = rng.choice(
        ["f", "m", "Ärztin 'x'", 'a "b"; --', "雪", "", "10%_"], rows, p=[0.4, 0.3] + [0.06] * 5
    )
    hours = np.arange(rows, dtype="int64") * 3_600_000_000 + 1_767_225_600_000_000
    return pa.table(
        {
            "age": np.round(rng.normal(50 + 10 * shift, 10, rows), 1),
            "lab": pa.array(lab, from_pandas=False),
            "NaN, and NULL": pa.array([(None, math.nan, float(i % 90))[min(i % 7, 2)] for i in range(rows)]),
            "atom": np.where(rng.random(rows) < 0.6 - 0.2 * shift, 0.0, rng.exponential(1, rows)),
            "outlier": np.append(rng.normal(shift, 1, rows - 1), 1e9),
            "wide": wide,
            "code": pa.array(code, mask=rng.random(rows) < 0.1),
            "float32": rng.normal(0, 1, rows).astype("float32"),
            "amount": pa.array([f"{v:.2f}" for v in rng.gamma(2, 50, rows)]).cast(pa.decimal128(12, 2)),
            "flag": pa.array(rng.random(rows) < 0.4 + 0.2 * shift, mask=rng.random(rows) < 0.05),
            'the "Sex" or 性': text,
            "patient_id": np.arange(rows, dtype="int64") + 100,
            "mrn": [f"P-{seed}-{number}" for number in range(rows)],
            "note": [f"patient number {number} felt rather well" for number in range(rows)],
            "day as text": [f"2026-01-{1 + number % 28:02d}" for number in range(rows)],
            "seen": pa.array(hours, pa.timestamp("us")),
            "seen in zone": pa.array(hours, pa.timestamp("us", tz="UTC")),
            "born": pa.array([date(1950 + number % 60, 1, 1) for number in range(rows)]),
            "constant": np.full(rows, 1.5),
            "nothing": pa.array([None] * rows, pa.float64()),
            "was a number": np.arange(rows, dtype="float64") if shift == 0 else [str(i) for i in range(rows)],
            "becomes empty": np.arange(rows) % 9.0 if shift == 0 else pa.array([None] * rows, pa.float64()),
            "old" if shift == 0 else "new": np.arange(rows) % 5,
        }
    )  # fmt: skip


def assert_same(here: DriftReport, there: DriftReport) -> None:
    """Everything but how a type is called there, and what only this machine works out."""
    assert (here.verdict, here.reason, here.rows_reference, here.rows_current) == (
        there.verdict, there.reason, there.rows_reference, there.rows_current,
    )  # fmt: skip
    for one in here.columns:
        other = there.column(one.name)
        if one.kind is ColumnKind.EMPTY:  # of a column without a reference only the verdict counts
            assert (one.kind, one.verdict) == (other.kind, other.verdict)
            continue
        for name in ("kind", "verdict", "test", "rows_reference", "rows_current"):
            assert getattr(one, name) == getattr(other, name), (one.name, name, other.reason)
        for name in ("pvalue", "adjusted_pvalue", "effect", "detectable"):
            assert near(getattr(one, name), getattr(other, name)), (one.name, name)
        for name in {field.name for field in dataclasses.fields(one.statistics)} - ON_THIS_MACHINE_ALONE:
            left, right = getattr(one.statistics, name), getattr(other.statistics, name)
            assert same_statistic(left, right), (one.name, name, left, right)
        for field in dataclasses.fields(one.quality):
            if field.name not in ("type_reference", "type_current", *TEXT_DATES.get(one.name, ())):
                left, right = getattr(one.quality, field.name), getattr(other.quality, field.name)
                same = same_levels(left, right) if isinstance(left, tuple) else near(left, right)
                assert same, (one.name, field.name, left, right)


def near(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other)) or abs(one - other) < 1e-12
    return one == other


def same_levels(one: tuple, other: tuple) -> bool:
    return sorted((level.name, level.count) for level in one) == sorted(
        (level.name, level.count) for level in other
    )


def same_statistic(one: object, other: object) -> bool:
    if isinstance(one, TestResult) and isinstance(other, TestResult):
        return (
            one.method == other.method
            and near(one.statistic, other.statistic)
            and near(one.pvalue, other.pvalue)
        )
    return near(one, other)


@pytest.fixture(scope="module")
def hard_pair() -> tuple[pa.Table, pa.Table]:
    return hard(1500, 0, 1), hard(900, 1, 2)


def test_an_engine_says_what_this_machine_says(tables, hard_pair):
    policy = Policy(ignore=("was a number",))
    here = check(*hard_pair, policy, now=NOW)
    there = check(*map(tables.put, hard_pair), policy, now=NOW)
    assert {column.verdict for column in here.columns} >= {
        Verdict.DRIFT, Verdict.OK, Verdict.NO_DATA, Verdict.NEW, Verdict.VANISHED, Verdict.NOT_TESTED,
    }  # fmt: skip
    assert there.engine in ("postgres", "spark")
    assert_same(here, there)


@pytest.fixture(scope="module")
def questions(on_postgres, hard_pair) -> list[Any]:
    """All that a database is asked about the hard tables."""
    asked, fetch = [], EngineTable.fetch

    def kept(table: EngineTable, question: nw.LazyFrame, *most: int) -> pa.Table:
        asked.append(nw.to_native(question).unbind())
        return fetch(table, question, *most)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EngineTable, "fetch", kept)
        check(*map(on_postgres.put, hard_pair), Policy(ignore=("was a number",)), now=NOW)
    return asked


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("dialect", "compiler", "own"),
    [("trino", TrinoCompiler, set()), ("bigquery", BigQueryCompiler, {"ieee_divide"})],
)
def test_every_question_can_be_written_for_a_warehouse_that_is_not_here(questions, dialect, compiler, own):
    """Written and parsed, not run: no server of either is to be had. ``own`` are functions sqlglot has no name for."""
    assert len(questions) > 10
    for question in questions:
        written = compiler().to_sqlglot(question).sql(dialect)
        found = sqlglot.parse_one(written, dialect=dialect)
        assert {function.name.lower() for function in found.find_all(sqlglot.exp.Anonymous)} <= own, written


def test_one_question_is_enough_for_all_columns(tables, monkeypatch):
    """Twenty columns cost no more questions than one, so that what a question costs is paid once."""
    asked, fetch = [], EngineTable.fetch

    def counted(table: EngineTable, *question: Any) -> pa.Table:
        asked.append(question)
        return fetch(table, *question)

    monkeypatch.setattr(EngineTable, "fetch", counted)
    rng = np.random.default_rng(7)
    for columns in (1, 20):
        left, right = (
            tables.put(pa.table(
                {f"n{at}": rng.normal(0, 1, rows) for at in range(columns)}
                | {f"c{at}": rng.choice(["f", "m"], rows) for at in range(columns)}
            ))
            for rows in (900, 400)
        )  # fmt: skip
        asked.clear()
        report = check(left, right)
        assert all(column.verdict is Verdict.OK for column in report.columns)
        assert len(asked) <= 6


def test_what_a_policy_overrides_and_a_changed_type(tables, hard_pair):
    left, right = map(tables.put, hard_pair)
    kinds = {
        "code": ColumnKind.CATEGORICAL, "flag": ColumnKind.NUMERIC, "age": ColumnKind.UNSUPPORTED,
        "patient_id": ColumnKind.NUMERIC, "mrn": ColumnKind.CATEGORICAL,
    }  # fmt: skip
    policy = Policy(kinds=kinds, ignore=("day as text", "note"))
    here, there = check(*hard_pair, policy), check(left, right, policy)
    assert there.column("was a number").verdict is Verdict.TYPE_CHANGED
    for name in kinds:
        one, other = here.column(name), there.column(name)
        assert (one.kind, one.verdict, one.test) == (other.kind, other.verdict, other.test), name
        assert near(one.effect, other.effect) and near(one.pvalue, other.pvalue), name


@pytest.mark.parametrize(("reference", "current"), [(0, 50), (50, 0), (1, 1), (0, 0), (40, 1)])
def test_no_rows_and_one_row(tables, hard_pair, reference, current):
    names = ["age", "lab", "code", "flag", 'the "Sex" or 性', "seen", "patient_id", "constant"]
    pair = hard_pair[0].select(names).slice(0, reference), hard_pair[1].select(names).slice(0, current)
    there = check(*map(tables.put, pair), now=NOW)
    assert there.verdict is Verdict.INCONCLUSIVE
    assert_same(check(*pair, now=NOW), there)


@pytest.mark.parametrize("rows", [2_000, 20_000])
def test_only_aggregates_leave_the_engine(tables, rows):
    """Every value differs, and yet only some hundred counts a column come here, however many rows there are."""
    rng = np.random.default_rng(5)
    pair = [
        pa.table({
            "normal": rng.normal(shift, 1, rows), "skewed": rng.lognormal(shift, 2, rows),
            "patient": [f"{shift}{number}" for number in range(rows)],
            "site": rng.choice(["north", "south"], rows),
        })
        for shift in (0.0, 0.1)
    ]  # fmt: skip
    left, right = map(tables.put, pair)
    report = check(left, right)
    assert_same(check(*pair), report)
    assert report.column("patient").kind is ColumnKind.IDENTIFIER
    assert left.fetched + right.fetched < 2_500


def test_columns_whose_every_bucket_may_hold_the_distance(tables):
    """Tables that are the same, a bell of many rows, and values over 600 powers of ten: no cut helps, D is exact."""
    rng = np.random.default_rng(9)
    same, sizes = rng.normal(0, 1, 40_000), (40_000, 30_000)
    pair = [
        pa.table({
            "same": same[:rows] if rows == 40_000 else np.append(same[:29_999], 0.5),
            "bell": rng.normal(0, 1, rows), "powers": 10.0 ** rng.uniform(-300, 300, rows),
        })
        for rows in sizes
    ]  # fmt: skip
    pair.append(pair[0])
    for one, other in (pair[:2], pair[::2]):
        left, right = tables.put(one), tables.put(other)
        assert_same(check(one, other), check(left, right))
        assert left.fetched + right.fetched < 6_000


def test_a_column_of_too_many_levels_costs_no_other(tables):
    rows = 25_000
    names = [f"code {number % 12_000}" for number in range(rows)]
    pair = [pa.table({"code": names, "flag": [bool(number % 3) for number in range(rows)]})] * 2
    report = check(*map(tables.put, pair))
    assert report.column("flag").verdict is Verdict.OK
    assert report.column("code").verdict is Verdict.NOT_TESTED
    assert "10,000 different values" in report.column("code").reason


def test_a_table_that_is_not_there(tables):
    engine, connect = ("spark", "local[2]") if isinstance(tables, Spark) else ("ibis", tables.url)
    with pytest.raises(NotFound, match="no_such_table"):
        open_table(engine, "no_such_table", connect)
    with pytest.raises(BadInput, match="nothing"):
        check(tables.put(pa.table({"x": [1]})), tables.put(pa.table({"x": [1]})), columns=["nothing"])
    with pytest.raises(BadInput, match="in an engine, the other is not"):
        check(tables.put(pa.table({"x": [1]})), pa.table({"x": [1]}))


ODD = st.floats(allow_subnormal=True) | st.sampled_from(
    [0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, 1e9, 5e-324]
)
SAMPLES = st.lists(ODD | st.integers(-3, 3).map(float), min_size=1, max_size=60)


@given(reference=SAMPLES, current=SAMPLES, cuts=st.lists(ODD, max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_bracket_holds_the_exact_distance(reference, current, cuts):
    """Whatever the cuts: counts alone never claim a narrower bracket than the values allow, nor hide where D lies."""
    left, right = (np.sort([v for v in side if not math.isnan(v)]) for side in (reference, current))
    if not len(left) or not len(right):
        return
    values = np.unique(np.concatenate([left, right]))
    values = values[np.isfinite(values)]
    part = np.searchsorted(np.sort([c for c in cuts if not math.isnan(c)]), values)
    ends = [np.flatnonzero(part == number) for number in np.unique(part)]
    low, high = (np.array([values[place[end]] for place in ends]) for end in (0, -1))
    sizes = Sizes(**{
        name: tuple(int(np.sum(which(side))) for side in (left, right))
        for name, which in (("finite", np.isfinite), ("below", np.isneginf), ("above", np.isposinf))
    })  # fmt: skip
    counts = [
        np.searchsorted(side, high, "right") - np.searchsorted(side, low, "left") for side in (left, right)
    ]
    rows = dict(zip(("low", "high", "reference", "current"), (low, high, *counts), strict=True))
    whole = {"n_reference": sizes.rows[0], "n_current": sizes.rows[1], "finite": max(1, sizes.finite[0])}
    whole |= {"start": sizes.gap(0, 0), "outer": len(ends) - 1, "column": 0}
    frame = pd.DataFrame({"key": np.arange(len(ends)), **rows, **whole})
    found = deciding(nw.from_native(frame)).to_native() if len(frame) else frame.reindex(columns=ANSWER)
    buckets = Buckets.of({name: found[name].to_numpy() for name in ANSWER}, sizes)
    assert len(buckets.keys) == len(ends), "so few buckets are all told"
    smallest, largest = buckets.bracket()
    assert smallest <= distance(left, right) <= largest
    assert smallest == largest or buckets.needed.any()


@pytest.mark.postgres
@given(st.lists(st.tuples(SAMPLES, SAMPLES), min_size=4, max_size=4))
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink a failure takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_sample_has_the_same_distance_in_postgresql(on_postgres, pairs):
    def side(number: int) -> pa.Table:
        longest = max(len(pair[number]) for pair in pairs)
        padded = [[*pair[number], *[None] * (longest - len(pair[number]))] for pair in pairs]
        return pa.table({f"c{at}": pa.array(column, pa.float64()) for at, column in enumerate(padded)})

    one, other = side(0), side(1)
    left, right = on_postgres.put(one), on_postgres.put(other)
    assert_same(check(one, other), check(left, right))
    for name in left.names:
        if all(side.facts.of(name).missing < side.rows for side in (left, right)):
            found = compare_numbers(left, right, [name])[name]
            assert found.bracket[0] <= found.distance <= found.bracket[1]


def test_an_engine_that_is_not_installed_or_unknown(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ibis", None)
    monkeypatch.setitem(__import__("sys").modules, "pyspark", None)
    monkeypatch.setitem(__import__("sys").modules, "pyspark.errors", None)
    with pytest.raises(BadInput, match=r"pip install -r requirements-ibis.txt"):
        open_table("ibis", "t", "postgresql://127.0.0.1:1/x")
    with pytest.raises(BadInput, match=r"pip install -r requirements-spark.txt"):
        open_table("spark", "t")
    with pytest.raises(BadInput, match="no engine 'dask'"):
        open_table("dask", "t")
    with pytest.raises(BadInput, match="needs the database's URL"):
        open_table("ibis", "t")


def test_a_password_is_never_told():
    with pytest.raises(Unavailable) as failed:
        open_table("ibis", "t", "postgresql://reader:s3cr3t@127.0.0.1:1/clinic?options=s3cr3t")
    assert "127.0.0.1:1/clinic" in str(failed.value) and "s3cr3t" not in str(failed.value)


@pytest.mark.postgres
def test_the_command_compares_two_tables_of_a_database(on_postgres, hard_pair, monkeypatch):
    for name, table in zip(("training", "predictions"), hard_pair, strict=True):
        on_postgres.write(table.select(["age", 'the "Sex" or 性']), name)
    monkeypatch.setenv("MODELDESK_CONNECT", on_postgres.url)
    both = ["check", "--engine", "ibis", "--reference", "training", "--output", "json", "--current"]
    result = CliRunner().invoke(app, [*both, "public.predictions"], catch_exceptions=False)
    document = json.loads(result.stdout)
    validate(document, json.loads(SCHEMA.read_text()))
    assert (result.exit_code, document["verdict"], document["engine"]) == (3, "DRIFT", "postgres")
    with pytest.raises(BadInput, match="need the rows on this machine"):
        CliRunner().invoke(app, [*both, "predictions", "--mmd"], catch_exceptions=False)


WATCHED = """
name = "Test"
[mlflow]
tracking_uri = "sqlite:///mlflow.db"
[[monitors]]
model = "risk"
engine = "ibis"
connect_variable = "CLINIC_URL"
reference = "train"
predictions = "log"
"""


@pytest.fixture
def watched(on_postgres, tmp_path, monkeypatch) -> Path:
    """A workspace whose model is watched by two tables of a database: six days, of which three have moved."""
    build(tmp_path, moved=1)
    for name, path in (("train", "train.parquet"), ("log", "predictions")):
        on_postgres.write(pq.read_table(tmp_path / path), name)
    shutil.rmtree(tmp_path / "predictions")
    (tmp_path / "modeldesk.toml").write_text(WATCHED, encoding="utf-8")
    monkeypatch.setenv("CLINIC_URL", on_postgres.url)
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.mark.postgres
def test_the_monitor_asks_the_database_and_raises_one_alert(watched):
    ws = open_workspace(watched)
    before = monitor_report(ws, "risk", now=NOW)
    assert (before.status, before.drift) == (
        Status.INCONCLUSIVE,
        None,
    ) and "not compared yet" in before.reason
    asked = ["--workspace", str(watched), "--output", "json"]
    for known in (["drift"], []):
        result = CliRunner().invoke(model_desk, ["monitor", *asked], catch_exceptions=False)
        assert result.exit_code == 3
        document = json.loads(result.stdout)
        assert document["checked"][0]["window"] == "2026-01-06"
        assert "age (compared in postgres)" in document["checked"][0]["reason"]
        assert len(document["alerts"]["raised"]) == len(known)
    earlier = monitor_report(ws, "risk", now=NOW, at="2026-01-02", ask=True)
    assert (earlier.status, earlier.window) == (Status.OK, "2026-01-02")
    by_week = monitor_report(ws, "risk", "week", NOW, ask=True)
    assert by_week.window == "2026-01-05" and by_week.drift.rows_current == 600
    assert "by day or week" in monitor_report(ws, "risk", "500", NOW, ask=True).reason
    kept = next((watched / ".modeldesk" / "reports").glob("*.json")).read_text(encoding="utf-8")
    assert "r5-" not in kept, "no identifier of a request is kept"


@pytest.mark.postgres
def test_the_page_shows_what_was_kept_and_names_the_engine(watched):
    ws = open_workspace(watched)
    page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/drift.py").run()
    assert not page.exception and "run `python -m core monitor" in " ".join(
        text.value for text in page.markdown
    )
    for day in ("2026-01-02", "2026-01-06"):
        monitor_report(ws, "risk", now=NOW, at=day, ask=True)
    page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/drift.py").run()
    assert not page.exception
    said = " ".join(element.value for element in (*page.markdown, *page.info, *page.caption))
    assert "Compared inside **postgres**" in said and "1 of 2 tested columns drifted: age" in said
    assert page.selectbox(key="at").options == ["newest", "2026-01-06", "2026-01-02"]
    assert [tab.label for tab in page.tabs] == ["Column", "All columns", "Quality", "Export"]


@pytest.mark.postgres
def test_a_stretch_of_the_log_may_be_the_reference_and_failures_are_findings(watched, monkeypatch):
    settings_file, ws = watched / "modeldesk.toml", open_workspace(watched)
    settings_file.write_text(WATCHED.replace('"train"', '"window:2026-01-01..2026-01-03"'), encoding="utf-8")
    report = monitor_report(open_workspace(watched), "risk", now=NOW, ask=True)
    assert (report.status, report.drift.rows_reference) == (Status.DRIFT, 900)
    settings_file.write_text(WATCHED.replace('"train"', '"window:soon"'), encoding="utf-8")
    assert "names no days" in monitor_report(open_workspace(watched), "risk", now=NOW, ask=True).reason
    monkeypatch.delenv("CLINIC_URL")
    assert "CLINIC_URL is not set" in monitor_report(ws, "risk", now=NOW, ask=True).reason


EDGES = [
    "2026-01-01T00:00", "2026-01-01T23:59:59.999999", "2026-01-02T00:00", "2026-01-02T04:59:59.999999",
    "2026-01-02T05:00", "2026-01-04T23:59:59.999999", "2026-01-05T00:00", "2026-03-08T06:59:59", "2026-03-08T07:00",
]  # fmt: skip
"""The first and last moments of days and of a week in UTC and in New York, and New York's change to summer time."""
ZONED = """
name = "Test"
[mlflow]
tracking_uri = "sqlite:///mlflow.db"
[[monitors]]
model = "files"
reference = "train.parquet"
predictions = "log.parquet"
[[monitors]]
model = "engine"
reference = {train}
predictions = {log}
engine = {engine}
connect = {connect}
"""


@pytest.mark.parametrize("kind", [pa.timestamp("us", tz="UTC"), pa.timestamp("us")])
def test_the_same_rows_fall_in_the_same_windows_whatever_zone_a_session_is_in(tables, tmp_path, kind):
    moments = [datetime.fromisoformat(edge).replace(tzinfo=UTC) for edge in EDGES for _ in range(40)]
    rng = np.random.default_rng(3)
    rows = {"age": rng.normal(50, 10, len(moments)), "prediction": np.ones(len(moments))}
    log = pa.table(rows | {"timestamp": pa.array(moments, kind)})
    both = {"train": pa.table({"age": rng.normal(50, 10, 500)}), "log": log}
    for name, table in both.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    where = {name: json.dumps(value) for name, value in tables.in_zone("America/New_York", both).items()}
    (tmp_path / "modeldesk.toml").write_text(ZONED.format(**where), encoding="utf-8")
    ws, ages = open_workspace(tmp_path), np.split(rows["age"], len(EDGES))
    expected = {"day": {}, "week": {}}
    for edge, values in zip(EDGES, ages, strict=True):
        day = date.fromisoformat(edge[:10])
        expected["day"].setdefault(day, []).extend(values)
        expected["week"].setdefault(day - timedelta(days=day.weekday()), []).extend(values)
    for window, starts in expected.items():
        for start, values in starts.items():
            here, there = (
                monitor_report(ws, model, window, NOW, str(start), ask=True) for model in ("files", "engine")
            )
            assert here.window == there.window == str(start), there.reason
            assert here.drift.rows_current == there.drift.rows_current == len(values)
            ks = distance(np.sort(both["train"]["age"].to_numpy()), np.sort(values))
            for report in (here, there):
                assert near(report.drift.column("age").effect, ks)
