"""The Compare page as its reader meets it, on a real store (stories A2 to A7 and A9)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.contract.compare_store import Store, build

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("compare") / "workspace")


@pytest.fixture
def visit(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Open the page with these query parameters; ``runs`` are names of the store's runs or references."""
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(store.root))

    def run(*runs: str, **query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/compare.py")
        if runs:
            page.query_params["runs"] = ",".join(store.runs.get(name, name) for name in runs)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return run


def said(page: AppTest) -> str:
    return " ".join(
        element.value.replace("\\", "") for element in (*page.markdown, *page.caption, *page.info)
    )


def test_without_runs_the_page_says_what_to_do_and_offers_a_picker(visit, store: Store) -> None:
    page = visit()
    assert "Nothing chosen to compare yet" in said(page)
    page.selectbox(key="picker_experiment").select("risk").run()
    page.multiselect[0].select(f"run:{store.runs['champion']}").select(f"run:{store.runs['better']}").run()
    page.button[0].click().run()
    assert "is better than" in said(page)
    assert store.runs["better"] in "".join(page.query_params["runs"])


def test_only_what_differs_is_shown_with_signed_deltas(visit) -> None:
    page = visit("champion", "better")
    frame = page.dataframe[0].value
    assert set(frame["key"]) == {"depth", "accuracy", "train_seconds", "params:"}
    assert "3 identical rows hidden" in said(page)
    cell = frame.set_index("key").loc["accuracy"].iloc[-1]
    assert "▲ +" in cell
    assert cell.endswith("better")
    assert set(visit("champion", "better", identical="true").dataframe[0].value["key"]) > set(frame["key"])


def test_production_is_the_baseline_of_a_lone_run(visit) -> None:
    page = visit("twin")
    assert "risk v1 is in production" in said(page)
    assert "not distinguishable" in said(page)


def test_the_verdict_comes_with_its_interval(visit) -> None:
    page = visit("champion", "better", metric="accuracy")
    assert "better is better than champion on accuracy" in said(page)
    assert "95 % interval" in said(page)


def test_a_baseline_from_the_address_bar_turns_the_answer(visit, store: Store) -> None:
    page = visit("champion", "better", metric="accuracy", baseline=store.runs["better"])
    assert "champion is worse than better on accuracy" in said(page)


@pytest.mark.parametrize(
    ("name", "words"), [("other-data", "Different training data"), ("other-split", "Other test rows")]
)
def test_other_data_or_rows_warn_unasked(visit, name: str, words: str) -> None:
    page = visit("champion", name)
    assert words in " ".join(warning.value for warning in page.warning)
    assert "not comparable" in said(page)


def test_seeds_collapse_into_settings(visit, store: Store) -> None:
    sweep = [name for name in store.runs if name.startswith("sweep")]
    page = visit(*sweep, view="Settings and seeds", metric="cost")
    frame = page.dataframe[1].value
    assert list(frame["setting"]) == ["depth=1", "depth=2"]
    assert frame["cost"].str.contains("(n=5)", regex=False).all()
    assert "5 better and 4 not distinguishable" in said(page)


def test_importance_is_hidden_for_few_runs(visit, store: Store) -> None:
    sweep = [name for name in store.runs if name.startswith("sweep")]
    assert "Hidden: 10 runs" in said(visit(*sweep, view="What mattered", metric="cost"))


@pytest.mark.parametrize(
    "view", ["Curves", "Scatter", "Parallel coordinates", "Versions", "Where they disagree", "All verdicts"]
)
def test_every_view_opens_from_its_address(visit, view: str) -> None:
    visit("champion", "better", "twin", view=view)


def test_where_two_models_disagree_no_small_count_is_shown(visit) -> None:
    page = visit("champion", "better", view="Where they disagree")
    frame = page.dataframe[1].value.drop(columns=["segment", ""])
    assert not ((frame >= 1) & (frame <= 10)).any().any()
    assert "row_id" not in str(page.dataframe[1].value)


def test_two_items_of_one_name_are_told_apart_in_every_sentence(visit) -> None:
    page = visit("version:risk/1", "alias:risk@champion", metric="accuracy")
    first, second = re.search(
        r"(risk v1 \S+ \S+) and (risk v1 \S+ \S+) are not distinguishable", said(page)
    ).groups()
    assert first != second


def test_many_items_stand_one_a_row_with_the_baseline_first(visit, store: Store) -> None:
    page = visit(*store.runs, baseline=store.runs["better"])
    frame = page.dataframe[0].value
    assert len(frame) > 12
    assert frame["item"].iloc[0] == "baseline: better"


def test_an_unknown_run_is_a_sentence_with_a_way_back(visit) -> None:
    page = visit("champion", "0" * 32)
    assert "There is no run" in page.error[0].value
    next(button for button in page.button if button.label == "Start over").click().run()
    assert "Nothing chosen" in said(page)


def test_a_run_that_went_away_after_it_was_selected_does_not_stop_the_others(visit) -> None:
    page = visit("champion", "better", "0" * 32)
    next(button for button in page.button if "without the 1 that is gone" in button.label).click().run()
    assert "is better than" in said(page) and not page.error


def test_a_metric_over_the_versions_of_the_model(visit) -> None:
    page = visit("version:risk/1", "version:risk/2", view="Versions", metric="accuracy")
    assert "2 of 2 versions of risk have accuracy" in said(page)


def test_cells_say_better_only_where_the_interval_does(visit) -> None:
    page = visit("champion", "twin", metric="accuracy")
    cell = page.dataframe[0].value.set_index("key").loc["accuracy"].iloc[-1]
    assert cell.endswith(" =")
