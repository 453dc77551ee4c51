"""What other programs get: OpenLineage events, Mermaid, dot and SVG."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from datetime import datetime
from xml.etree import ElementTree

import jsonschema
import pytest

from core.lineage.export import to_dot, to_mermaid, to_svg
from core.lineage.openlineage import to_openlineage
from core.lineage.types import Edge, Evidence, Graph, Node, NodeKind, Strength
from tests.unit.lineage_story import FEATURES_A, RAW_A, story

# What the specification 2-0-2 asks of a run event, in our words: the required fields and their types.
URI = {"type": "string", "format": "uri", "pattern": "^[a-z][a-z0-9+.-]*:.+"}
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": URI, "_schemaURL": URI},
    },
}
NAMED = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "facets": FACETS,
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": URI,
        "schemaURL": URI,
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]{36}$"},
                "facets": FACETS,
            },
        },
        "job": NAMED,
        "inputs": {"type": "array", "items": NAMED},
        "outputs": {"type": "array", "items": NAMED},
    },
}

GRAPH = story()
HOSTILE = 'a "quoted" <b>]) | `x` # \\ \n end'


def hostile() -> Graph:
    nodes = tuple(
        Node(f"{kind}:{HOSTILE}", kind, HOSTILE, {"model": "m", "environment": "e"}) for kind in NodeKind
    )
    edges = (Edge(nodes[0].id, nodes[1].id, Evidence.NAME, Strength.WEAK),)
    return Graph(nodes, edges)


@pytest.fixture(scope="module")
def events() -> list[dict]:
    return to_openlineage(GRAPH, "clinic")


def test_events_are_valid(events) -> None:
    jsonschema.validate(json.loads(json.dumps(events)), {"type": "array", "items": RUN_EVENT})
    for event in events:
        uuid.UUID(event["run"]["runId"])
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None


def test_there_is_one_event_a_stage_run_and_deployment(events) -> None:
    expected = len(GRAPH.of_kind(NodeKind.STAGE, NodeKind.RUN, NodeKind.DEPLOYMENT))
    assert len({event["run"]["runId"] for event in events}) == len(events) == expected
    assert [event["eventTime"] for event in events] == sorted(event["eventTime"] for event in events)


def test_events_carry_content_hashes_parents_and_params(events) -> None:
    prepare = next(
        event
        for event in events
        if event["job"]["name"] == "clinic/prepare" and _version(event["inputs"][0]) == RAW_A
    )
    assert [(item["name"], _version(item)) for item in prepare["outputs"]] == [
        ("clinic/data/features.parquet", FEATURES_A)
    ]
    runs = [event for event in events if event["job"]["name"] == "experiment/clinic"]
    trained = [event for event in runs if "parent" in event["run"]["facets"]]
    assert len(trained) == 3
    assert trained[0]["run"]["facets"]["parent"]["job"]["name"] == "clinic/train"
    assert trained[0]["outputs"][0]["name"] == "models/risk"
    train = next(event for event in events if event["job"]["name"] == "clinic/train")
    assert train["run"]["facets"]["jobRunParameters"]["parameters"]


def _version(item: dict) -> str:
    return item["facets"]["version"]["datasetVersion"]


@pytest.mark.parametrize("graph", [GRAPH, hostile(), Graph()], ids=["story", "hostile", "empty"])
def test_svg_is_well_formed_and_complete(graph: Graph) -> None:
    root = ElementTree.fromstring(to_svg(graph))
    names = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{names}g")) == len(graph.nodes)
    assert len(root.findall(f"{names}path")) == len(graph.edges)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("graph", [GRAPH, hostile(), Graph()], ids=["story", "hostile", "empty"])
def test_graphviz_accepts_the_dot_file(graph: Graph) -> None:
    done = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(graph), capture_output=True, text=True, timeout=60, check=True
    )
    assert sum(line.startswith("node ") for line in done.stdout.splitlines()) == len(graph.nodes)


def test_mermaid_has_a_line_a_node_and_an_edge_and_no_stray_markup() -> None:
    for graph in (GRAPH, hostile()):
        lines = to_mermaid(graph).splitlines()
        assert lines[0] == "flowchart LR"
        assert len(lines) == 1 + len(graph.nodes) + len(graph.edges)
        assert all(line.count('"') in (0, 2) for line in lines)
    assert "-.->" in to_mermaid(hostile())
