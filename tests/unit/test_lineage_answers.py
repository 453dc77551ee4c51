"""What the page says first, and the picture without bookkeeping."""

from __future__ import annotations

import pytest

from core.lineage.answers import answer
from core.lineage.types import Edge, Evidence, Graph, Node, NodeId, NodeKind, Strength
from core.lineage.view import BOOKKEEPING, bridged, fitting_hops
from tests.unit.lineage_story import FEATURES_A, RAW_A, RAW_B, story

GRAPH = story()


def node(kind: NodeKind, **attributes: object) -> NodeId:
    found = [
        one.id
        for one in GRAPH.of_kind(kind)
        if all(one.attributes.get(key) == value for key, value in attributes.items())
    ]
    return found[0]


@pytest.mark.parametrize(
    ("kind", "attributes", "sentence", "urgent"),
    [
        (
            NodeKind.DATA,
            {"hash": RAW_A},
            "3 versions were trained on data/raw.csv with this content; 1 of them serves now: risk v1 in production.",
            True,
        ),
        (
            NodeKind.DATA,
            {"hash": RAW_B},
            "2 versions were trained on data/raw.csv with this content; none of them serves now.",
            False,
        ),
        (
            NodeKind.MODEL_FILE,
            {},
            "No model version is known to have been made from models/model.pkl with this content.",
            False,
        ),
        (
            NodeKind.VERSION,
            {"model": "risk", "version": 2},
            f"risk v2 came from stage train on data/raw.csv ({RAW_B[:7]}) (evidence: exact).",
            False,
        ),
    ],
)
def test_the_answer_comes_first(kind, attributes, sentence, urgent) -> None:
    found = answer(GRAPH, node(kind, **attributes))
    assert (found.sentence, found.urgent) == (sentence, urgent)


def test_without_bookkeeping_the_way_from_data_to_version_stays() -> None:
    shown = bridged(GRAPH, BOOKKEEPING)
    assert not shown.of_kind(*BOOKKEEPING)
    for one in GRAPH.of_kind(NodeKind.VERSION):
        before = [shown.by_id[edge.source].kind for edge in shown.incoming[one.id]]
        assert before and set(before) <= {NodeKind.RUN, NodeKind.VERSION}
    features = node(NodeKind.DATA, hash=FEATURES_A)
    assert answer(shown, features).impact.versions == answer(GRAPH, features).impact.versions


def test_a_bridge_is_as_sure_as_its_weakest_edge_and_may_not_be_training() -> None:
    kinds = (NodeKind.DATA, NodeKind.DATASET, NodeKind.RUN)
    nodes = tuple(Node(NodeId(f"{kind}:x"), kind, "x") for kind in kinds)
    first = Edge(nodes[0].id, nodes[1].id, Evidence.CONTENT_HASH, Strength.LIKELY, trained=False)
    second = Edge(nodes[1].id, nodes[2].id, Evidence.MLFLOW, Strength.EXACT)
    (bridge,) = bridged(Graph(nodes, (first, second)), (NodeKind.DATASET,)).edges
    assert (bridge.strength, bridge.evidence, bridge.trained) == (
        Strength.LIKELY,
        Evidence.CONTENT_HASH,
        False,
    )
    direct = Edge(nodes[0].id, nodes[2].id, Evidence.LOCK, Strength.EXACT)
    assert bridged(Graph(nodes, (first, second, direct)), (NodeKind.DATASET,)).edges == (direct,)


def test_a_small_graph_is_shown_in_full_and_a_large_one_three_steps_around() -> None:
    assert fitting_hops(GRAPH, node(NodeKind.VERSION, model="risk", version=2), grouped=True) == 10
    chain = [Node(NodeId(f"data:{index}"), NodeKind.DATA, str(index)) for index in range(100)]
    many = [Node(NodeId(f"run:{index}"), NodeKind.RUN, str(index)) for index in range(100)]
    edges = [Edge(chain[0].id, one.id, Evidence.LOCK, Strength.EXACT) for one in many]
    assert fitting_hops(Graph((*chain, *many), tuple(edges)), chain[0].id, grouped=False) == 3
