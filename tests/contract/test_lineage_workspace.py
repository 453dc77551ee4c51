"""Lineage over real stores: git, ``dvc repro``, MLflow runs that the stages logged, versions, and a ledger."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml
from mlflow import MlflowClient

from core.access import Actor
from core.ledger.events import ApprovalSigned, Promoted
from core.lineage.build import build
from core.lineage.questions import impact, origin
from core.lineage.types import Evidence, Graph, NodeKind, Strength
from core.lineage.view import at_revision, default_focus
from core.registry.reproducible import lineage_verdict
from core.workspace import Workspace, open_workspace
from tests.model_store import ModelStore, new_model_store
from tests.pipeline_project import commit, dvc, init

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "core" / "cli" / "schemas" / "lineage.json").read_text())
TRAIN = """\
import os, sys
import mlflow
from core.lineage import mlflow_context

mlflow_context.register()
mlflow_context.register()
rate = sys.argv[1]
mlflow.set_tracking_uri(os.environ["STORE"])
with mlflow.start_run(experiment_id="0") as run:
    mlflow.log_param("lr", rate)
    mlflow.log_metric("auroc", 0.9)
open("model.pkl", "w").write(open("clean.csv").read() + rate)
open("run_id.txt", "w").write(run.info.run_id)
"""
PIPELINE = """\
stages:
  prepare:
    cmd: tr a-z A-Z < raw.csv > clean.csv
    deps: [raw.csv]
    outs: [clean.csv]
  train:
    cmd: {python} train.py ${{train.lr}}
    deps: [clean.csv, train.py]
    params: [train.lr]
    outs: [model.pkl, run_id.txt]
