"""The demo's decisions, made by the desk's own functions in the order of their days; the clock alone is set back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from core.access import Action, Actor, demo_actor, require
from core.demo.story import MODEL, PRODUCTION, Decision, Scale, Verb
from core.deploy.adopt import adopt, plan_adopt
from core.drift.alerts import record_findings
from core.drift.monitor import monitor_report
from core.ledger.events import FreezeLifted, RolledBackReviewed
from core.ledger.store import Ledger
from core.registry.promotion import Outcome, carry_out, plan_promotion, plan_rollback
from core.settings import load_settings
from core.workspace import Workspace

OPERATOR, REVIEWER = "dara", "demo-reviewer"


@dataclass(frozen=True)
class _PastWorkspace(Workspace):
    """A workspace whose ledger writes the time that ``clock`` tells."""

    clock: Callable[[], datetime]

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger_url, self.clock)


def build(root: Path, scale: Scale, now: datetime) -> None:
    """Promote, roll back, review and lift freezes as the story says, then look as the monitor does."""
    moment = now
    ws = _PastWorkspace(load_settings(root), lambda: moment)
    operator, reviewer = (demo_actor(ws.settings, name) for name in (OPERATOR, REVIEWER))
    for decision in sorted(scale.decisions, key=lambda item: -item.days_ago):
        moment = now - timedelta(days=decision.days_ago)
        outcome = _decide(ws, decision, operator)
        if decision.verb is Verb.ROLL_BACK:
            moment += timedelta(hours=20)
            _review(ws, decision, outcome, reviewer)
    moment = now - timedelta(hours=2)
    record_findings(ws, [monitor_report(ws, MODEL, now=now)], operator)
    moment = now
    adopt(ws.deployments, plan_adopt(ws.deployments, MODEL, PRODUCTION), operator)


def _decide(ws: Workspace, decision: Decision, actor: Actor) -> Outcome:
    if decision.verb is Verb.ROLL_BACK:
        plan = plan_rollback(ws, decision.model, decision.environment)
    else:
        plan = plan_promotion(ws, decision.model, decision.version, decision.environment)
    outcome = carry_out(ws, plan, actor, decision.reason)
    if outcome.to_version != decision.version:
        raise AssertionError(f"the demo's story expects v{decision.version}: {outcome.sentence}")
    return outcome


def _review(ws: Workspace, decision: Decision, outcome: Outcome, reviewer: Actor) -> None:
    """What a lead does after a rollback: look at it, and let promotions happen again."""
    subject = {"model": decision.model, "environment": decision.environment}
    require(ws.settings, reviewer, Action.REVIEW, **subject)
    require(ws.settings, reviewer, Action.LIFT_FREEZE, **subject)
    finding = "Going back was right; the candidate needs a check of sensitivity."
    ws.ledger.append(
        RolledBackReviewed(**subject, operation_id=outcome.operation_id, finding=finding), reviewer
    )
    ws.ledger.append(FreezeLifted(**subject, reason="cause understood, reviewed"), reviewer)
