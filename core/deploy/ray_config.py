"""The Ray Serve configuration that the desired state asks for: pure, and the same for the same state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.deploy.paths import endpoint_id
from core.deploy.served_files import config_for, desk_token
from core.deploy.types import Endpoint, EndpointKey, Slot, SlotName
from core.settings import Settings

MODULE = "core.deploy.mlflow_ray_node"


def render(endpoints: Sequence[Endpoint], settings: Settings) -> list[dict[str, Any]]:
    """One application per occupied slot, and one ingress per endpoint that has any."""
    applications = []
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.key):
        applications += [_version(endpoint, slot, settings) for slot in endpoint.slots]
        if endpoint.slots:
            applications.append(_ingress(endpoint, settings))
    return applications


def slot_name(key: EndpointKey, slot: SlotName) -> str:
    """The application that serves a slot."""
    return f"{endpoint_id(key)}-{slot}"


def user_config(endpoint: Endpoint) -> dict[str, Any]:
    """Weights with live last: the scale of units is cut from its beginning, so a growing canary keeps its units."""
    order = sorted(endpoint.weights, key=lambda slot: (slot == endpoint.live, slot))
    weights = {str(slot): endpoint.weights[slot] for slot in order if endpoint.weights[slot]}
    return {"weights": weights, "previous": endpoint.previous and str(endpoint.previous)}


def _version(endpoint: Endpoint, slot: Slot, settings: Settings) -> dict[str, Any]:
    log = config_for(settings, endpoint.key, slot.name)
    args = {
        "model_path": str(slot.artifact.directory),
        "version": str(slot.version),
        "sha256": slot.artifact.sha256,
        "memory_mb": str(settings.deploy.memory_mb),
        "log": log.text() if log else "",
        "started_at": slot.started_at.isoformat(),  # a new start is a new configuration
    }
    deployment = {"name": "Version", "num_replicas": settings.deploy.ray.replicas}
    return _application(slot_name(endpoint.key, slot.name), "version", args, deployment, settings)


def _ingress(endpoint: Endpoint, settings: Settings) -> dict[str, Any]:
    name = endpoint_id(endpoint.key)
    deployment = {
        "name": "Ingress",
        "num_replicas": settings.deploy.ray.replicas,
        "user_config": user_config(endpoint),
    }
    args = {"endpoint": name, "desk_token": desk_token(settings)}
    return _application(name, "ingress", args, deployment, settings)


def _application(
    name: str, builder: str, args: dict[str, str], deployment: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    code = settings.deploy.ray.working_dir
    root = str(Path(__file__).resolve().parents[2])
    runtime = {"working_dir": code} if code else {"env_vars": {"PYTHONPATH": root}}
    return {
        "name": name,
        "route_prefix": f"/{name}",
        "import_path": f"{MODULE}:{builder}",
        "args": args,
        "runtime_env": runtime,
        "deployments": [deployment],
    }
