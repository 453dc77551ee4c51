"""The Experiments and Run pages on a real store: what they show, refuse and hand on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.contract.experiments_store import OddStore, build
from tests.model_store import new_model_store

APP = str(Path(__file__).parents[2] / "dashboard" / "app.py")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> OddStore:
    folder = tmp_path_factory.mktemp("pages")
    found = build(new_model_store(folder).uri, folder)
    (folder / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n')
    os.environ["MODELDESK_WORKSPACE"] = str(folder)
    yield found
    del os.environ["MODELDESK_WORKSPACE"]


def page(name: str, **query: str) -> AppTest:
    test = AppTest.from_file(APP, default_timeout=90)
    for key, value in query.items():
        test.query_params[key] = value
    return test.run().switch_page(f"app_pages/{name}.py").run()


def table(test: AppTest):
    (frame,) = [item.value for item in test.dataframe if "run_id" in getattr(item.value, "columns", ())]
    return frame


def test_the_largest_experiment_newest_first(store):
    test = page("experiments")
    assert not test.exception
    assert test.selectbox(key="experiment").value == "diagnosis"
    assert list(table(test)["name"])[:2] == ["orphan", "child"]
    assert "◔ RUNNING" in set(table(test)["status"])


def test_a_search_narrows_and_a_wrong_one_points_at_the_character(store):
    test = page("experiments", experiment="diagnosis")
    test.text_input(key="q").set_value("metrics.auroc > 0.85").run()
    assert list(table(test)["name"]) == ["better", "base"]
    test.text_input(key="q").set_value("metrics.auroc > 'high'").run()
    assert "a metric is compared with a number" in test.error[0].value
    assert test.code[0].value.splitlines()[1] == " " * 16 + "^"
    test.text_input(key="q").set_value("params.depth > 99").run()
    assert any("No run matches" in item.value for item in test.markdown) and not test.exception


def test_nothing_selected_says_what_to_do(store):
    buttons = {item.label: item for item in page("experiments").button}
    assert buttons["Compare runs"].disabled and buttons["Compare with production"].disabled


def test_one_run_in_full_without_its_rows(store):
    test = page("run", run=store.runs["base"])
    assert not test.exception
    assert test.title[0].value == "base"
    test.selectbox(key="artifact").set_value("evaluation/scores.parquet").run()
    assert any("Rows may be patients" in item.value for item in test.caption)
    (frame,) = [item.value for item in test.dataframe if "kind" in item.value.columns]
    assert set(frame["kind"]) <= {"text", "number"}
    assert set(frame["with a value"]) <= {"<11", "hidden"} and set(frame["mean"]) == {"–"}
    assert not any("r1" in str(item.value) for item in test.dataframe)


def test_a_page_of_html_is_boxed_in(store):
    test = page("run", run=store.runs["base"], artifact="page.html")
    assert not test.exception
    assert any("scripts do not run" in item.value for item in test.caption)


def test_a_parent_leads_to_its_children(store):
    test = page("run", run=store.runs["parent"])
    assert any(item.value == "1 nested run" for item in test.header)


@pytest.mark.parametrize("name", ["odd values", "running", "nothing at all", "a/b 🫀", "better"])
def test_odd_runs_have_a_page(store, name):
    assert not page("run", run=store.runs[name]).exception


@pytest.mark.parametrize("run", ["", "0" * 32, "'; DROP TABLE runs"])
def test_no_such_run_is_a_sentence(store, run):
    test = page("run", run=run)
    assert not test.exception
    assert not run or "There is no run" in test.error[0].value


def test_a_store_that_is_gone_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///nowhere.db"\n')
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    test = page("experiments")
    assert not test.exception
    assert "does not exist" in test.error[0].value


@pytest.mark.parametrize("show", ["Settings", "What mattered", "Scatter", "Parallel"])
@pytest.mark.parametrize("metric", ["auroc", "never"])
def test_every_view_of_all_runs_also_of_a_metric_that_is_always_nan(store, show, metric):
    assert not page("experiments", experiment="diagnosis", show=show, y=metric).exception


def test_a_small_count_stays_hidden_when_the_table_shows_its_neighbour_alone(tmp_path, monkeypatch):
    client = new_model_store(tmp_path).client
    run = client.create_run(client.create_experiment("ward")).info.run_id
    for name, people in {"test/tp": 3, "test/fn": 40, "test/fp": 90, "test/tn": 500}.items():
        client.log_metric(run, name, people)
    (tmp_path / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n')
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    shown = table(page("experiments", experiment="ward", metrics="test/fn,test/fp"))
    assert [shown[f"metrics.test/{name}"].isna().all() for name in ("fn", "fp")] == [
        table(page("experiments", experiment="ward"))[f"metrics.test/{name}"].isna().all()
        for name in ("fn", "fp")
    ]
    assert shown.filter(like="metrics.").isna().any(axis=None)


def test_columns_by_pattern(store):
    test = page("experiments", experiment="Łódź / ward '7'", metrics="m000*,m0999")
    assert not test.exception
    names = [name for name in table(test).columns if name.startswith("metrics.")]
    assert names == [f"metrics.m000{digit}" for digit in range(10)] + ["metrics.m0999"]


def test_a_run_that_was_selected_is_selected_at_the_next_visit(store):
    test = page("experiments", experiment="diagnosis", selected=store.runs["base"][:8])
    buttons = {item.label: item for item in test.button}
    assert not buttons["Open run"].disabled and buttons["Compare runs"].disabled


def test_a_store_that_is_emptied_while_the_page_is_open_is_a_sentence(tmp_path, monkeypatch):
    build(new_model_store(tmp_path).uri, tmp_path)
    (tmp_path / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n')
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    test = page("experiments", experiment="diagnosis")
    assert len(table(test)) == 7
    (tmp_path / "mlflow.db").write_bytes(b"")
    next(item for item in test.button if item.label == "Refresh all").click().run()
    assert not test.exception and "mlflow.db" in test.error[0].value


def test_a_huge_file_is_not_fetched_and_a_missing_one_is_a_sentence(store):
    target = store.artifacts / "0" / store.runs["better"] / "artifacts"
    target.mkdir(parents=True, exist_ok=True)
    with (target / "huge.csv").open("wb") as file:
        file.truncate(2 * 1024**3)
    (target / "roc.png").write_text("no picture")
    (target / "empty.csv").touch()
    for name, told in (
        ("huge.csv", "so it was not fetched"),
        ("roc.png", "cannot be read as a picture"),
        ("empty.csv", "The file is empty"),
    ):
        test = page("run", run=store.runs["better"], artifact=name)
        assert not test.exception and any(told in item.value for item in (*test.error, *test.info))
        assert "Data sets" in [item.value for item in test.header]  # what follows is there too
    assert "no artifact gone" in page("run", run=store.runs["better"], artifact="gone.txt").warning[0].value
    for name in ("huge.csv", "roc.png", "empty.csv"):
        (target / name).unlink()
    assert any("stored no artifacts" in item.value for item in page("run", run=store.runs["child"]).info)
