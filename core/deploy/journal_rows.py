"""Rows of the journal as our types, and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.deploy.database import instant
from core.deploy.types import EndpointKey, Operation, OperationKind, OperationState, Step, StepState


def operation(row: Any) -> Operation:
    """An operation without its steps."""
    return Operation(
        id=row.id,
        key=EndpointKey(row.model, row.environment),
        kind=OperationKind(row.kind),
        state=OperationState(row.state),
        epoch=row.epoch,
        from_version=row.from_version,
        to_version=row.to_version,
        actor=row.actor,
        reason=row.reason,
        started_at=instant(row.started_at),
        finished_at=instant(row.finished_at),
        message=row.message or "",
        verified=bool(row.verified),
        command_to_switch=row.command_to_switch,
        switch_to_verified=row.switch_to_verified,
    )


def step(row: Any) -> Step:
    """One line of an operation's log."""
    return Step(
        name=row.name,
        state=StepState(row.state),
        started_at=instant(row.started_at),
        seconds=row.seconds,
        detail=row.detail,
    )


def ago(text: str) -> str:
    """How long ago a stored time was."""
    seconds = (datetime.now(UTC) - instant(text)).total_seconds()
    if seconds < 120:
        return f"{max(0, seconds):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"at {text[:16].replace('T', ' ')} UTC"
