"""Impact, origin, path and difference on a history whose answers are known."""

from __future__ import annotations

import pytest

from core.errors import BadInput, NotFound
from core.lineage.difference import Aspect, diff
from core.lineage.find import find
from core.lineage.questions import as_version, downstream, impact, neighbourhood, origin, path, upstream
from core.lineage.tree import tree
from core.lineage.types import Edge, Evidence, Graph, Node, NodeKind, Strength
from core.lineage.walk import Direction, certainty, reach
from tests.unit.lineage_story import FEATURES_A, RAW_A, RAW_B, SHAS, story

GRAPH = story()


def named(versions) -> list[str]:
    return [version.node.name for version in versions]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (RAW_A, ["risk v1", "risk v4", "risk-prod v1"]),
        (RAW_A[:6], ["risk v1", "risk v4", "risk-prod v1"]),
        (FEATURES_A, ["risk v1", "risk v4", "risk-prod v1"]),
        (RAW_B, ["risk v3", "risk v2"]),
        ("data/raw.csv", ["risk v3", "risk v2"]),
        ("clinic/data/raw.csv", ["risk v3", "risk v2"]),
        (f"data/raw.csv@{SHAS['c1'][:7]}", ["risk v1", "risk v4", "risk-prod v1"]),
        ("data/raw.csv@main~2", ["risk v1", "risk v4", "risk-prod v1"]),
        ("data/raw.csv@HEAD^", ["risk v3", "risk v2"]),
    ],
)
def test_impact_lists_exactly_the_versions_trained_from_the_content(reference, expected) -> None:
    assert sorted(named(impact(GRAPH, reference).versions)) == sorted(expected)


def test_impact_puts_live_versions_first_with_who_approved_them() -> None:
    answer = impact(GRAPH, RAW_A)
    first = answer.versions[0]
    assert first.node.name == "risk v1"
    assert [node.attributes["environment"] for node in first.live] == ["production"]
    assert first.approved_by == ("Grace", "Lin")
    assert answer.as_dict()["deployments"][0]["live"] is True
    assert not impact(GRAPH, RAW_B).versions[0].live


def test_impact_leaves_out_what_was_only_evaluated_or_shares_a_name() -> None:
    nodes = (
        Node("d", NodeKind.DATA, "d", {"hash": "d" * 32}),
        Node("r", NodeKind.RUN, "r"),
        Node("v", NodeKind.VERSION, "m v1", {"model": "m", "version": 1}),
        Node("w", NodeKind.VERSION, "m v2", {"model": "m", "version": 2}),
    )
    edges = (
        Edge("d", "r", Evidence.MLFLOW, Strength.EXACT, trained=False),
        Edge("r", "v", Evidence.MLFLOW, Strength.EXACT),
        Edge("d", "w", Evidence.NAME, Strength.WEAK),
    )
    answer = impact(Graph(nodes, edges), "dddd")
    assert answer.versions == ()
    assert named(answer.possible) == ["m v2"]


def test_origin_is_one_consistent_snapshot() -> None:
    graph = origin(GRAPH, "risk", 2)
    hashes = {node.attributes["hash"] for node in graph.of_kind(NodeKind.DATA)}
    assert RAW_B in hashes and RAW_A not in hashes
    assert [node.name for node in graph.of_kind(NodeKind.RUN)] == ["fit"]
    with pytest.raises(NotFound):
        origin(GRAPH, "risk", 99)


def test_every_edge_tells_its_evidence_and_strength() -> None:
    for edge in GRAPH.as_dict()["edges"]:
        assert edge["evidence"] and edge["strength"] in {"weak", "likely", "strong", "exact"}


def test_path_works_in_either_order_and_may_be_empty() -> None:
    there = path(GRAPH, RAW_A, "version:risk/1")
    assert {node.id for node in there.nodes} == {
        node.id for node in path(GRAPH, "version:risk/1", RAW_A).nodes
    }
    assert {node.kind for node in there.nodes} >= {
        NodeKind.DATA,
        NodeKind.STAGE,
        NodeKind.RUN,
        NodeKind.VERSION,
    }
    assert path(GRAPH, RAW_A, "version:risk/2").nodes == ()
    with pytest.raises(BadInput):
        path(GRAPH, RAW_A, RAW_A)


