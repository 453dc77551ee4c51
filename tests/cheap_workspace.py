"""A workspace whose slots run tests/cheap_server.py: everything is real but the model, so a start takes no seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.access import local_actor
from core.deploy import embedded, gates
from core.deploy.rollback import plan_rollback, rollback
from core.deploy.rollout import deploy, plan_deploy
from core.deploy.serialization import Findings
from core.deploy.types import EndpointKey, Operation
from core.workspace import Workspace, open_workspace
from tests.deploy_workspace import stop_all
from tests.model_store import new_model_store

MODEL = "risk"
KEY = EndpointKey(MODEL, "production")
EXAMPLE = {"dataframe_split": {"columns": ["age", "sex"], "data": [[50.0, "f"], [61.0, "m"], [47.5, "f"]]}}


@contextmanager
def cheap_slots() -> Iterator[None]:
    """Slots run the cheap server, and no process looks into the files that stand for models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "SERVER", "tests.cheap_server:app")
        patch.setattr(gates, "inspect", lambda folder: Findings())
        yield


@contextmanager
def cheap_workspace(root: Path, versions: int = 3) -> Iterator[Workspace]:
    """A model with versions that can be deployed at once; what it started has ended afterwards."""
    store = new_model_store(root / "mlflow")
    for _ in range(versions):
        store.version(MODEL)
    for mlmodel in (root / "mlflow").rglob("MLmodel"):
        mlmodel.with_name("serving_input_example.json").write_text(json.dumps(EXAMPLE))
    (root / "modeldesk.toml").write_text(
        f'[mlflow]\ntracking_uri = "{store.uri}"\n[deploy]\nengine = "embedded"\nbake_s = 0\n'
    )
    ws = open_workspace(root)
    with cheap_slots():
        try:
            yield ws
        finally:
            stop_all(ws)


def ship(ws: Workspace, version: int, **options: object) -> Operation:
    """Deploy a version as the local user."""
    key = options.pop("idempotency_key", None)
    plan = plan_deploy(ws.deployments, MODEL, version, "production", **options)
    return deploy(ws.deployments, plan, local_actor(ws.settings), "test", key)


def go_back(ws: Workspace, to: str = "last-good") -> Operation:
    """Roll back as the local user."""
    plan = plan_rollback(ws.deployments, MODEL, "production", to)
    return rollback(ws.deployments, plan, local_actor(ws.settings), "test")


def says(ws: Workspace) -> int | None:
    """Who answers a scored request at the endpoint; None when nobody does."""
    from core.errors import Unavailable

    desk = ws.deployments
    try:
        answer = desk.engine.ask(desk.store.endpoint(KEY), EXAMPLE, 5)
    except Unavailable:
        return None
    return answer.version if answer.status == 200 else None
