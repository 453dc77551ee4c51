"""The Drift page on a small watched workspace: the verdict first, nothing silent, nobody's values shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SETTINGS = """
name = "Test"
[mlflow]
tracking_uri = "sqlite:///mlflow.db"
[[monitors]]
model = "risk"
predictions = "predictions"
labels = "labels"
reference = "train.parquet"
"""


def rows(rng: np.random.Generator, count: int, shift: float) -> pd.DataFrame:
    score = rng.random(count)
    return pd.DataFrame(
        {
            "age": rng.normal(50 + 10 * shift, 10, count),
            "site": rng.choice(["north", "south"], count),
            "score": score,
            "label": (rng.random(count) < score).astype(int),
        }
    )


def build(root: Path, *, moved: float, flipped: bool = False, days: int = 6) -> None:
    rng = np.random.default_rng(2)
    (root / "modeldesk.toml").write_text(SETTINGS, encoding="utf-8")
    for folder in ("predictions", "labels"):
        (root / folder).mkdir()
    rows(rng, 2000, 0).drop(columns="score").to_parquet(root / "train.parquet")
    for day in range(days):
        late = day >= days // 2
        frame = rows(rng, 300, moved if late else 0)
        if flipped and late:
            frame["label"] = 1 - frame["label"]
        frame["request_id"] = [f"r{day}-{number}" for number in range(300)]
        frame["timestamp"] = pd.date_range(f"2026-01-0{day + 1}", periods=300, freq="4min", tz="UTC")
        frame["prediction"] = (frame["score"] > 0.5).astype(int)
        frame["model_version"] = "1"
        frame.drop(columns="label").to_parquet(root / "predictions" / f"2026-01-0{day + 1}.parquet")
        frame[["request_id", "label"]].to_parquet(root / "labels" / f"2026-01-0{day + 1}.parquet")


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
    table = page.dataframe[0].value.set_index("column")
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
