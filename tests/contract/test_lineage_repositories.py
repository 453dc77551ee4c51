"""Beyond one repository: ``dvc import`` from another one, GTO's tags, DVC experiments; all by the real tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from core.lineage.answers import answer
from core.lineage.build import build
from core.lineage.questions import impact, upstream
from core.lineage.types import Edge, Evidence, Graph, NodeId, NodeKind, Strength
from core.lineage.view import at_revision, revision_names
from core.workspace import open_workspace
from tests.pipeline_project import ENVIRONMENT, commit, dvc, git, init

PRODUCER = """\
stages:
  make:
    cmd: tr a-z A-Z < raw.csv > clean.csv && mkdir -p parts && cp raw.csv parts/one.csv
    deps: [raw.csv]
    outs: [clean.csv, parts]
artifacts:
  cleaned: {path: clean.csv, type: dataset}
"""
CONSUMER = """\
stages:
  train:
    cmd: cat clean.csv one.csv > model.pkl
    deps: [clean.csv, one.csv]
    params: [seed]
    outs: [model.pkl]
"""


@dataclass(frozen=True)
class Two:
    """A workspace root, its two repositories and the producer's first commit."""

    root: Path
    producer: Path
    consumer: Path
    first: str

    def graph(self, *projects: str) -> Graph:
        names = ", ".join(f'"{name}"' for name in projects)
        (self.root / "modeldesk.toml").write_text(f"[dvc]\nprojects = [{names}]\n")
        return build(open_workspace(self.root))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    """The consumer imports a whole output and a file inside a folder; the producer moves on and is tagged."""
    root = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        producer = init(root / "producer", {"raw.csv": "id\na\n", "dvc.yaml": PRODUCER})
        dvc(producer, "add", "raw.csv", "-q")
        dvc(producer, "repro", "-q")
        first = commit(producer, "first")
        git(producer, "tag", "-a", "cleaned@v1.0.0", "-m", "register")
        git(producer, "tag", "-a", "cleaned#prod#1", "-m", "assign")
        consumer = init(root / "consumer", {"dvc.yaml": CONSUMER, "params.yaml": "seed: 1\n"})
        dvc(consumer, "import", str(producer), "clean.csv", "-q")
        dvc(consumer, "import", str(producer), "parts/one.csv", "-q")
        dvc(consumer, "repro", "-q")
        commit(consumer, "imported")
        git(consumer, "update-ref", _experiment_ref(consumer), _experiment(consumer))
        (producer / "raw.csv").write_text("id\nb\n")
        dvc(producer, "add", "raw.csv", "-q")
        dvc(producer, "repro", "-q")
        commit(producer, "second")
        git(producer, "tag", "cleaned@v9.9.9")  # not annotated: GTO does not count it
    return Two(root, producer, consumer, first)


def _experiment(project: Path) -> str:
    """A commit as ``dvc exp run`` leaves it: the lock with another seed, on no branch."""
    lock = (project / "dvc.lock").read_text()
    (project / "dvc.lock").write_text(lock.replace("seed: 1", "seed: 2"))
    git(project, "add", "dvc.lock")
    tree = git(project, "write-tree")
    (project / "dvc.lock").write_text(lock)
    git(project, "add", "dvc.lock")
    return git(project, "commit-tree", tree, "-p", "HEAD", "-m", "dvc: commit experiment")


def _experiment_ref(project: Path) -> str:
    head = git(project, "rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/slow-fox"


def edge_into(graph: Graph, name: str, project: str) -> list[tuple[str, Edge]]:
    node = next(
        n for n in graph.of_kind(NodeKind.DATA) if n.attributes.get("project") == project and n.name == name
    )
    return [(graph.by_id[edge.source].id, edge) for edge in graph.incoming[node.id]]


def test_imports_are_followed_when_the_other_repository_is_configured(two: Two) -> None:
    graph = two.graph("consumer", "producer")
    whole = [
        edge for source, edge in edge_into(graph, "clean.csv", "consumer") if "producer/clean.csv" in source
    ]
    assert [(edge.evidence, edge.strength) for edge in whole] == [(Evidence.CONTENT_HASH, Strength.EXACT)]
    inside = [edge for source, edge in edge_into(graph, "one.csv", "consumer") if "producer/parts" in source]
    assert [edge.strength for edge in inside] == [Strength.STRONG]
    before = upstream(graph, "model.pkl")
    assert {node.attributes["project"] for node in before.of_kind(NodeKind.STAGE)} == {"producer", "consumer"}
    raw = {node.attributes["hash"] for node in before.of_kind(NodeKind.DATA) if node.name == "raw.csv"}
    assert len(raw) == 1  # the first content alone: the producer's second one was never imported


def test_an_import_from_an_unknown_repository_names_it(two: Two) -> None:
    graph = two.graph("consumer")
    sources = [graph.by_id[NodeId(source)] for source, _ in edge_into(graph, "clean.csv", "consumer")]
    origin = next(node for node in sources if "repository" in node.attributes)
    assert origin.attributes["repository"] == str(two.producer)
    assert origin.attributes["revision"] == two.first


def test_gto_s_tags_are_releases_of_the_file_that_their_commit_locks(two: Two) -> None:
    graph = two.graph("producer")
    (release,) = graph.of_kind(NodeKind.RELEASE)
    assert (release.name, release.attributes["stages"]) == ("cleaned@v1.0.0", ["prod"])
    assert [text.split(" by ")[0] for text in release.attributes["events"]] == [
        "registered v1.0.0",
        "assigned prod",
    ]
    found = impact(graph, f"raw.csv@{two.first}")
    assert [node.id for node in found.releases] == [release.id]
    assert impact(graph, "raw.csv").releases == ()
    data = next(node for node in found.data)
    assert answer(graph, data.id).sentence.endswith("GTO's tags release it as cleaned@v1.0.0 (prod).")


def test_an_experiment_is_a_revision_with_an_execution_of_its_own(two: Two) -> None:
    graph = two.graph("consumer")
    assert "slow-fox" in revision_names(graph)
    then, now = at_revision(graph, "slow-fox"), at_revision(graph, "HEAD")
    (stage,), (ours,) = then.of_kind(NodeKind.STAGE), now.of_kind(NodeKind.STAGE)
    assert stage.id != ours.id and stage.name == ours.name == "train"
