"""The graph as OpenLineage run events (specification 2-0-2), for catalogues such as Marquez or DataHub.

A stage execution and an MLflow run are each a run of a job; data, model files and model versions are data
sets whose version facet holds content hash or number; a deployment is a run that reads a version and writes
its prediction log. One event a run: COMPLETE, FAIL or RUNNING as START.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from core.lineage.types import Graph, Node, NodeKind

PRODUCER = "urn:modeldesk:lineage"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "parent": "1-2-0/ParentRunFacet",
    "executionParameters": "1-0-0/ExecutionParametersRunFacet",
}
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC).isoformat()
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, PRODUCER)

JOBS = (NodeKind.STAGE, NodeKind.RUN, NodeKind.DEPLOYMENT)
DATASETS = (
    NodeKind.DATA,
    NodeKind.MODEL_FILE,
    NodeKind.CODE,
    NodeKind.DATASET,
    NodeKind.LOGGED_MODEL,
    NodeKind.RELEASE,
    NodeKind.VERSION,
    NodeKind.PREDICTION_LOG,
)
EVENT_TYPES = {"FAILED": "FAIL", "KILLED": "ABORT", "RUNNING": "START", "SCHEDULED": "START"}


def to_openlineage(graph: Graph, namespace: str) -> list[dict[str, Any]]:
    """Run events in order of time; ``namespace`` names the workspace in every job and data set."""
    events = [_event(graph, node, namespace) for node in graph.of_kind(*JOBS)]
    return sorted(events, key=lambda event: (event["eventTime"], event["job"]["name"]))


def _event(graph: Graph, node: Node, namespace: str) -> dict[str, Any]:
    before = [graph.by_id[edge.source] for edge in graph.incoming[node.id]]
    inputs = [other for other in before if other.kind in DATASETS]
    outputs = [other for other in _outputs(graph, node) if other.kind in DATASETS]
    return {
        "eventType": EVENT_TYPES.get(str(node.attributes.get("status")), "COMPLETE"),
        "eventTime": str(node.attributes.get("at") or node.attributes.get("since") or UNKNOWN_TIME),
        "run": {"runId": run_id(node), "facets": _run_facets(before, namespace)},
        "job": {**_job(node, namespace), "facets": {"jobType": _job_type(node)}},
        "inputs": [_dataset(other, namespace) for other in inputs],
        "outputs": [_dataset(other, namespace) for other in outputs],
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def run_id(node: Node) -> str:
    """The UUID of a run: MLflow's own id where it is one, else derived from the node's id."""
    own = str(node.attributes.get("run_id") or "")
    try:
        return str(uuid.UUID(own))
    except ValueError:
        return str(uuid.uuid5(NAMESPACE, node.id))


def _outputs(graph: Graph, node: Node) -> Iterable[Node]:
    """What the job wrote; a version counts as written by the run behind its logged model."""
    direct = [graph.by_id[edge.target] for edge in graph.outgoing[node.id]]
    yield from direct
    for logged in direct:
        if logged.kind is NodeKind.LOGGED_MODEL:
            targets = (graph.by_id[edge.target] for edge in graph.outgoing[logged.id])
            yield from (other for other in targets if other.kind is NodeKind.VERSION)


def _job(node: Node, namespace: str) -> dict[str, Any]:
    attributes = node.attributes
    if node.kind is NodeKind.STAGE:
        return {"namespace": namespace, "name": f"{attributes.get('project', '')}/{node.name}"}
    if node.kind is NodeKind.RUN:
        return {"namespace": namespace, "name": f"experiment/{attributes.get('experiment', 'unknown')}"}
    return {"namespace": namespace, "name": f"serve/{attributes['model']}/{attributes['environment']}"}


def _job_type(node: Node) -> dict[str, Any]:
    kinds = {NodeKind.STAGE: ("DVC", "TASK"), NodeKind.RUN: ("MLFLOW", "MODEL")}
    integration, job_type = kinds.get(node.kind, ("MODEL_DESK", "SERVICE"))
    processing = "SERVICE" if node.kind is NodeKind.DEPLOYMENT else "BATCH"
    told = {"processingType": processing, "integration": integration, "jobType": job_type}
    return _facet("jobType", told)


def _run_facets(before: Iterable[Node], namespace: str) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    for other in before:
        if other.kind is NodeKind.STAGE:
            parent = {"run": {"runId": run_id(other)}, "job": _job(other, namespace)}
            facets["parent"] = _facet("parent", parent)
        if other.kind is NodeKind.PARAMS:
            values = other.attributes["values"]
            parameters = [{"key": str(key), "value": _text(value)} for key, value in values.items()]
            facets["executionParameters"] = _facet("executionParameters", {"parameters": parameters})
    return facets


def _text(value: Any) -> str:
    """The specification has texts only: what is no text already is written as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _dataset(node: Node, namespace: str) -> dict[str, Any]:
    attributes = node.attributes
    version = attributes.get("hash") or attributes.get("version") or attributes.get("revision")
    facets = {"version": _facet("version", {"datasetVersion": str(version)})} if version else {}
    return {"namespace": namespace, "name": _dataset_name(node), "facets": facets}


def _dataset_name(node: Node) -> str:
    attributes = node.attributes
    if node.kind is NodeKind.VERSION:
        return f"models/{attributes['model']}"
    if node.kind is NodeKind.DATASET:
        return f"mlflow/{node.name}"
    if node.kind is NodeKind.PREDICTION_LOG:
        return f"predictions/{attributes['model']}/{attributes['environment']}"
    return "/".join(filter(None, (attributes.get("repository") or attributes.get("project"), node.name)))


def _facet(name: str, content: dict[str, Any]) -> dict[str, Any]:
    file = FACETS[name]
    anchor = file.partition("/")[2]
    url = f"https://openlineage.io/spec/facets/{file}.json#/$defs/{anchor}"
    return {"_producer": PRODUCER, "_schemaURL": url, **content}
