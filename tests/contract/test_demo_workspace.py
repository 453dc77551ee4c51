"""What the finished demo holds, read with other tools than the ones that wrote it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.demo import story
from core.registry.requests import judgements
from core.workspace import open_workspace


def rows(workspace: Path, query: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{workspace}/mlflow/mlflow.db?mode=ro", uri=True)) as store:
        return store.execute(query, values).fetchall()


def git(workspace: Path, *arguments: str) -> str:
    command = ["git", "-C", str(workspace / "project"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def dvc(workspace: Path, *arguments: str) -> str:
    scripts = str(Path(sys.executable).parent)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment |= {"PATH": os.pathsep.join([scripts, os.environ["PATH"]]), "DVC_NO_ANALYTICS": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=workspace / "project", env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def log_of(workspace: Path, day: str = "*") -> pa.Table:
    files = sorted((workspace / "predictions" / story.MODEL).glob(f"{day}.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files], promote_options="permissive")


def test_three_experiments_with_over_120_finished_runs(demo_workspace: Path) -> None:
    query = "SELECT e.name, count(*) FROM runs JOIN experiments e USING (experiment_id) WHERE status = ? GROUP BY 1"
    finished = dict(rows(demo_workspace, query, "FINISHED"))
    assert set(finished) == {"diagnosis", "triage", "readmission"}
    assert sum(finished.values()) > 120
    assert sum(count for _, count in rows(demo_workspace, query, "FAILED")) == 1
    assert sum(count for _, count in rows(demo_workspace, query, "RUNNING")) == 1


def test_the_odd_runs_that_real_stores_hold(demo_workspace: Path) -> None:
    names = {name for (name,) in rows(demo_workspace, "SELECT name FROM runs")}
    assert "ablation/no-drugs 🧪" in names
    assert rows(demo_workspace, "SELECT 1 FROM latest_metrics WHERE is_nan")
    children = "SELECT count(*) FROM tags WHERE key = 'mlflow.parentRunId' GROUP BY value"
    assert [count for (count,) in rows(demo_workspace, children)] == [5, 5]
    steps = "SELECT max(step) FROM metrics WHERE key = 'val_log_loss' GROUP BY run_uuid"
    assert max(step for (step,) in rows(demo_workspace, steps)) >= 100


def test_every_finished_leaf_run_has_scores_of_pseudonymous_rows(demo_workspace: Path) -> None:
    query = """
        SELECT name, artifact_uri FROM runs WHERE status = 'FINISHED'
        AND run_uuid NOT IN (SELECT value FROM tags WHERE key = 'mlflow.parentRunId')
    """
    found = rows(demo_workspace, query)
    for name, folder in found:
        scores = pq.read_table(Path(folder) / "evaluation" / "scores.parquet")
        assert scores.column_names[:4] == ["row_id", "label", "prediction", "score"], name
        assert set(scores.column_names[4:]) <= {"sex", "site", "age_band"}, name
    assert len(found) > 120


def test_models_have_versions_aliases_and_signatures(demo_workspace: Path) -> None:
    versions = dict(rows(demo_workspace, "SELECT name, count(*) FROM model_versions GROUP BY 1"))
    assert versions["diagnosis-risk"] >= 6
    assert versions["biopsy-triage"] >= 4
    assert versions["readmission-30d"] >= 3
    aliases = rows(demo_workspace, "SELECT name, alias FROM registered_model_aliases")
    assert ("diagnosis-risk", "champion") in aliases and ("diagnosis-risk", "challenger") in aliases
    assert ("readmission-30d", "challenger") not in aliases
    for (folder,) in rows(demo_workspace, "SELECT storage_location FROM model_versions"):
        model = (Path(folder) / "MLmodel").read_text()
        assert "signature:" in model and "serialization_format: skops" in model
        assert (Path(folder) / "input_example.json").is_file()
    (registered,) = rows(demo_workspace, "SELECT count(*) FROM model_versions")[0]
    (logged,) = rows(demo_workspace, "SELECT count(*) FROM logged_models")[0]
    assert logged > registered


def test_runs_are_tied_to_dvc_by_content(demo_workspace: Path) -> None:
    """The newest version's run names the md5 that dvc.lock has for its training data."""
    (run_id,) = rows(
        demo_workspace, "SELECT run_id FROM model_versions WHERE name = ? ORDER BY version DESC LIMIT 1", story.MODEL
    )[0]  # fmt: skip
    tags = dict(rows(demo_workspace, "SELECT key, value FROM tags WHERE run_uuid = ?", run_id))
    lock = git(demo_workspace, "show", "HEAD:dvc.lock")
    assert re.search(rf"data/features/train\.parquet\n\s+hash: md5\n\s+md5: {tags['data.hash']}", lock)
    assert tags["dvc.stage"] == "train_model"
    assert tags["mlflow.source.git.commit"] == git(demo_workspace, "rev-parse", "HEAD~1").strip()
    query = "SELECT digest FROM datasets d JOIN inputs i ON i.source_id = d.dataset_uuid WHERE i.destination_id = ?"
    assert rows(demo_workspace, query, run_id) == [(tags["data.hash"],)]


