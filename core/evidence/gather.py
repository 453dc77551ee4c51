"""Everything an evidence pack says, as plain facts: from the stores and the ledger, nothing from the clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelDeskError
from core.evidence.card import model_card
from core.evidence.extract import Extract, extract
from core.evidence.sbom import bill_of_materials
from core.evidence.types import Card
from core.ledger.canonical import instant_text
from core.lineage.environment import parse_environment
from core.privacy import shown_metrics
from core.registry.catalogue import Entry, entry
from core.registry.words import sentence
from core.tree import tree_sha256

if TYPE_CHECKING:
    from core.ledger.state import Request, Service, State
    from core.workspace import Workspace

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The facts of one version; ``policies`` are the texts by number that its requests and releases rest on."""

    facts: Mapping[str, Any]
    card: Card
    sbom: Mapping[str, Any]
    extract: Extract
    policies: Mapping[int, str]


def gather(ws: Workspace, model: str, version: int) -> Evidence:
    """Read everything about a version. Raises NotFound, Unavailable, IntegrityFailure (symbolic links)."""
    found = entry(ws, model, version)
    state, own = ws.ledger.state(), extract(ws, model, version)
    files = _files(ws, model, version)
    logged = found.run.metrics if found.run else {}
    requests = [item for item in state.requests.values() if _about(item, model, version)]
    texts = _policies(state, requests, own)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "version": _version(found),
        "run": _run(found),
        "metrics": [{"name": name, "value": value} for name, value in sorted(shown_metrics(logged).items())],
        "files": files,
        "requests": [_request(item, files["sha256"]) for item in requests],
        "served": _served(state, model, version),
        "policies": texts,
        "lineage": _lineage(ws, model, version),
        "decisions": [
            {
                "seq": record.seq,
                "at": instant_text(record.at),
                "who": record.actor.printed_name,
                "vouched_by": record.actor.source,
                "what": sentence(record),
                "environment": record.environment,
                "reason": record.reason,
                "hash": record.hash,
            }
            for record in own.records
        ],
    }
    environment = _environment(ws, model, version)
    sbom = bill_of_materials(model, version, environment, found.version.created_at, files["sha256"])
    return Evidence(
        facts=facts,
        card=model_card(ws, model, version),
        sbom=sbom,
        extract=own,
        policies={
            event.version: event.text for _, event in state.policies if event.version in _numbers(texts)
        },
    )


def _version(found: Entry) -> dict[str, Any]:
    version = found.version
    return {
        "model": version.model,
        "version": version.version,
        "description": version.description,
        "registered_at": instant_text(version.created_at) if version.created_at else None,
        "status": version.status,
        "aliases": list(version.aliases),
    }


def _run(found: Entry) -> dict[str, Any] | None:
    run = found.run
    if run is None:
        return None
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "user": run.user,
        "started_at": instant_text(run.start_time) if run.start_time else None,
        "git_commit": run.git_commit,
        "data_hash": run.data_hash,
        "params": dict(sorted(run.params.items())),
        "datasets": [
            {"name": item.name, "digest": item.digest, "context": item.context} for item in run.datasets
        ],
    }


def _files(ws: Workspace, model: str, version: int) -> dict[str, Any]:
    """Path, size and SHA-256 of the model's files; never their content."""
    folder = ws.registry.folder(model, version)
    if folder is None:
        return {"sha256": "", "note": "the files lie in a remote store and were not hashed", "files": []}
    listed = [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return {"sha256": tree_sha256(folder)[0], "note": "", "files": listed}


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _about(request: Request, model: str, version: int) -> bool:
    return (request.opened.model, request.opened.version) == (model, version)


def _request(request: Request, files: str) -> dict[str, Any]:
    opened, judged = request.opened, request.opened.evidence.get("files")
    same = "unknown" if not judged or not files else "yes" if judged == files else "no"
    return {
        "request_id": opened.request_id,
        "environment": opened.environment,
        "opened_at": instant_text(request.at),
        "requested_by": request.by.printed_name,
        "reason": opened.reason,
        "tier": opened.tier,
        "needs": opened.needs,
        "groups": dict(opened.groups),
        "policy_version": opened.policy_version,
        "champion": opened.champion,
        "expires_at": instant_text(opened.expires_at),
        "digest": opened.digest,
        "files_are_those_judged": same,
        "metrics_judged": shown_metrics(opened.evidence.get("metrics", {})),
        "gates": [dict(gate) for gate in opened.evidence.get("gates", ())],
        "signatures": [
            {
                "printed_name": item.event.printed_name,
                "at": instant_text(item.at),
                "meaning": item.event.meaning,
                "passphrase": item.event.authenticated,
                "deputy_for": item.event.deputy_for,
                "groups": list(item.event.groups),
                "covers_this_request": item.event.digest == opened.digest,
            }
            for item in request.signatures
        ],
        "overrides": [
            {"gate": event.gate, "by": who.printed_name, "reason": event.reason}
            for who, event in request.overrides
        ],
        "outcome": "used for a release" if request.used_by else request.closed or "open",
        "operation_id": request.used_by,
    }


def _served(state: State, model: str, version: int) -> list[dict[str, Any]]:
    return [
        _stretch(environment, service)
        for (name, environment), services in sorted(state.services.items())
        for service in services
        if name == model and service.version == version
    ]


def _stretch(environment: str, service: Service) -> dict[str, Any]:
    return {
        "environment": environment,
        "since": instant_text(service.since),
        "until": instant_text(service.until) if service.until else None,
        "by": service.by.printed_name,
        "basis": service.basis,
        "request_id": service.request_id,
        "taken_back": service.taken_back,
    }


def _policies(state: State, requests: list[Request], own: Extract) -> list[dict[str, Any]]:
    """The policy versions by which the version was judged or released."""
    wanted = {request.opened.policy_version for request in requests}
    wanted |= {record.payload.get("policy_version") for record in own.records}
    return [
        {
            "version": event.version,
            "name": event.policy,
            "sha256": event.sha256,
            "published_at": instant_text(at),
        }
        for at, event in state.policies
        if event.version in wanted
    ]


def _numbers(policies: list[dict[str, Any]]) -> set[int]:
    return {item["version"] for item in policies}


def _lineage(ws: Workspace, model: str, version: int) -> dict[str, Any]:
    """What the version came from: names and content hashes, and why each link is believed."""
    from core.lineage.build import build
    from core.lineage.questions import origin

    try:
        graph = origin(build(ws), model, version)
    except ModelDeskError as error:
        return {"nodes": [], "edges": [], "notes": [error.what]}
    nodes = sorted(graph.nodes, key=lambda node: node.id)
    edges = sorted(graph.edges, key=lambda edge: (edge.source, edge.target, edge.evidence))
    return {
        "nodes": [{"id": node.id, "kind": node.kind.value, "name": node.name} for node in nodes],
        "edges": [edge.as_dict() for edge in edges],
        "notes": list(graph.notes),
    }


def _environment(ws: Workspace, model: str, version: int) -> dict[str, str]:
    def text(name: str) -> str:
        try:
            return ws.registry.file_text(model, version, name)
        except ModelDeskError:
            return ""

    return parse_environment(text("requirements.txt"), text("python_env.yaml"))
