"""Runs without a tag, joined to their stage by the content of what they logged: git, ``dvc repro``, MLflow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.lineage.artifacts import known_hashes
from core.lineage.build import build
from core.lineage.questions import impact
from core.lineage.types import Edge, Evidence, Graph, NodeId, NodeKind, Strength
from core.workspace import Workspace, open_workspace
from tests.model_store import ModelStore, new_model_store
from tests.pipeline_project import commit, dvc, init

LARGE = 1_200_000
PIPELINE = f"""\
stages:
  train:
    cmd: (cat raw.csv; echo small) > small.pkl && (cat raw.csv; head -c {LARGE} /dev/zero) > large.pkl
      && mkdir -p model_dir && cp raw.csv model_dir/weights && cp train.sh model_dir/code
    deps: [raw.csv, train.sh]
    outs: [small.pkl, large.pkl, model_dir]
"""


@dataclass(frozen=True)
class Store:
    """The workspace, its MLflow store and a run per thing that can be logged."""

    workspace: Workspace
    mlflow: ModelStore
    project: Path
    runs: dict[str, str]

    def stage_of(self, name: str, graph: Graph | None = None) -> Edge | None:
        """The edge from a stage execution to the run, if any."""
        graph = graph or build(self.workspace)
        found = graph.incoming[NodeId(f"run:{self.runs[name]}")]
        return next((e for e in found if graph.by_id[e.source].kind is NodeKind.STAGE), None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Raw data A, then B; runs that logged A's outputs as a file, a large file, a folder, or only A itself."""
    root = tmp_path_factory.mktemp("artifacts")
    mlflow = new_model_store(root / "mlflow")
    project = init(root / "project", {"raw.csv": "id\na\n", "train.sh": "#\n", "dvc.yaml": PIPELINE})
    dvc(project, "add", "raw.csv", "-q")
    dvc(project, "repro", "-q")
    commit(project, "raw A")
    runs = {name: mlflow.run() for name in ("small", "large", "folder", "data", "none")}
    client = mlflow.client
    client.log_artifact(runs["small"], project / "small.pkl", "model")
    client.log_artifact(runs["large"], project / "large.pkl")
    client.log_artifacts(runs["folder"], project / "model_dir", "model_dir")
    client.log_artifact(runs["data"], project / "raw.csv")
    (root / "other.txt").write_text("nothing known")
    (root / "empty.txt").write_text("")
    client.log_artifact(runs["none"], root / "other.txt")
    client.log_artifact(runs["none"], root / "empty.txt")
    client.create_registered_model("risk")
    client.create_model_version("risk", f"runs:/{runs['small']}/model", runs["small"])
    (project / "raw.csv").write_text("id\nb\n")
    dvc(project, "add", "raw.csv", "-q")
    dvc(project, "repro", "-q")
    commit(project, "raw B")
    (root / "modeldesk.toml").write_text(
        '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n[dvc]\nprojects = ["project"]\n'
    )
    return Store(open_workspace(root), mlflow, project, runs)


@pytest.mark.parametrize("name", ["small", "folder"])
def test_an_equal_file_or_folder_joins_the_run(store: Store, name: str) -> None:
    edge = store.stage_of(name)
    assert edge is not None
    assert (edge.evidence, edge.strength) == (Evidence.CONTENT_HASH, Strength.EXACT)
    assert "byte for byte" in edge.note


def test_impact_follows_the_content_to_the_version(store: Store) -> None:
    graph = build(store.workspace)
    first, second = (impact(graph, f"raw.csv@{revision}") for revision in ("HEAD~1", "HEAD"))
    assert [found.node.id for found in first.versions] == ["version:risk/1"]
    assert first.versions[0].strength is Strength.EXACT
    assert second.versions == ()


def test_a_copy_of_the_data_is_likely_lineage_and_unknown_content_is_none(store: Store) -> None:
    graph = build(store.workspace)
    edges = graph.incoming[NodeId(f"run:{store.runs['data']}")]
    assert [(graph.by_id[edge.source].name, edge.strength) for edge in edges] == [
        ("raw.csv", Strength.LIKELY)
    ]
    assert graph.incoming[NodeId(f"run:{store.runs['none']}")] == []


def test_artifacts_on_a_server_are_counted_not_fetched(store: Store) -> None:
    run = replace(
        store.workspace.runs.run(store.runs["large"]), artifact_uri="mlflow-artifacts:/0/x/artifacts"
    )
    found = known_hashes(store.workspace, [run])
    assert (found.files, found.unread, found.elsewhere) == ({}, 0, 1)


def test_large_files_are_read_on_request_and_then_remembered(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDESK_CACHE", str(tmp_path))
    before = build(store.workspace)
    assert store.stage_of("large", before) is None
    assert any("`lineage hash` reads them once" in note for note in before.notes)
    done = CliRunner().invoke(app, ["lineage", "hash", "--workspace", str(store.workspace.root)])
    assert done.exit_code == 0, done.output
    after = build(store.workspace)
    edge = store.stage_of("large", after)
    assert edge is not None and edge.evidence is Evidence.CONTENT_HASH
    assert not any("lineage hash" in note for note in after.notes)