def test_history_changes_data_params_and_code(demo_workspace: Path) -> None:
    log = git(demo_workspace, "log", "--format=tformat:commit", "--name-only")
    changed = [set(part.split()) for part in log.split("commit")[1:]]
    assert len(changed) >= 6
    assert all("dvc.lock" in files for files in changed)
    for needed in ("data/raw/patients.csv.dvc", "params.yaml", "src/feature_engineering.py"):
        assert sum(needed in files for files in changed) >= 2
    assert git(demo_workspace, "status", "--porcelain") == ""
    assert str(demo_workspace) not in git(demo_workspace, "grep", "-h", "", "HEAD")


def test_the_inference_log_tells_its_story(demo_workspace: Path) -> None:
    files = sorted((demo_workspace / "predictions" / story.MODEL).glob("*.parquet"))
    assert len(files) >= 41
    lacking = [file for file in files if story.MISSING_COLUMN not in pq.read_schema(file).names]
    assert len(lacking) == 1
    log = log_of(demo_workspace)
    days = pc.strftime(log["timestamp"], "%Y-%m-%d")
    with_level = [
        pc.sum(pc.equal(pq.read_table(file)["admission_type"], "telehealth")).as_py() for file in files
    ]
    assert not any(with_level[:18]) and all(with_level[-20:-1])
    labels = pa.concat_tables(
        [pq.read_table(file) for file in (demo_workspace / "labels" / story.MODEL).glob("*.parquet")]
    )
    joined = log.append_column("day", days).join(labels, "request_id", join_type="inner")
    right = pc.cast(pc.equal(joined["prediction"], joined["label"]), pa.float64())
    daily = (
        joined.append_column("right", right)
        .group_by("day")
        .aggregate([("right", "mean"), ("right", "count")])
    )
    daily = daily.filter(pc.greater(daily["right_count"], 100)).sort_by("day")["right_mean"].to_pylist()
    assert sum(daily[:14]) / 14 > 0.78
    assert sum(daily[-7:]) / 7 < 0.72
    assert log.num_rows > labels.num_rows, "labels come late"


def test_scores_are_the_served_models_own(demo_workspace: Path) -> None:
    import mlflow.sklearn
    import numpy as np

    day = sorted((demo_workspace / "predictions" / story.MODEL).glob("*.parquet"))[-3]
    log = pq.read_table(day).to_pandas()
    mlflow.set_tracking_uri(f"sqlite:///{demo_workspace}/mlflow/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{demo_workspace}/mlflow/mlflow.db")
    (version,) = set(log["model_version"])
    try:
        model = mlflow.sklearn.load_model(f"models:/{story.MODEL}/{version}")
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
    assert np.allclose(model.predict_proba(log)[:, 1], log["score"])


def test_the_ledger_agrees_with_the_aliases(demo_workspace: Path) -> None:

    ws = open_workspace(demo_workspace)
    checked = ws.ledger.verify()
    assert checked.problems == () and checked.notices == ()
    for model in ws.registry.models():
        for environment, alias in ws.settings.environments.items():
            live = ws.ledger.state().live(model.name, environment)
            assert (live.version if live else None) == model.aliases.get(alias)
    assert all(record.actor.demo for record in ws.ledger.records())


@pytest.mark.slow
def test_dvc_repro_gives_the_same_metrics_again(demo_copy: Path) -> None:
    assert "up to date" in dvc(demo_copy, "status")
    reports = demo_copy / "project" / "reports"
    before = json.loads((reports / "metrics.json").read_text())
    versions = rows(demo_copy, "SELECT count(*) FROM model_versions")
    dvc(demo_copy, "repro", "--force")
    assert json.loads((reports / "metrics.json").read_text()) == before
    changed = set(git(demo_copy, "diff", "--name-only").split())
    assert changed == {"dvc.lock"}, "the run's id alone is new"
    assert rows(demo_copy, "SELECT count(*) FROM model_versions")[0][0] == versions[0][0] + 1


def test_requests_of_every_kind_are_there(demo_workspace: Path) -> None:
    """Every release of a ruled model since the first policy rests on other people's signatures."""
    ws = open_workspace(demo_workspace)
    found = judgements(ws)
    states = [item.state for item in found]
    assert {"open", "stale", "rejected", "approved"} <= set(states)
    waiting = next(item for item in found if item.state == "open")
    assert (waiting.needs, waiting.has) == (2, 1)
    for item in found:
        signers = {signature.by.name for signature in item.request.signatures}
        assert not signers & {item.request.by.name, item.request.opened.run_author}
    published = ws.ledger.records(kinds=("policy_published",))
    assert [record.payload["version"] for record in published] == [1, 2]
    released = ws.ledger.records(kinds=("promoted",), since=published[0].at)
    ruled = [r for r in released if r.environment == "production" and r.model != "biopsy-triage"]
    assert ruled and all(record.payload["basis"] == "approved" for record in ruled)
