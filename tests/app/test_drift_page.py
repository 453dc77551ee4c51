"""The Drift page on a small watched workspace: the verdict first, nothing silent, nobody's values shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.watched_workspace import SETTINGS, build

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def visit(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))

    def run(**query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/drift.py")
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return run


def said(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.markdown, *page.caption, *page.info))


def test_drift_is_said_first_and_the_column_is_named(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit()
    assert "DRIFT" in said(page) and "1 of 2 tested columns drifted: age" in said(page)
    table = next(frame.value for frame in page.dataframe if "KS D" in frame.value).set_index("column")
    assert table.loc["age", "verdict"].endswith("DRIFT")
    assert table.loc["age", "KS D"] == pytest.approx(0.38, abs=0.06)
    assert table.loc["site", "verdict"].endswith("OK")
    since = next(frame.value for frame in page.dataframe if "drifting since" in frame.value.columns)
    assert since.values.tolist() == [["age", "2026-01-04"]]


def test_a_model_that_got_worse_is_degraded(visit, tmp_path):
    build(tmp_path, moved=0, flipped=True)
    assert "DEGRADED" in said(visit())


def test_all_is_well_and_the_url_chooses(visit, tmp_path):
    build(tmp_path, moved=0)
    page = visit(window="week", column="site", metric="accuracy")
    assert "none of 2 tested columns drifted" in said(page)
    assert page.selectbox(key="column").value == "site"
    assert page.selectbox(key="metric").value == "accuracy"


def test_a_damaged_reference_is_inconclusive_and_says_why(visit, tmp_path):
    build(tmp_path, moved=0)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    assert "train.parquet is not a readable Parquet file" in said(visit())


def test_without_a_monitor_the_page_says_how_to_add_one(visit, tmp_path):
    (tmp_path / "modeldesk.toml").write_text(SETTINGS.split("[[monitors]]")[0], encoding="utf-8")
    page = visit()
    assert "No model is monitored" in said(page)
    assert "[[monitors]]" in page.code[0].value
