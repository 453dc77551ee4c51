"""The Drift page on a small watched workspace: the verdict first, nothing silent, nobody's values shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.drift.alerts import open_alerts
from core.drift.export import Contents, to_html, to_json, to_markdown
from core.drift.monitor import monitor_report
from core.drift.performance import PerformanceReport, WindowPerformance
from core.drift.timeline import Mark
from core.drift.watched import open_watched, trend_of
from core.workspace import open_workspace
from dashboard.charts.drift import performance_over_time
from dashboard.palette import LIGHT
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
    assert table.loc["age", "drifting since"] == "2026-01-04"
    assert pd.isna(table.loc["site", "drifting since"])
    assert "Moved: **age** since 2026-01-04" in said(page)
    assert "Reference: train.parquet" in said(page).replace("\\", "")


def test_a_model_that_got_worse_is_degraded(visit, tmp_path):
    build(tmp_path, moved=0, flipped=True)
    page = visit()
    assert "DEGRADED" in said(page) and "since **2026-01-04**" in said(page)
    assert "The estimate did not see the fall of 2026-01-04" in said(page)


def test_all_is_well_and_the_url_chooses(visit, tmp_path):
    build(tmp_path, moved=0)
    page = visit(window="week", column="site", metric="accuracy")
    assert "none of 2 tested columns drifted" in said(page)
    assert page.selectbox(key="column").value == "site"
    assert page.selectbox(key="metric").value == "accuracy"


def test_versions_that_came_soon_after_one_another_are_labelled_on_two_levels():
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 21)]
    windows = tuple(WindowPerformance(day, day, day.date().isoformat(), 50, 50) for day in days)
    came = [Mark(days[at], "deployed", f"v{at}", at, "4c8ef750") for at in (1, 3, 12)]
    alerts = [Mark(days[at], "alert", "fell") for at in (0, 19)]
    figure = performance_over_time(PerformanceReport(windows, ()), "auroc", [*came, *alerts], LIGHT)
    labels = {note.text.partition("<br>")[0]: note for note in figure.layout.annotations}
    assert labels["v1"].yshift == labels["v12"].yshift == 0 < labels["v3"].yshift
    sides = [note.xanchor for note in figure.layout.annotations if note.text == "alert"]
    assert sides == ["left", "right"], "towards the middle, where there is room"


def test_a_damaged_reference_is_inconclusive_and_says_why(visit, tmp_path):
    build(tmp_path, moved=0)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    assert "train.parquet is not a readable Parquet file" in said(visit())


def test_without_a_monitor_the_page_says_how_to_add_one(visit, tmp_path):
    (tmp_path / "modeldesk.toml").write_text(SETTINGS.split("[[monitors]]")[0], encoding="utf-8")
    page = visit()
    assert "No model is monitored" in said(page)
    assert "[[monitors]]" in page.code[0].value


def test_an_alert_is_recorded_taken_on_and_given_back_from_the_page(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit()
    page.button(key="record_findings").click().run()
    (alert,) = open_alerts(open_workspace(tmp_path))
    alert_id = alert.event.alert_id
    assert "nobody has taken it on" in said(page)
    page.button(key=f"take_{alert_id}").click().run()
    assert "taken on by" in said(page)
    page.button(key=f"reopen_{alert_id}").click().run()
    assert "nobody has taken it on" in said(page)
    page.button(key=f"retrain_{alert_id}").click().run()
    page.text_input(key="alert_reason").set_value("newer patients")
    page.button(key="confirm_alert").click().run()
    (alert,) = open_alerts(open_workspace(tmp_path))
    assert alert.retraining.reason == "newer patients"
    assert not page.exception


def test_resolving_without_a_reason_is_refused_in_a_sentence(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit()
    page.button(key="record_findings").click().run()
    (alert,) = open_alerts(open_workspace(tmp_path))
    page.button(key=f"resolve_{alert.event.alert_id}").click().run()
    page.button(key="confirm_alert").click().run()
    assert any("Say what became of it" in error.value for error in page.error)
    assert open_alerts(open_workspace(tmp_path))


def test_an_alert_that_is_over_is_said_to_be(visit, tmp_path):
    build(tmp_path, moved=0)
    assert "The alert 0123456789 is over" in said(visit(alert="0123456789"))


def test_segments_answers_and_whole_rows_of_a_window(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit(rows="true")
    segments = next(
        frame.value for frame in page.dataframe if "labelled" in frame.value and "site" in frame.value
    )
    assert set(segments["site"]) == {"north", "south"}
    assert all(verdict.endswith("DRIFT") for verdict in segments["verdict"])
    assert "What v1 answers in 2026-01-06, against its first 1,200 answers" in said(page)
    assert "AUC **0.7" in said(page)


def test_an_earlier_window_can_be_compared(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit(at="2026-01-01")
    assert "OK: none of 2 tested columns drifted" in said(page)


def test_a_kind_is_said_on_the_page_and_taken_back(visit, tmp_path):
    build(tmp_path, moved=1)
    page = visit(column="age")
    assert "The rules took age for numeric: the type is a number." in said(page)
    page.selectbox(key="kind_age").set_value("identifier").run()
    page.button(key="set_kind").click().run()
    page.button(key="confirm_reasoned").click().run()
    assert any("Say why" in error.value for error in page.error)
    page.button(key="set_kind").click().run()
    page.text_input(key="reasoned_reason").set_value("a code").run()
    page.button(key="confirm_reasoned").click().run()
    assert any("age is treated as identifier" in done.value for done in page.success)
    assert "that this is identifier: a code" in said(page)
    assert "none of 1 tested columns drifted" in said(page)
    page.button(key="reset_kind").click().run()
    page.text_input(key="reasoned_reason").set_value("it is not").run()
    page.button(key="confirm_reasoned").click().run()
    assert "1 of 2 tested columns drifted: age" in said(page)
    assert not page.exception


def test_exports_hold_the_same_facts_and_no_request(tmp_path):
    build(tmp_path, moved=1)
    ws = open_workspace(tmp_path)
    watched = open_watched(ws, "risk")
    contents = Contents(monitor_report(ws, "risk"), trend_of(watched), (), ())
    page, text, document = to_html(contents), to_markdown(contents), to_json(contents)
    for export in (page, text, json.dumps(document)):
        assert "1 of 2 tested columns drifted: age" in export
        assert "r5-" not in export, "no request is named"
    assert "<svg" in page and "http://" not in page and "https://" not in page, "self-contained"
    assert "Content-Security-Policy" in page, "the one document of the project"
    for heading in ("What is open", "Performance", "Columns", "Columns over time"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("▲") >= 3 and text.startswith("# Drift of risk in production: DRIFT")
    assert document["windows"][3]["drifted"] == ["age"]
    assert "| age | numeric | DRIFT |" in text
