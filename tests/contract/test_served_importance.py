"""How much the served model itself uses each column: asked safely and once, else a surrogate in its place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from core.access import local_actor
from core.deploy.rollout import deploy, plan_deploy
from core.drift import served_model
from core.drift.importance import Importance, permuted_change
from core.drift.watched import importance_of, open_watched
from core.workspace import Workspace, open_workspace
from tests.deploy_workspace import FAILS, MODEL, PICKLED, RUNS_CODE, RUNS_CODE_MARK, make_workspace, stop_all

MONITOR = f"""
[[monitors]]
model = "{MODEL}"
predictions = "predictions"
reference = "train.parquet"
"""
DATA = load_breast_cancer(as_frame=True).data.iloc[:, :4]


@pytest.fixture(scope="module")
def ws(tmp_path_factory) -> Workspace:
    root = make_workspace(tmp_path_factory.mktemp("asked")).root
    with (root / "modeldesk.toml").open("a") as file:
        file.write(MONITOR)
    DATA.assign(unused=np.arange(len(DATA)) % 7).to_parquet(root / "train.parquet")
    (root / "predictions").mkdir()
    return open_workspace(root)


def answered(ws: Workspace, version: int) -> Importance | None:
    """The importance for a day on which ``version`` gave answers that hang on the mean radius alone."""
    log = DATA.assign(unused=0, score=DATA["mean radius"] / 30, model_version=str(version))
    log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC")
    log.to_parquet(ws.root / "predictions" / "2026-01-01.parquet")
    watched = open_watched(ws, MODEL)
    return importance_of(watched, watched.window())


def test_the_model_itself_is_asked_once_in_a_process_of_its_own(ws, monkeypatch):
    found = answered(ws, 1)
    assert found.sentence.startswith("Importance is that of v1 itself, loaded in a process of its own")
    model = mlflow.sklearn.load_model(str(ws.registry.folder(MODEL, 1)))
    rows = pd.read_parquet(ws.root / "train.parquet")[list(DATA)]
    changes = permuted_change(model.predict_proba, rows)
    expected = {name: change / sum(changes.values()) for name, change in changes.items()}
    assert found.shares == pytest.approx(expected | {"unused": 0.0})
    monkeypatch.setattr(subprocess, "run", None)
    assert answered(ws, 1) == found, "kept by the model's files and the reference"
    DATA.head(500).assign(unused=0).to_parquet(ws.root / "train.parquet")
    with pytest.raises(TypeError):
        answered(ws, 1)  # another reference: the model is asked again
    monkeypatch.undo()
    DATA.assign(unused=np.arange(len(DATA)) % 7).to_parquet(ws.root / "train.parquet")


def test_files_that_are_code_are_not_loaded_here(ws):
    mark = Path("/tmp") / RUNS_CODE_MARK
    mark.unlink(missing_ok=True)
    found = answered(ws, RUNS_CODE)
    assert found.fidelity > 0.9
    assert f"v{RUNS_CODE} itself was not asked: loading its files would run code (pickle in" in found.sentence
    assert max(found.shares, key=found.shares.get) == "mean radius"
    assert not mark.exists()


def test_a_model_of_files_that_are_code_is_asked_where_it_serves(ws):
    plan = plan_deploy(ws.deployments, MODEL, PICKLED, "production", allow_code=True)
    try:
        deploy(ws.deployments, plan, local_actor(ws.settings), "test")
        found = answered(ws, PICKLED)
        assert found.sentence.startswith(f"Importance is that of v{PICKLED} itself, asked where it serves")
        assert sum(found.shares.values()) == pytest.approx(1)
        assert found.shares["unused"] == 0
    finally:
        stop_all(ws)
    assert not list((ws.root / "predictions").glob("*served*")), "what the desk asks is no patient's request"


def test_why_a_model_is_not_asked_is_said(ws, monkeypatch):
    assert (
        "no version 77" in answered(ws, 77).sentence.lower()
        or "not found" in answered(ws, 77).sentence.lower()
    )
    assert f"v{FAILS} itself was not asked" in answered(ws, FAILS).sentence
    without = pd.read_parquet(ws.root / "train.parquet").drop(columns="mean area")
    without.to_parquet(ws.root / "train.parquet")
    assert "v2 itself was not asked: the reference lacks mean area" in answered(ws, 2).sentence
    DATA.to_parquet(ws.root / "train.parquet")
    monkeypatch.setattr(served_model, "DEADLINE_S", 0.01)
    assert "did not answer within" in answered(ws, 3).sentence
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(TypeError):
        answered(ws, 3)  # a reason that passes is not kept: the model is asked again


def test_classes_count_by_how_often_they_differ():
    rows = pd.DataFrame({"used": ["a", "b"] * 50, "idle": range(100)})
    changes = permuted_change(lambda asked: asked["used"].to_numpy(), rows)
    assert 0.3 < changes["used"] < 0.7
    assert changes["idle"] == 0
