"""Layers and order of drawings; each case's id draws its graph."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.lineage.groups import collapse
from core.lineage.layout import layout
from core.lineage.types import Edge, Evidence, Graph, Node, NodeKind, Strength


def draw(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """``a>b>c, a>c`` as nodes and edges."""
    edges: list[tuple[str, str]] = []
    nodes: dict[str, None] = {}
    for chain in text.replace(" ", "").split(","):
        names = chain.split(">")
        nodes |= dict.fromkeys(name for name in names if name)
        edges += pairwise(names)
    return list(nodes), edges


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("a", "a"),
        ("a>b>c", "a b c"),
        ("a>b>c, a>c", "a b c"),
        ("a>b, a>c, b>d, c>d", "a bc d"),
        ("a>b>c, p>c", "a bp c"),
        ("a>b>c, p>c, q>b", "aq bp c"),
        ("a>b>a", "ab"),
        ("a>b>c>b, c>d", "a bc d"),
        ("a>b, x>y", "ax by"),
        ("a, b, c", "abc"),
    ],
    ids=lambda value: value,
)
def test_layers(text: str, layers: str) -> None:
    plan = layout(*draw(text))
    found = ["" for _ in range(plan.layers)]
    for node, (layer, _) in sorted(plan.places.items()):
        found[int(layer)] += node
    assert " ".join(found) == layers


@pytest.mark.parametrize(
    "text",
    [
        "a>x, b>y",
        "a>y, b>x",
        "a>z, b>y, c>x",
        "a>x, a>y, b>z, x>t, y>t, z>s",
        "r>a>x, r>b>y, r>c>z, x>e, z>f",
    ],
    ids=lambda value: value,
)
def test_planar_drawings_have_no_crossing(text: str) -> None:
    nodes, edges = draw(text)
    assert crossings(layout(nodes, edges).places, edges) == 0


def crossings(places, edges) -> int:
    return sum(
        (places[a][1] - places[c][1]) * (places[b][1] - places[d][1]) < 0
        for index, (a, b) in enumerate(edges)
        for c, d in edges[:index]
        if places[a][0] == places[c][0] and places[b][0] == places[d][0]
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40))
def test_any_graph_gets_places_that_do_not_coincide(edges) -> None:
    nodes = sorted({node for edge in edges for node in edge} | {0})
    plan = layout(nodes, edges)
    assert set(plan.places) == set(nodes)
    assert len(set(plan.places.values())) == len(nodes)
    assert plan == layout(nodes, edges)


def test_nothing_draws_nothing() -> None:
    assert layout([], []).layers == 0


def grid(members: int) -> Graph:
    """prepare > grid@1..n > report, each member with its own output that the report reads."""
    nodes = [Node("d", NodeKind.DATA, "d"), Node("report", NodeKind.STAGE, "report", {"project": "p"})]
    edges = []
    for index in range(members):
        told = {"project": "p", "group": "grid", "revision": "c1", "status": "up-to-date"}
        nodes += [
            Node(f"s{index}", NodeKind.STAGE, f"grid@{index}", told),
            Node(f"o{index}", NodeKind.DATA, f"o{index}"),
        ]
        edges += [("d", f"s{index}"), (f"s{index}", f"o{index}"), (f"o{index}", "report")]
    return Graph(tuple(nodes), tuple(Edge(a, b, Evidence.LOCK, Strength.EXACT) for a, b in edges))


def test_a_group_and_what_only_it_made_become_one_node_each() -> None:
    small = collapse(grid(12))
    assert [node.name for node in small.nodes] == ["d", "report", "grid (12)", "data files (12)"]
    assert len(small.edges) == 3
    assert small.nodes[2].attributes["status"] == "up-to-date"


def test_what_is_in_focus_stays_by_itself() -> None:
    small = collapse(grid(3), keep=("s1", "o1"))
    assert {node.name for node in small.nodes} == {
        "d",
        "report",
        "grid (2)",
        "data files (2)",
        "grid@1",
        "o1",
    }


def test_a_lone_stage_is_no_group() -> None:
    assert len(collapse(grid(1)).nodes) == 4


def test_the_runs_of_a_sweep_become_one_node_until_one_leads_somewhere_else() -> None:
    runs = [Node(f"r{index}", NodeKind.RUN, f"r{index}") for index in range(6)]
    nodes = (Node("d", NodeKind.DATA, "d"), *runs, Node("v", NodeKind.VERSION, "v"))
    ends = [("d", run.id) for run in runs] + [("r0", "v")]
    edges = tuple(Edge(a, b, Evidence.MLFLOW, Strength.EXACT) for a, b in ends)
    assert [node.name for node in collapse(Graph(nodes, edges)).nodes] == ["d", "r0", "v", "runs (5)"]
    assert len(collapse(Graph(nodes[:5], edges[:4])).nodes) == 5
