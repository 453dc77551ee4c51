"""What an operation tells the ledger and MLflow, as outbox messages."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from core.access import Actor
from core.deploy.journal import Message
from core.deploy.outbox import ALIAS, LEDGER
from core.deploy.types import Artifact, Operation
from core.registry.gatekeeper import Basis

REVIEW_WITHIN = timedelta(hours=24)


def deployed(
    operation: Operation,
    actor: Actor,
    alias: str,
    artifact: Artifact,
    basis: Basis,
    engine: str,
    checks: tuple[str, ...],
) -> tuple[Message, ...]:
    """A version took all traffic; ``checks`` are the sentences of what it passed."""
    payload = _moved(operation, alias, artifact, engine) | {
        "basis": basis.name,
        "request_id": basis.request_id,
        "policy_version": basis.policy_version,
        "steps": list(checks),
    }
    return (_event("deployed", payload, actor), _alias(alias, operation.to_version))


def canary(operation: Operation, actor: Actor, shares: dict[int, float]) -> tuple[Message, ...]:
    """Two versions share the traffic."""
    payload = {
        "operation_id": operation.id,
        "reason": operation.reason,
        "shares": {str(version): share for version, share in shares.items()},
    }
    return (_event("traffic_switched", payload, actor),)


def rolled_back(
    operation: Operation, actor: Actor, alias: str, artifact: Artifact, target: str, engine: str
) -> tuple[Message, ...]:
    """An earlier version serves again, and promotions stop until someone lifts the freeze."""
    due = (datetime.now(UTC) + REVIEW_WITHIN).isoformat()
    payload = _moved(operation, alias, artifact, engine) | {"target": target, "review_due": due}
    frozen = {
        "reason": f"Rolled back from v{operation.from_version} to v{operation.to_version}: {operation.reason}",
        "cause": "rollback",
    }
    return (
        _event("rolled_back", payload, actor),
        _event("freeze_set", frozen, actor),
        _alias(alias, operation.to_version),
    )


def failed(operation: Operation, actor: Actor, live: int | None, error: str) -> tuple[Message, ...]:
    """The operation did not happen; ``live`` is what was read back."""
    payload = {
        "operation_id": operation.id,
        "verb": str(operation.kind),
        "from_version": operation.from_version,
        "to_version": operation.to_version,
        "live_version": live,
        "error": error,
        "reason": operation.reason,
    }
    return (_event("operation_failed", payload, actor),)


def _moved(operation: Operation, alias: str, artifact: Artifact, engine: str) -> dict[str, Any]:
    return {
        "operation_id": operation.id,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
        "alias": alias,
        "sha256": artifact.sha256,
        "reason": operation.reason,
        "engine": engine,
        "verified": False,
    }


def _event(kind: str, payload: dict[str, Any], actor: Actor) -> Message:
    return Message(LEDGER, {"event": kind, "payload": payload, "actor": asdict(actor)})


def _alias(alias: str, version: int) -> Message:
    return Message(ALIAS, {"alias": alias, "version": version})
