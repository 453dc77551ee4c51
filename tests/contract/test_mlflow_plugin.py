"""The run-context plugin, installed as people install it: MLflow finds it and tags runs, no code changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_store import new_model_store

ROOT = Path(__file__).parents[2]
TRAINING = """
import json, os, mlflow

def tags():
    with mlflow.start_run(experiment_id="0") as run:
        pass
    found = mlflow.get_run(run.info.run_id).data.tags
    return {key: value for key, value in found.items() if key.startswith("dvc.")}

inside = tags()
del os.environ["DVC_STAGE"]
print(json.dumps([inside, tags()]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and the metadata that setuptools writes from pyproject.toml.

    From a copy, since setuptools writes beside the sources; a wheel would need one more package.
    """
    source = tmp_path_factory.mktemp("installed")
    shutil.copy(ROOT / "pyproject.toml", source)
    shutil.copytree(ROOT / "core" / "lineage", source / "core" / "lineage")
    shutil.copy(ROOT / "core" / "__init__.py", source / "core")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from setuptools import setup; setup()",
        "-q",
        "egg_info",
    ]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return source


def test_runs_inside_a_stage_are_tagged_and_others_are_not(installed: Path, tmp_path: Path) -> None:
    store = new_model_store(tmp_path / "mlflow")
    variables = {"DVC_STAGE": "train", "DVC_ROOT": "/repo", "DVC_EXP_NAME": "slow-fox"}
    paths = {"PYTHONPATH": str(installed), "MLFLOW_TRACKING_URI": store.uri}
    done = subprocess.run(
        [sys.executable, "-c", TRAINING],
        env=os.environ | variables | paths,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    inside, outside = json.loads(done.stdout.splitlines()[-1])
    assert inside == {"dvc.stage": "train", "dvc.root": "/repo", "dvc.exp": "slow-fox"}
    assert outside == {}
