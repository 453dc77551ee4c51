"""The same tables from SQLite, from PostgreSQL and from a real MLflow server over HTTP."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import pytest

from core.errors import BadInput, NotFound, Refused, Unavailable
from core.experiments import mlflow_rest
from core.experiments.mlflow_bulk import read_elsewhere
from core.experiments.mlflow_database import SqliteFile
from core.experiments.mlflow_postgres import PostgresServer
from core.experiments.mlflow_rows import read_runs, scope_of
from core.experiments.runs import Runs, open_tracking
from core.experiments.types import Keys
from tests.contract.experiments_store import (
    LONG,
    MANY,
    ODD_KEY,
    ODD_VALUE,
    START,
    OddStore,
    build,
    mlflow_server,
)
from tests.contract.mysql import mysql_binaries, mysql_server
from tests.contract.postgres import postgres_server, server_binaries
from tests.model_store import new_model_store

METRICS, PARAMS = attrgetter("metrics"), attrgetter("params")
NEWEST_FIRST = ["orphan", "child", "parent", "running", "odd values", "better", "base"]


@pytest.fixture(scope="module")
def sqlite_store(tmp_path_factory) -> OddStore:
    folder = tmp_path_factory.mktemp("odd")
    return build(new_model_store(folder).uri, folder)


@pytest.fixture(scope="module")
def postgres_store(tmp_path_factory):
    if server_binaries() is None:
        pytest.skip("no PostgreSQL server binaries on this machine")
    with postgres_server() as url:
        yield build(url, tmp_path_factory.mktemp("odd-postgres"))


@pytest.fixture(scope="module")
def mysql_store(tmp_path_factory):
    if mysql_binaries() is None:
        pytest.skip("no MariaDB server binaries on this machine")
    with mysql_server() as url:
        yield build(url, tmp_path_factory.mktemp("odd-mysql"))


@pytest.fixture(scope="module")
def server(sqlite_store, tmp_path_factory):
    with mlflow_server(sqlite_store.uri, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow]),
        pytest.param("mysql", marks=pytest.mark.slow),
        pytest.param("http", marks=pytest.mark.slow),
    ],
)
def opened(request, tmp_path_factory) -> tuple[Runs, OddStore]:
    if request.param in ("postgres", "mysql"):
        store = request.getfixturevalue(f"{request.param}_store")
        return open_tracking(store.uri, store.artifacts), store
    store = request.getfixturevalue("sqlite_store")
    if request.param == "sqlite":
        return open_tracking(store.uri, store.artifacts), store
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELDESK_CACHE", str(tmp_path_factory.mktemp("cache")))
        return open_tracking(request.getfixturevalue("server"), Path("nowhere")), store


@pytest.fixture(scope="module")
def runs(opened) -> Runs:
    return opened[0]


@pytest.fixture(scope="module")
def store(opened) -> OddStore:
    return opened[1]


def names(table) -> list[str]:
    return table.attributes["name"].to_pylist()


def test_experiments_by_name_with_how_fresh_they_are(runs):
    found = {item.name: item for item in runs.experiments()}
    assert list(found) == sorted(found)
    assert {"diagnosis", "Łódź / ward '7'"} <= set(found)
    if runs.source == "direct":
        assert (found["diagnosis"].runs, found["Łódź / ward '7'"].runs) == (7, 2)


def test_search_is_newest_first_without_deleted_runs(runs):
    table = runs.search("diagnosis")
    assert names(table) == NEWEST_FIRST
    assert (len(table), table.total) == (7, 7)
    assert datetime.now(UTC) - table.as_of < timedelta(minutes=5)
    assert names(runs.search("diagnosis", lifecycle="deleted")) == ["doomed parent"]
    assert names(runs.search("diagnosis", limit=2)) == NEWEST_FIRST[:2]
    assert runs.search("diagnosis", limit=2).total == 7


def test_an_experiment_by_id_all_of_them_and_one_that_is_not(runs):
    number = next(item.experiment_id for item in runs.experiments() if item.name == "diagnosis")
    assert names(runs.search(number)) == NEWEST_FIRST
    assert len(runs.search()) == 9
    with pytest.raises(NotFound, match="no experiment"):
        runs.search("nowhere")


def test_one_run_in_full(runs, store):
    run = runs.run(store.runs["base"])
    assert run == runs.search("diagnosis").run(run.run_id)
    assert (run.name, run.experiment, run.status, run.user) == ("base", "diagnosis", "FINISHED", "rina")
    assert run.start_time == datetime.fromtimestamp(START / 1000, UTC)
    assert run.duration_s == 60.0
    assert run.metrics == {"auroc": 0.9, "loss": 0.1}
    assert run.params == {"depth": "3", "model": "rf", "empty": ""}
    assert {(item.name, item.digest, item.context) for item in run.datasets} == {
        ("patients", "ab12cd34", "training"),
        ("holdout", "ffee0011", "testing"),
    }
    assert run.data_hash == "ab12cd34"
    assert runs.datasets(run.run_id) == run.datasets


def test_a_run_read_alone_is_what_the_table_has_of_it(runs):
    def told(run):  # NaN equals nothing, itself included
        return replace(run, metrics={name: repr(value) for name, value in run.metrics.items()})

    found = [*runs.search(lifecycle="active").runs(), *runs.search(lifecycle="deleted").runs()]
    assert len(found) > len(NEWEST_FIRST)
    for run in found:
        alone = runs.run(run.run_id)
        assert told(alone) == told(run)
        assert [list(of(alone)) for of in (METRICS, PARAMS)] == [list(of(run)) for of in (METRICS, PARAMS)]


def test_values_that_are_no_ordinary_numbers_or_words(runs, store):
    run = runs.search("diagnosis").run(store.runs["odd values"])
    assert math.isnan(run.metrics["auroc"]) and math.isnan(run.metrics["never"])
    assert (run.metrics["up"], run.metrics["down"], run.metrics[ODD_KEY]) == (math.inf, -math.inf, 0.0)
    assert run.params == {ODD_KEY: ODD_VALUE, "long": LONG}
    many = runs.search("Łódź / ward '7'").run(store.runs["a/b 🫀"])
    assert len(many.metrics) == MANY and many.metrics["m0007"] == 1.0
    bare = runs.run(store.runs["nothing at all"])
    assert (bare.metrics, bare.params, bare.datasets) == ({}, {}, ())


def test_running_nested_orphaned_and_deleted(runs, store):
    running = runs.run(store.runs["running"])
    assert (running.status, running.end_time, running.duration_s) == ("RUNNING", None, None)
    assert runs.run(store.runs["child"]).parent_run_id == store.runs["parent"]
    orphan = runs.run(store.runs["orphan"])
    assert runs.run(orphan.parent_run_id).lifecycle_stage == "deleted"
    assert runs.run(store.runs["better"]).git_commit == "1a2b3c4d" * 5
    for unknown in ("0" * 32, "'; DROP TABLE runs; --", ""):
        with pytest.raises((NotFound, BadInput)) as caught:
            runs.run(unknown)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("metrics.auroc > 0.85", ["better", "base"]),
        ("metrics.auroc != 0.9", ["child", "odd values", "better"]),
        ("metrics.auroc IS NULL", ["orphan", "parent", "running"]),
        ("metrics.auroc IS NAN", ["odd values"]),
        ("metrics.up > 1e300 AND metrics.down < 0", ["odd values"]),
        (f"metrics.`{ODD_KEY}` = 0", ["odd values"]),
        ("params.depth > 5", ["better"]),
        ("params.empty = ''", ["base"]),
        (f"params.`{ODD_KEY}` LIKE '%100%%'", ["odd values"]),
        ("tags.stage LIKE 'dev%' OR tags.stage ILIKE 'dev%'", ["better"]),
        ("NOT params.model = 'rf'", ["better"]),
        ("max(metrics.curve) > 0.9 AND min(metrics.curve) = -1 AND metrics.curve < 0.7", ["better"]),
        ("duration >= 10m OR status = 'RUNNING'", ["running", "better"]),
        ("dataset.digest = 'ffee0011'", ["base"]),
        ("git_commit = '1a2b3c4'", ["better"]),
        (f"start_time <= {START} AND attributes.run_name = 'base'", ["base"]),
        ("start_time < '2026-09-21T14:13:25'", ["base"]),
        ("odd", ["odd values"]),
    ],
)
def test_filters(runs, filter, expected):
    assert names(runs.search("diagnosis", filter)) == expected


def test_order_keeps_missing_and_nan_last(runs):
    assert names(runs.search("diagnosis", "metrics.auroc IS NOT NULL", "metrics.auroc DESC")) == [
        "better", "base", "child", "odd values",
    ]  # fmt: skip
    assert names(runs.search("diagnosis", order_by="params.depth, start_time ASC"))[:3] == [
        "base",
        "better",
        "odd values",
    ]


def test_an_answer_of_few_columns_is_found_and_ordered_by_any(runs):
    keys = Keys(metrics=("auroc", "never logged"), params=("model",), tags=())
    question = ("diagnosis", "params.depth > 0", "params.depth DESC, metrics.auroc")
    whole, few = runs.search(*question), runs.search(*question, keys=keys)
    assert names(few) == names(whole) and few.total == whole.total
    assert (few.metrics.column_names, few.params.column_names, few.tags.column_names) == (
        ["auroc"],
        ["model"],
        [],
    )
    assert few.params["model"].to_pylist() == whole.params["model"].to_pylist()
    assert runs.search("diagnosis", keys=keys).metrics.num_rows == len(NEWEST_FIRST)


def test_histories_in_step_order_for_many_runs(runs, store):
    wanted = [store.runs[name] for name in ("base", "better", "running")]
    (curve,) = runs.histories(wanted, "curve")
    assert (curve.run_id, curve.points, curve.reduced) == (store.runs["better"], 6, None)
    assert curve.steps.tolist() == [-3, 0, 1, 2, 3, 4]
    assert curve.values[:3].tolist() == [-1.0, 0.2, 0.99] and math.isnan(curve.values[4])
    assert runs.run(store.runs["better"]).metrics["curve"] == 0.6
    assert [item.run_id for item in runs.histories(wanted, "auroc")] == wanted[:2]
    assert runs.histories([], "auroc") == () and runs.histories(wanted, "nothing'; --") == ()


def test_artifacts(runs, store):
    base = store.runs["base"]
    assert [(item.path, item.is_dir) for item in runs.artifacts(base)] == [
        ("evaluation", True), ("notes.txt", False), ("page.html", False),
    ]  # fmt: skip
    assert [item.path for item in runs.artifacts(base, "evaluation")] == ["evaluation/scores.parquet"]
    assert runs.artifact(base, "notes.txt") == b"all well"
    assert runs.row_scores(base)["score"].tolist() == [0.1, 0.8]
    assert runs.row_scores(store.runs["better"]) is None
    assert runs.artifacts(store.runs["running"]) == ()
    for path in ("../../secret", "/etc/passwd", "a/../../b"):
        with pytest.raises(BadInput, match="out of the run's folder"):
            runs.artifact(base, path)
    with pytest.raises(BadInput, match="larger than 3 bytes"):
        runs.artifact(base, "notes.txt", max_bytes=3)


@pytest.mark.postgres
@pytest.mark.slow
def test_a_postgres_that_ends_our_connections_fails_one_read_at_most(postgres_store, tmp_path):
    def end_others():
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        psql = [str(server_binaries() / "psql"), postgres_store.uri, "-Atc", f"{ended} AND usename = 'desk'"]
        return int(subprocess.run(psql, check=True, capture_output=True, text=True).stdout)

    runs = open_tracking(postgres_store.uri, tmp_path)
    assert names(runs.search("diagnosis")) == NEWEST_FIRST
    assert end_others(), "a connection is kept between reads"
    runs.refresh()
    assert names(runs.search("diagnosis")) == NEWEST_FIRST
    database = PostgresServer(postgres_store.uri)
    with pytest.raises(Unavailable, match="does not answer"), database.session() as session:
        assert session.rows("SELECT 1 AS one")
        end_others()
        session.rows("SELECT 2 AS two")
    with database.session() as session, database.session() as other:  # the second is a connection of its own
        assert [each.rows("SELECT 1 AS one") for each in (session, other)] == [[{"one": 1}]] * 2
        with pytest.raises(Unavailable), database.session() as writing:
            writing.rows("DELETE FROM tags RETURNING key")


@pytest.mark.slow
def test_both_readers_give_the_same_tables(sqlite_store, server, tmp_path, monkeypatch):
    monkeypatch.setenv("MODELDESK_CACHE", str(tmp_path))
    direct, http = (open_tracking(uri, tmp_path).search() for uri in (sqlite_store.uri, server))
    assert list(map(repr, direct.runs())) == list(map(repr, http.runs()))
    for kind in ("attributes", "metrics", "params", "tags"):
        assert getattr(direct, kind).schema == getattr(http, kind).schema


@pytest.mark.slow
@pytest.mark.parametrize("page", [1, 2, 4, 9, 50])
def test_pages_that_are_asked_for_together_are_all_runs(server, tmp_path, monkeypatch, page):
    monkeypatch.setenv("MODELDESK_CACHE", str(tmp_path))
    monkeypatch.setattr(mlflow_rest, "PAGE", page)
    table = open_tracking(server, tmp_path).search()
    assert len(table) == len(set(table.run_ids)) == 9


@pytest.mark.slow
def test_a_databricks_uri_reads_what_mlflows_client_is_signed_in_to(
    server, sqlite_store, tmp_path, monkeypatch
):
    monkeypatch.setenv("MODELDESK_CACHE", str(tmp_path))
    monkeypatch.setenv("DATABRICKS_HOST", server)
    monkeypatch.setenv("DATABRICKS_TOKEN", "of-a-test")
    runs, plain = open_tracking("databricks", tmp_path), open_tracking(server, tmp_path)
    assert list(map(repr, runs.search("diagnosis").runs())) == list(
        map(repr, plain.search("diagnosis").runs())
    )
    (curve,) = runs.histories([sqlite_store.runs["better"]], "curve")
    assert curve.points == 6
    with pytest.raises((NotFound, Unavailable)):
        runs.run("0" * 32)
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(Refused, match="no credentials"):
        open_tracking("databricks://nobody", tmp_path)


@pytest.mark.parametrize("lifecycle", ["active", "deleted", "all"])
def test_the_bulk_process_gives_the_same_columns(sqlite_store, lifecycle):
    database = SqliteFile(Path(sqlite_store.uri.removeprefix("sqlite:///")))
    with database.session() as session:
        here = read_runs(session, scope_of(None, lifecycle))
    there = read_elsewhere(database.path, None, lifecycle)
    assert len(here) and list(map(repr, here.runs())) == list(map(repr, there.runs()))
    for kind in ("attributes", "metrics", "params", "tags"):
        assert getattr(here, kind).schema == getattr(there, kind).schema


def test_the_bulk_process_says_what_is_wrong(tmp_path):
    with pytest.raises(Unavailable, match="does not exist"):
        read_elsewhere(tmp_path / "gone.db", None, "active")
