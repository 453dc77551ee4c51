"""A monitor on files as they are: damaged, of another shape, empty, odd. It says so and loses nothing else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.drift.monitor import MonitorReport, Status, findings, monitor_report
from core.drift.watched import open_watched, predictions_of, shape_of, trend_of
from core.workspace import open_workspace
from tests.watched_workspace import build

NOW = datetime(2026, 1, 7, tzinfo=UTC)


def report(root: Path) -> MonitorReport:
    return monitor_report(open_workspace(root), "risk", now=NOW)


def change(root: Path, day: int, edit) -> None:
    file = root / "predictions" / f"2026-01-0{day}.parquet"
    edit(pd.read_parquet(file)).to_parquet(file)


def notes(found: MonitorReport) -> str:
    schema = [finding.message for finding in found.drift.schema]
    return " / ".join(schema + [alert.message for alert in found.performance.alerts])


def test_a_corrupt_day_and_one_of_another_schema_cost_no_other_day(tmp_path):
    build(tmp_path, moved=0)
    (tmp_path / "predictions" / "2026-01-02.parquet").write_bytes(b"PAR1 cut short")
    change(tmp_path, 3, lambda day: day.drop(columns="site").assign(age=day.age.round().astype(int), extra=1))
    found = report(tmp_path)
    assert found.status is Status.OK
    assert "2026-01-02.parquet is not a readable Parquet file" in notes(found)
    assert "'site' is not in every file" in notes(found)
    windows = {window.name: window for window in trend_of(open_watched(open_workspace(tmp_path), "risk"))}
    assert "2026-01-02" not in windows and len(windows) == 5
    site = windows["2026-01-03"].report.column("site")
    assert site.verdict.value == "NO DATA"


@pytest.mark.parametrize(("rows", "status"), [(0, Status.INCONCLUSIVE), (1, Status.INCONCLUSIVE)])
def test_a_log_of_no_row_and_of_one_row(tmp_path, rows, status):
    build(tmp_path, moved=0, days=1)
    change(tmp_path, 1, lambda day: day.head(rows))
    found = report(tmp_path)
    assert found.status is status
    assert found.reason
    assert [finding.name for finding in findings(found)] == ["inconclusive"]


def test_odd_labels_scores_and_times_are_facts(tmp_path):
    build(tmp_path, moved=0)
    change(tmp_path, 6, lambda day: day.assign(score=np.where(np.arange(300) < 20, 1.5, day.score)))
    change(tmp_path, 5, lambda day: day.assign(timestamp=day.timestamp + pd.Timedelta(days=400)))
    labels = pd.read_parquet(tmp_path / "labels" / "2026-01-01.parquet")
    twice = pd.concat(
        [labels, labels.head(30), labels.head(15).assign(request_id=[f"x{n}" for n in range(15)])]
    )
    twice.to_parquet(tmp_path / "labels" / "2026-01-01.parquet")
    said = notes(report(tmp_path))
    for part in ("outside 0 to 1: 20", "in the future: 300", "given twice: 30", "unknown requests: 15"):
        assert part in said


def test_times_that_cannot_be_read_are_said(tmp_path):
    build(tmp_path, moved=0, days=1)
    change(tmp_path, 1, lambda day: day.assign(timestamp="soon"))
    found = report(tmp_path)
    assert (found.status, found.reason) == (
        Status.INCONCLUSIVE, "The prediction log holds no row with a time."
    )  # fmt: skip


def test_one_class_alone_and_a_missing_labels_folder(tmp_path):
    build(tmp_path, moved=0)
    for file in (tmp_path / "labels").glob("*.parquet"):
        pd.read_parquet(file).assign(label=0).to_parquet(file)
    assert "every label is of one class" in notes(report(tmp_path))
    for file in (tmp_path / "labels").iterdir():
        file.unlink()
    empty = report(tmp_path)
    (tmp_path / "labels").rmdir()
    for found in (empty, report(tmp_path)):
        assert found.status is Status.OK and "no labels yet" in found.reason


def test_ten_thousand_categories_and_a_vanished_reference(tmp_path):
    build(tmp_path, moved=0)
    train = pd.read_parquet(tmp_path / "train.parquet")
    codes = np.array([f"code {number}" for number in range(10_000)])
    big = pd.concat([train] * 10, ignore_index=True).assign(code=np.tile(codes, 2))
    big.to_parquet(tmp_path / "train.parquet")
    for day in range(1, 7):
        change(tmp_path, day, lambda log: log.assign(code=codes[:300]))
    watched = open_watched(open_workspace(tmp_path), "risk")
    shape = shape_of(watched, watched.window(), "code")
    assert shape is None or len(shape.levels) <= 16
    assert report(tmp_path).drift.column("code").kind.value == "categorical"
    (tmp_path / "train.parquet").unlink()
    assert "There is no file" in report(tmp_path).reason


def test_a_log_without_scores_has_no_importance_and_says_nothing_of_answers(tmp_path):
    build(tmp_path, moved=1)
    for day in range(1, 7):
        change(tmp_path, day, lambda log: log.drop(columns=["score", "model_version"]))
    watched = open_watched(open_workspace(tmp_path), "risk")
    assert report(tmp_path).status is Status.DRIFT
    answers = predictions_of(watched, watched.window())
    assert [column.name for column in answers.report.columns] == ["prediction"]


def test_what_was_kept_is_not_used_when_a_file_has_changed(tmp_path):
    build(tmp_path, moved=0)
    assert report(tmp_path).status is Status.OK
    change(tmp_path, 6, lambda day: day.assign(age=day.age + 20))
    assert report(tmp_path).status is Status.DRIFT
    kept = list((tmp_path / ".modeldesk" / "reports").glob("*.json"))
    assert kept and all(
        file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0 for file in kept
    )
    for file in kept:
        file.write_text("{cut short", encoding="utf-8")
    assert report(tmp_path).status is Status.DRIFT


def refer(root: Path, reference: str) -> None:
    file = root / "modeldesk.toml"
    text = file.read_text(encoding="utf-8").replace('"train.parquet"', f'"{reference}"')
    file.write_text(
        text.replace("[[monitors]]", '[dvc]\nprojects = ["project"]\n[[monitors]]'), encoding="utf-8"
    )


def test_the_reference_may_be_content_that_dvc_keeps(tmp_path):
    build(tmp_path, moved=1)
    digest = hashlib.md5((tmp_path / "train.parquet").read_bytes()).hexdigest()
    stored = tmp_path / "project" / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    stored.parent.mkdir(parents=True)
    (tmp_path / "train.parquet").rename(stored)
    refer(tmp_path, f"dvc:{digest[:10]}")
    assert report(tmp_path).status is Status.DRIFT
    stored.unlink()
    assert f"No DVC cache holds the content '{digest[:10]}'" in report(tmp_path).reason


def test_the_reference_may_be_a_stretch_of_the_log(tmp_path):
    build(tmp_path, moved=1)
    refer(tmp_path, "window:2026-01-01..2026-01-03")
    found = report(tmp_path)
    assert (found.status, found.drift.rows_reference) == (Status.DRIFT, 900)
    change(tmp_path, 2, lambda day: day.head(200))
    assert report(tmp_path).drift.rows_reference == 800, "nothing kept of the old reference is used"


def test_a_stretch_that_the_log_does_not_have_is_said(tmp_path):
    build(tmp_path, moved=0)
    refer(tmp_path, "window:2025-01-01..2025-01-03")
    assert "no window between '2025-01-01' and '2025-01-03'" in report(tmp_path).reason


def test_what_the_served_log_adds_is_no_extra_column(tmp_path):
    from core.deploy.served_log import ASSIGNED, LATENCY

    build(tmp_path, moved=0)
    change(tmp_path, 6, lambda day: day.assign(**{LATENCY: 1.5, ASSIGNED: "a1b2"}))
    found = report(tmp_path)
    assert {column.name for column in found.drift.columns} == {"age", "site"}
    assert found.drift.schema == ()