def test_difference_names_data_params_and_code() -> None:
    found = diff(GRAPH, ("risk", 1), ("risk", 3), {("risk", 1): {"numpy": "1"}, ("risk", 3): {"numpy": "2"}})
    changed = {(change.aspect, change.key) for change in found.changes}
    assert (Aspect.DATA, "data/raw.csv") in changed
    assert (Aspect.PARAMS, "lr") in changed and (Aspect.PARAMS, "train: train.lr") in changed
    assert (Aspect.PARAMS, "train: train.seed") not in changed
    assert (Aspect.CODE, "commit of the run") in changed
    assert (Aspect.ENVIRONMENT, "numpy") in changed
    assert {node["side"] for node in found.as_dict()["nodes"]} >= {"left", "right"}
    assert Aspect.ENVIRONMENT in diff(GRAPH, ("risk", 1), ("risk", 3)).unknown


@pytest.mark.parametrize(
    "reference", ["nonsense", "version:risk/9", "alias:risk@champion", "run:zzzz", "rev:ffff"]
)
def test_unknown_references_are_not_found(reference) -> None:
    with pytest.raises(NotFound):
        find(GRAPH, reference)


def test_references_people_type() -> None:
    assert find(GRAPH, "alias:risk-prod@champion") == ("version:risk-prod/1",)
    assert find(GRAPH, "run:r1r1") == (f"run:{'r1' * 16}",)
    assert len(find(GRAPH, "train")) == 1
    assert find(GRAPH, "train@main~2") != find(GRAPH, "train")
    assert find(GRAPH, f"rev:{SHAS['c2'][:8]}") == (f"commit:{SHAS['c2'][:12]}",)
    with pytest.raises(BadInput):
        find(GRAPH, "run:fit")
    assert as_version("risk/v3") == ("risk", 3)
    with pytest.raises(BadInput):
        as_version("risk")


def test_a_shortened_hash_must_be_unique() -> None:
    nodes = [Node(f"d{i}", NodeKind.DATA, "x", {"hash": f"abcd{i}" + "0" * 27}) for i in range(2)]
    with pytest.raises(BadInput, match="2 hashes"):
        find(Graph(tuple(nodes)), "abcd")


def test_neighbourhood_has_no_siblings() -> None:
    near = neighbourhood(GRAPH, find(GRAPH, "version:risk/1"), 2)
    assert "risk v2" not in {node.name for node in near.nodes}
    assert {node.name for node in near.of_kind(NodeKind.DEPLOYMENT)} == {"production: risk v1"}


def test_text_tree_opens_each_node_once_and_names_the_evidence() -> None:
    lines = tree(GRAPH, find(GRAPH, "version:risk/1")[0], Direction.UP)
    assert lines[0].startswith("model version risk v1")
    assert any("[dvc.lock, exact]" in line for line in lines)
    assert any("raw.csv" in line for line in lines)


def test_deep_chains_and_cycles_are_walked_without_recursion() -> None:
    count = 10_000
    nodes = tuple(Node(f"n{i}", NodeKind.STAGE, f"n{i}") for i in range(count))
    edges = [Edge(f"n{i}", f"n{i + 1}", Evidence.LOCK, Strength.EXACT) for i in range(count - 1)]
    chain = Graph(nodes, (*edges, Edge(f"n{count - 1}", "n0", Evidence.LOCK, Strength.WEAK)))
    assert len(reach(chain, ["n0"], Direction.DOWN)) == count
    assert certainty(chain, ["n5"], Direction.DOWN)["n0"] is Strength.WEAK
    assert len(tree(chain, "n0", Direction.DOWN, limit=count + 5)) == count + 1
    assert len(upstream(chain, "n9", hops=3).nodes) == 4
    assert len(downstream(chain, "n9", hops=3).nodes) == 4
