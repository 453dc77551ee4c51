"""Carrying out a promotion or rollback by alias: once, on the state that was seen, and on the record.

Order: take the model's lock, check again, write the intent, move the alias, read it back, write the outcome. A
crash in between leaves an intent without outcome: the same key then finishes it, and `reconcile` shows it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.access import UNKNOWN, Action, Actor, require
from core.errors import ApprovalMissing, BadInput, Conflict, IntegrityFailure, ModelDeskError, Refused
from core.ledger.events import (
    ActionRefused,
    AliasMovedOutside,
    FreezeSet,
    OperationFailed,
    OperationStarted,
    Promoted,
    RolledBack,
)
from core.registry.gatekeeper import basis_for
from core.registry.plans import PROMOTE, ROLL_BACK, Plan, already, moved_on, plan_promotion, plan_rollback
from core.registry.types import said

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace

__all__ = ["Outcome", "carry_out", "plan_promotion", "plan_rollback"]

REVIEW_WITHIN = timedelta(hours=24)
_OUTCOMES = ("promoted", "rolled_back", "operation_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a promotion or rollback did. ``repeated``: it was done before under the same key, not now."""

    operation_id: str
    verb: str
    model: str
    environment: str
    from_version: int | None
    to_version: int
    verified: bool
    at: datetime
    by: str
    seconds: dict[str, float] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    repeated: bool = False

    @property
    def sentence(self) -> str:
        """The state that was read back, for people."""
        done = "Promoted" if self.verb == PROMOTE else "Rolled back"
        again = " (this was done before; nothing was repeated)" if self.repeated else ""
        before = said(self.from_version)
        return f"{done}: {self.model} in {self.environment} is v{self.to_version}, before {before}.{again}"


def carry_out(
    ws: Workspace,
    plan: Plan,
    actor: Actor,
    reason: str,
    key: str | None = None,
    *,
    acknowledged: bool = False,
) -> Outcome:
    """Do what ``plan`` says, once per ``key``: a repeated key gives the first outcome back.

    ``acknowledged`` accepts that the alias was moved outside. Raises Refused (no right, frozen, no target),
    ApprovalMissing, Conflict (the state is not the plan's; names who changed it), IntegrityFailure and
    Unavailable; refusals are on the record too.
    """
    operation_key = f"{plan.verb}:{key or uuid.uuid4().hex}"
    if first := ws.ledger.by_key(operation_key):
        _same_wish(first, plan)
        if outcome := _outcome_of(ws, first):
            return outcome
    if plan.to_version is None:
        raise plan.blocked or Refused("The plan has no target.")
    started = time.monotonic()
    with ws.ledger.exclusive(f"alias {plan.model}"):
        first = ws.ledger.by_key(operation_key)
        if first and (outcome := _outcome_of(ws, first)):
            return outcome
        with _refusals_recorded(ws, plan, actor):
            plan = _checked(ws, plan, actor, reason, acknowledged, resumes=first is not None)
        if plan.outside:
            _record_outside(ws, plan)
        intent = first or _record_intent(ws, plan, actor, reason, operation_key)
        return _act(ws, plan, actor, reason, intent, started)


def outcome_under(ws: Workspace, verb: str, key: str | None) -> Outcome | None:
    """What was done under an idempotency key; None when nothing was, or when it failed."""
    first = ws.ledger.by_key(f"{verb}:{key}") if key else None
    return _outcome_of(ws, first) if first else None


def _checked(
    ws: Workspace, plan: Plan, actor: Actor, reason: str, acknowledged: bool, *, resumes: bool
) -> Plan:
    """Everything that may forbid the operation, asked again under the lock; the plan with its fresh basis."""
    action = Action.PROMOTE if plan.verb == PROMOTE else Action.ROLL_BACK
    require(ws.settings, actor, action, plan.model, plan.environment)
    if plan.verb == ROLL_BACK and not reason.strip():
        raise BadInput(
            "A rollback needs a reason.", "Say what is wrong: performance, drift, data, safety ..."
        )
    current = ws.registry.model(plan.model).aliases.get(plan.alias)
    if resumes and current == plan.to_version:
        return replace(plan, outside="")
    live = ws.ledger.state().live(plan.model, plan.environment)
    if current != plan.from_version:
        if current == plan.to_version:
            raise already(plan.model, plan.environment, current, live)
        raise moved_on(plan.model, plan.environment, current, plan.from_version, live)
    if plan.outside and not acknowledged:
        raise Conflict(plan.outside, "Acknowledge it (--acknowledge) to go on from what MLflow says now.")
    if plan.verb == PROMOTE:
        return replace(plan, basis=basis_for(ws, plan.model, plan.to_version or 0, plan.environment))
    if plan.blocked:
        raise plan.blocked
    return plan


