"""The demo workspace: impact of each raw data set lists exactly the versions that were trained from it.

The expected answer is read from git and MLflow by other means than core.lineage: which raw data each commit
tracked, and which commit's lock names the run of a version.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml

from core.lineage.build import build
from core.lineage.questions import impact, origin
from core.lineage.types import Graph, NodeKind, Strength
from core.workspace import open_workspace
from tests.pipeline_project import git

MODEL = "diagnosis-risk"
RAW = "data/raw/patients.csv"


@pytest.fixture(scope="module")
def demo(demo_workspace: Path) -> Path:
    """The built demo workspace, only read."""
    return demo_workspace


@pytest.fixture(scope="module")
def graph(demo: Path) -> Graph:
    return build(open_workspace(demo))


def expected(demo: Path) -> dict[str, set[int]]:
    """Hash of raw data -> versions, from the features hash that each commit's lock and each run's tag name."""
    project = demo / "project"
    raw_of_features = {}
    for sha in git(project, "rev-list", "HEAD").splitlines():
        lock = yaml.safe_load(git(project, "show", f"{sha}:dvc.lock"))["stages"]
        raw = next(dep["md5"] for dep in lock["prepare_data"]["deps"] if dep["path"] == RAW)
        train = next(
            dep["md5"] for dep in lock["train_model"]["deps"] if dep["path"].endswith("train.parquet")
        )
        raw_of_features[train] = raw
    found: dict[str, set[int]] = {raw: set() for raw in raw_of_features.values()}
    with sqlite3.connect(f"file:{demo}/mlflow/mlflow.db?mode=ro", uri=True) as store:
        rows = store.execute(
            "SELECT version, value FROM model_versions JOIN tags ON run_uuid = run_id "
            "WHERE name = ? AND key = 'data.hash' AND current_stage <> 'Deleted_Internal'",
            (MODEL,),
        ).fetchall()
    for version, features in rows:
        if features in raw_of_features:
            found[raw_of_features[features]].add(version)
    return found


def test_impact_of_each_raw_data_lists_exactly_its_versions(demo: Path, graph: Graph) -> None:
    answers = expected(demo)
    assert len(answers) >= 2 and all(answers.values())
    for raw, versions in answers.items():
        affected = impact(graph, raw)
        assert {found.node.attributes["version"] for found in affected.versions} == versions
        assert {found.node.attributes["model"] for found in affected.versions} == {MODEL}
        assert affected.possible == ()


def test_the_first_version_of_the_data_by_path_and_revision(demo: Path, graph: Graph) -> None:
    first = git(demo / "project", "rev-list", "--max-parents=0", "HEAD")
    text = git(demo / "project", "show", f"{first}:{RAW}.dvc")
    raw = yaml.safe_load(text)["outs"][0]["md5"]
    by_hash, by_path = impact(graph, raw), impact(graph, f"{RAW}@{first[:7]}")
    assert [found.node.id for found in by_hash.versions] == [found.node.id for found in by_path.versions]


def test_every_version_of_the_pipeline_has_an_exact_origin(graph: Graph) -> None:
    numbers = [
        node.attributes["version"]
        for node in graph.of_kind(NodeKind.VERSION)
        if node.attributes["model"] == MODEL
    ]
    assert numbers
    for number in numbers:
        found = origin(graph, MODEL, number)
        stages = [node.name for node in found.of_kind(NodeKind.STAGE)]
        assert sorted(stages) == ["feature_engineering", "prepare_data", "train_model"]
        joins = [
            edge
            for edge in found.edges
            if found.by_id[edge.target].kind is NodeKind.RUN and edge.note.startswith("tag dvc.stage")
        ]
        assert [edge.strength for edge in joins] == [Strength.EXACT]
