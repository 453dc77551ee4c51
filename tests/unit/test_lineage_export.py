"""What other programs get: OpenLineage events, Mermaid, dot and SVG."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from xml.etree import ElementTree

import pytest
from openlineage.client.generated import parent_run
from openlineage.client.generated.base import (
    EventType,
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
)
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.execution_parameters_run import (
    ExecutionParameter,
    ExecutionParametersRunFacet,
)
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.parent_run import ParentRunFacet
from openlineage.client.serde import Serde

from core.lineage.export import to_dot, to_mermaid, to_svg
from core.lineage.openlineage import PRODUCER, to_openlineage
from core.lineage.types import Edge, Evidence, Graph, Node, NodeKind, Strength
from tests.unit.lineage_story import FEATURES_A, RAW_A, story

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


def official(event: dict) -> RunEvent:
    """The event in the classes that OpenLineage generates from its published schema; they refuse what is unknown."""
    facets = {
        "jobType": JobTypeJobFacet,
        "version": DatasetVersionDatasetFacet,
        "executionParameters": _execution_parameters,
        "parent": _parent,
    }

    def built(given: dict) -> dict:
        plain = {
            name: {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL")}
            for name, facet in given.items()
        }
        return {name: facets[name](**facet, producer=PRODUCER) for name, facet in plain.items()}

    def data(items: list[dict], kind: type) -> list:
        return [kind(item["namespace"], item["name"], facets=built(item["facets"])) for item in items]

    return RunEvent(
        eventType=EventType(event["eventType"]),
        eventTime=event["eventTime"],
        run=Run(event["run"]["runId"], built(event["run"]["facets"])),
        job=Job(event["job"]["namespace"], event["job"]["name"], built(event["job"]["facets"])),
        inputs=data(event["inputs"], InputDataset),
        outputs=data(event["outputs"], OutputDataset),
        producer=event["producer"],
    )


def _execution_parameters(parameters: list[dict], **rest: str) -> ExecutionParametersRunFacet:
    return ExecutionParametersRunFacet([ExecutionParameter(**one) for one in parameters], **rest)


def _parent(run: dict, job: dict, **rest: str) -> ParentRunFacet:
    return ParentRunFacet(parent_run.Run(**run), parent_run.Job(**job), **rest)


def without_empty(value: object) -> object:
    """Their serialiser leaves empty lists and mappings out."""
    if isinstance(value, dict):
        plain = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item not in ([], {}, None)}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("graph", [GRAPH, hostile()], ids=["story", "hostile"])
def test_events_are_those_of_the_published_client(graph: Graph) -> None:
    events = json.loads(json.dumps(to_openlineage(graph, "clinic")))
    for event in events:
        assert without_empty(json.loads(Serde.to_json(official(event)))) == without_empty(event)
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
    assert train["run"]["facets"]["executionParameters"]["parameters"]


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