def _act(ws: Workspace, plan: Plan, actor: Actor, reason: str, intent: Record, started: float) -> Outcome:
    operation_id, to_version = intent.payload["operation_id"], plan.to_version
    assert to_version is not None
    current = ws.registry.model(plan.model).aliases.get(plan.alias)
    try:
        if current != to_version:
            ws.registry.move_alias(plan.model, plan.alias, to_version, plan.from_version)
    except ModelDeskError as error:
        _record_failure(ws, plan, actor, operation_id, error)
        raise
    switched = time.monotonic() - started
    common = {
        "model": plan.model,
        "environment": plan.environment,
        "reason": reason,
        "operation_id": operation_id,
        "from_version": plan.from_version,
        "to_version": to_version,
        "alias": plan.alias,
        "verified": True,
        "seconds": {"command_to_switch": round(switched, 3), "switch_to_verified": 0.0},
        "steps": (*(f"{c.name}: {c.verdict}" for c in plan.checks), f"{plan.alias} moved and read back"),
    }
    if plan.verb == PROMOTE:
        basis = plan.basis
        event = Promoted(
            **common, basis=basis.name, request_id=basis.request_id, policy_version=basis.policy_version
        )
        return _outcome(ws.ledger.append(event, actor))
    due = ws.ledger.now() + REVIEW_WITHIN
    record = ws.ledger.append(RolledBack(**common, target=plan.target, review_due=due), actor)
    freeze = FreezeSet(
        model=plan.model, environment=plan.environment, reason=f"rolled back: {reason}", cause="rollback"
    )
    ws.ledger.append(freeze, actor, key=f"{operation_id}:freeze")
    return _outcome(record)


def _record_intent(ws: Workspace, plan: Plan, actor: Actor, reason: str, key: str) -> Record:
    event = OperationStarted(
        model=plan.model,
        environment=plan.environment,
        reason=reason,
        operation_id=uuid.uuid4().hex[:12],
        verb=plan.verb,
        from_version=plan.from_version,
        to_version=plan.to_version,
        alias=plan.alias,
        plan={"checks": [[c.name, c.verdict, c.detail] for c in plan.checks], "changes": list(plan.changes)},
    )
    return ws.ledger.append(event, actor, key=key)


def _record_failure(
    ws: Workspace, plan: Plan, actor: Actor, operation_id: str, error: ModelDeskError
) -> None:
    try:
        live = ws.registry.model(plan.model).aliases.get(plan.alias)
    except ModelDeskError:
        live = None
    event = OperationFailed(
        model=plan.model,
        environment=plan.environment,
        operation_id=operation_id,
        verb=plan.verb,
        from_version=plan.from_version,
        to_version=plan.to_version,
        live_version=live,
        error=type(error).__name__,
        reason=error.what,
    )
    ws.ledger.append(event, actor)


def _record_outside(ws: Workspace, plan: Plan) -> None:
    event = AliasMovedOutside(
        model=plan.model,
        environment=plan.environment,
        reason=plan.outside,
        alias=plan.alias,
        from_version=plan.ledger_version,
        to_version=plan.from_version,
    )
    live = ws.ledger.state().live(plan.model, plan.environment)
    ws.ledger.append(event, UNKNOWN, key=outside_key(plan.model, plan.alias, live, plan.from_version))


def outside_key(model: str, alias: str, live: object, version: int | None) -> str:
    """One event per observed move: the same move seen twice has the same key."""
    return f"outside:{model}:{alias}:{getattr(live, 'seq', 0)}:{version}"


@contextmanager
def _refusals_recorded(ws: Workspace, plan: Plan, actor: Actor) -> Iterator[None]:
    try:
        yield
    except (Refused, ApprovalMissing, Conflict, IntegrityFailure) as error:
        event = ActionRefused(
            model=plan.model,
            environment=plan.environment,
            reason=error.what,
            action=plan.verb,
            version=plan.to_version,
            error=type(error).__name__,
        )
        ws.ledger.append(event, actor)
        raise


def _same_wish(first: Record, plan: Plan) -> None:
    wish = (first.model, first.environment, first.payload["verb"], first.payload["to_version"])
    # "Last good" is another version once it was done, so a repeated rollback is told by its place alone.
    target = wish[3] if plan.verb == ROLL_BACK else plan.to_version
    if wish != (plan.model, plan.environment, plan.verb, target):
        raise BadInput(
            f"This idempotency key was used before, for {wish[2]} of {wish[0]} v{wish[3]} in {wish[1]}.",
            "Use a new key for a new wish.",
        )


def _outcome_of(ws: Workspace, intent: Record) -> Outcome | None:
    """The recorded outcome of an intent; None while there is none. A failed one may be tried again."""
    for record in ws.ledger.records(model=intent.model, kinds=_OUTCOMES, after=intent.seq):
        if record.payload["operation_id"] == intent.payload["operation_id"]:
            return None if record.kind == "operation_failed" else replace(_outcome(record), repeated=True)
    return None


def _outcome(record: Record) -> Outcome:
    payload = record.payload
    return Outcome(
        operation_id=payload["operation_id"],
        verb=PROMOTE if record.kind == "promoted" else ROLL_BACK,
        model=record.model,
        environment=record.environment,
        from_version=payload["from_version"],
        to_version=payload["to_version"],
        verified=payload["verified"],
        at=record.at,
        by=record.actor.printed_name,
        seconds=dict(payload["seconds"]),
        steps=tuple(payload["steps"]),
    )