"""


@dataclass(frozen=True)
class Desk:
    """The workspace and the two commits that stored a lock."""

    root: Path
    first: str
    second: str

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.root)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Raw data A -> version 1; raw data B -> version 2; A again -> version 3. Version 3 is live, approved by Grace."""
    root = tmp_path_factory.mktemp("lineage")
    store = new_model_store(root / "mlflow")
    project = init(
        root / "project",
        {
            "raw.csv": "id,x\na,1\n",
            "params.yaml": "train:\n  lr: 0.1\n",
            "train.py": TRAIN,
            "dvc.yaml": PIPELINE.format(python=sys.executable),
        },
    )
    (root / "modeldesk.toml").write_text(
        '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n[dvc]\nprojects = ["project"]\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORE", store.uri)
        patch.setenv("PYTHONPATH", str(ROOT))
        dvc(project, "add", "raw.csv", "-q")
        _train(project, store)
        first = commit(project, "raw A")
        (project / "raw.csv").write_text("id,x\nb,2\n")
        dvc(project, "add", "raw.csv", "-q")
        _train(project, store)
        second = commit(project, "raw B")
        (project / "raw.csv").write_text("id,x\na,1\n")
        (project / "params.yaml").write_text("train:\n  lr: 0.2\n")
        dvc(project, "add", "raw.csv", "-q")
        _train(project, store)
        commit(project, "raw A again, faster")
    store.alias("risk", "champion", 3)
    _decide(open_workspace(root))
    return Desk(root, first, second)


def _train(project: Path, store: ModelStore) -> None:
    """``dvc repro``, then a version of the run that the stage logged."""
    dvc(project, "repro", "-q")
    run_id = (project / "run_id.txt").read_text()
    if not store.client.search_registered_models():
        store.client.create_registered_model("risk")
    store.client.create_model_version("risk", f"runs:/{run_id}/model", run_id)


def _decide(ws: Workspace) -> None:
    grace = Actor(name="grace", display_name="Grace", source="local", demo=False)
    signed = ApprovalSigned(
        model="risk",
        environment="production",
        request_id="R1",
        version=3,
        digest="d",
        printed_name="Grace Hopper",
        meaning="approve",
        authenticated=True,
    )
    ws.ledger.append(signed, actor=grace)
    for number, (before, after) in enumerate(((None, 2), (2, 3))):
        moved = Promoted(
            model="risk",
            environment="production",
            operation_id=f"op{number}",
            from_version=before,
            to_version=after,
            request_id="R1" if after == 3 else "",
        )
        ws.ledger.append(moved, actor=grace)


@pytest.fixture(scope="module")
def graph(desk: Desk) -> Graph:
    return build(desk.workspace)


def versions(graph: Graph, reference: str) -> list[int]:
    return sorted(found.node.attributes["version"] for found in impact(graph, reference).versions)


def test_impact_follows_the_content_through_the_history(desk: Desk, graph: Graph) -> None:
    assert graph.notes == ()
    assert versions(graph, f"raw.csv@{desk.first}") == [1, 3]
    assert versions(graph, f"raw.csv@{desk.second[:8]}") == [2]
    assert versions(graph, "raw.csv") == [1, 3]
    assert versions(graph, "raw.csv@HEAD~1") == [2]


def test_runs_are_joined_by_the_tags_that_dvc_s_environment_gave(graph: Graph) -> None:
    runs = graph.of_kind(NodeKind.RUN)
    assert len(runs) == 3
    joins = {
        run.attributes["at"]: edge
        for run in runs
        for edge in graph.incoming[run.id]
        if graph.by_id[edge.source].kind is NodeKind.STAGE
    }
    assert {edge.evidence for edge in joins.values()} == {Evidence.RUN_TAG}
    # Before the first commit MLflow has no commit to record, and two locks have this param: that is said.
    assert [joins[at].strength for at in sorted(joins)] == [Strength.LIKELY, Strength.EXACT, Strength.EXACT]


def test_live_versions_come_first_with_who_approved_them(desk: Desk, graph: Graph) -> None:
    first, second = impact(graph, f"raw.csv@{desk.first}").versions
    assert (first.node.attributes["version"], first.approved_by) == (3, ("Grace Hopper",))
    assert [node.attributes["environment"] for node in first.live] == ["production"]
    assert not second.deployments
    ended = [node for node in graph.of_kind(NodeKind.DEPLOYMENT) if not node.attributes["live"]]
    assert [node.attributes["version"] for node in ended] == [2]
    assert default_focus(graph) == "version:risk/3"


def test_origin_holds_the_one_snapshot_that_trained_it(graph: Graph) -> None:
    found = origin(graph, "risk", 2)
    assert len([node for node in found.of_kind(NodeKind.DATA) if node.name == "raw.csv"]) == 1
    assert {node.name for node in found.of_kind(NodeKind.STAGE)} == {"prepare", "train"}
    assert found.of_kind(NodeKind.PARAMS)[0].attributes["values"]


def test_a_revision_shows_only_what_was_in_force_then(desk: Desk, graph: Graph) -> None:
    then = at_revision(graph, desk.second)
    assert [node.name for node in then.of_kind(NodeKind.VERSION)] == ["risk v2"]
    assert at_revision(graph, "no-such-revision").of_kind(NodeKind.STAGE) == ()


def test_a_store_that_fails_is_named_and_the_rest_stands(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "modeldesk.toml").write_text(
        f'[mlflow]\ntracking_uri = "sqlite:///absent.db"\n[dvc]\nprojects = ["{desk.root / "project"}", "nowhere"]\n'
    )
    found = build(open_workspace(tmp_path))
    assert found.of_kind(NodeKind.STAGE) and not found.of_kind(NodeKind.RUN)
    assert any("nowhere" in note for note in found.notes) and any("absent.db" in note for note in found.notes)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert build(open_workspace(empty)).nodes == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ("upstream", "alias:risk@champion"),
        ("downstream", "raw.csv"),
        ("impact", "raw.csv"),
        ("origin", "risk", "1"),
        ("path", "raw.csv", "version:risk/3"),
        ("diff", "risk/1", "risk/2"),
        ("export", "--format", "json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_print_what_their_schema_says(desk: Desk, arguments: tuple[str, ...]) -> None:
    output = () if arguments[0] == "export" else ("--output", "json")
    done = lineage(desk, *arguments, *output)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["nodes"]


def test_the_command_line_reads_well_and_fails_in_sentences(desk: Desk) -> None:
    assert "LIVE" not in lineage(desk, "impact", "raw.csv").stdout
    assert "production" in lineage(desk, "impact", "raw.csv").stdout.splitlines()[1]
    assert "raw.csv" in lineage(desk, "diff", "risk/1", "risk/2", "--output", "markdown").stdout
    events = json.loads(lineage(desk, "export", "--format", "openlineage").stdout)
    assert {event["job"]["name"] for event in events} >= {"project/prepare", "project/train"}
    missing = lineage(desk, "impact", "nothing.csv")
    assert missing.returncode == 2 and "nothing.csv" in missing.stderr and missing.stdout == ""


def lineage(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core", "lineage", *arguments, "--workspace", str(desk.root)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ.copy(), check=False
    )


def test_what_no_commit_holds_is_not_reproducible(desk: Desk, tmp_path: Path) -> None:
    """The policy's lineage gate: committed code, params and data pass, a working tree does not.

    FAIL is for evidence that contradicts: it can be overridden by nobody, so it must be certain which execution made
    the run (the next test). Missing evidence is INCONCLUSIVE, as a missing metric is, and needs a named override.
    """
    runs = {number: desk.workspace.registry.version("risk", number).run_id for number in (1, 2, 3)}
    verdict, said = lineage_verdict(desk.workspace, runs[2])
    assert verdict == "PASS" and desk.second[:7] in said
    # Run 1 was logged before there was any commit, so it names none, nor its data: two executions fit, and nothing
    # decides between them. That its tree was not clean cannot be told from a run whose git was merely not found.
    assert lineage_verdict(desk.workspace, runs[1])[0] == "INCONCLUSIVE"
    copy = tmp_path / "copy"
    shutil.copytree(desk.root, copy, symlinks=True)
    subprocess.run(["git", "reset", "-q", "--soft", "HEAD~1"], cwd=copy / "project", check=True)
    uncommitted = open_workspace(copy)
    assert lineage_verdict(uncommitted, runs[2])[0] == "PASS"
    verdict, said = lineage_verdict(uncommitted, runs[3])
    # The lock in the working tree fits run 3 as well as another that was never committed does: likely, not certain.
    assert verdict == "INCONCLUSIVE" and "perhaps its own lock was never committed" in said
    assert lineage_verdict(desk.workspace, None)[0] == "INCONCLUSIVE"


def test_the_lineage_gate_fails_what_only_a_working_tree_holds(desk: Desk, tmp_path: Path) -> None:
    """A data hash makes the execution certain: then an uncommitted lock, or other data than it names, fails."""
    copy = tmp_path / "copy"
    shutil.copytree(desk.root, copy, symlinks=True)
    ws, client = open_workspace(copy), MlflowClient(f"sqlite:///{copy}/mlflow/mlflow.db")
    run_id = ws.registry.version("risk", 3).run_id
    stage = yaml.safe_load((copy / "project" / "dvc.lock").read_text())["stages"]["train"]
    clean, model = (
        next(file["md5"] for file in stage[part] if file["path"] == path)
        for part, path in (("deps", "clean.csv"), ("outs", "model.pkl"))
    )
    client.set_tag(run_id, "data.hash", clean)
    assert lineage_verdict(ws, run_id)[0] == "PASS"
    client.set_tag(run_id, "data.hash", model)
    verdict, said = lineage_verdict(open_workspace(copy), run_id)
    assert verdict == "FAIL" and "training data is none of what dvc.lock records" in said
    client.set_tag(run_id, "data.hash", clean)
    subprocess.run(["git", "reset", "-q", "--soft", "HEAD~1"], cwd=copy / "project", check=True)
    verdict, said = lineage_verdict(open_workspace(copy), run_id)
    assert verdict == "FAIL" and said.endswith("ran on code, params or data that no commit's dvc.lock holds")
