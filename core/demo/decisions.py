"""The demo's decisions, made by the desk's own functions in the order of their days; the clock alone is set back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from shutil import copyfile

from core.access import Action, Actor, demo_actor, require
from core.demo.story import MODEL, PRODUCTION, Ask, Decision, PolicyText, Scale, Verb
from core.deploy.adopt import adopt, plan_adopt
from core.drift.alerts import record_findings
from core.drift.monitor import monitor_report
from core.ledger.events import FreezeLifted
from core.ledger.store import Ledger
from core.registry import approvals
from core.registry.policy import policy_of, publish
from core.registry.promotion import Outcome, carry_out, plan_promotion, plan_rollback
from core.registry.requests import Judgement
from core.registry.reviews import review
from core.settings import Settings, load_settings
from core.workspace import Workspace

OPERATOR, REVIEWER, SECOND, ADMIN, REQUESTER = "dara", "demo-reviewer", "tomas", "mira", "chen"
POLICIES = Path(__file__).parent / "policies"


@dataclass
class _Clock:
    """The time that the ledger writes."""

    now: datetime


@dataclass(frozen=True)
class _PastWorkspace(Workspace):
    """A workspace whose ledger writes the time that ``clock`` tells."""

    clock: _Clock

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger_url, lambda: self.clock.now)


def build(root: Path, scale: Scale, now: datetime) -> None:
    """Publish policies, ask, sign, promote, roll back and review as the story says; MLflow's aliases follow.

    Then the monitor looks, and the engine takes over what was decided."""
    past = _Past(load_settings(root), _Clock(now))
    for step in sorted((*scale.policies, *scale.decisions, *scale.asks), key=lambda item: -item.days_ago):
        past.clock.now = now - timedelta(days=step.days_ago)
        past.do(step)
    past.clock.now = now - timedelta(hours=2)
    record_findings(past.ws, [monitor_report(past.ws, MODEL, now=now)], past.person(OPERATOR))
    past.clock.now = now
    desk = past.ws.deployments
    adopt(desk, plan_adopt(desk, MODEL, PRODUCTION), past.person(OPERATOR))


@dataclass
class _Past:
    """The story so far: before the first policy was published there is none."""

    settings: Settings
    clock: _Clock
    ruled: bool = field(default=False)

    @cached_property
    def _unruled(self) -> Workspace:
        return _PastWorkspace(self.settings.model_copy(update={"policy": None}), self.clock)

    @cached_property
    def _ruled(self) -> Workspace:
        return _PastWorkspace(self.settings, self.clock)

    @property
    def ws(self) -> Workspace:
        return self._ruled if self.ruled else self._unruled

    def person(self, name: str) -> Actor:
        return demo_actor(self.settings, name)

    def do(self, step: Decision | Ask | PolicyText) -> None:
        match step:
            case PolicyText():
                self._publish(step)
            case Ask():
                self._ask(step)
            case Decision(verb=Verb.ROLL_BACK):
                outcome = self._decide(step)
                self.clock.now += timedelta(hours=20)
                self._review(step, outcome)
            case Decision():
                self._decide(step)

    def _publish(self, step: PolicyText) -> None:
        self.ruled = True
        assert self.settings.policy is not None
        copyfile(POLICIES / step.file, self.settings.path(self.settings.policy))
        policy = policy_of(self.ws)
        assert policy is not None
        publish(self.ws, policy, self.person(ADMIN), step.reason)

    def _ask(self, step: Ask) -> None:
        found = approvals.open_request(
            self.ws, step.model, step.version, PRODUCTION, self.person(REQUESTER), step.reason
        )
        if step.comment:
            self.clock.now += timedelta(hours=3)
            approvals.comment(self.ws, found.request_id, self.person(REVIEWER), step.comment)
        if step.signed:
            approvals.approve(self.ws, found.request_id, self.person(SECOND))
        if step.rejected:
            self.clock.now += timedelta(hours=18)
            approvals.reject(self.ws, found.request_id, self.person(REVIEWER), step.rejected)

    def _decide(self, decision: Decision) -> Outcome:
        ws = self.ws
        if decision.verb is Verb.ROLL_BACK:
            plan = plan_rollback(ws, decision.model, decision.environment)
        else:
            if self._needs_approval(decision):
                self._approved(decision)
            plan = plan_promotion(ws, decision.model, decision.version, decision.environment)
        outcome = carry_out(ws, plan, self.person(OPERATOR), decision.reason)
        if outcome.to_version != decision.version:
            raise AssertionError(f"the demo's story expects v{decision.version}: {outcome.sentence}")
        return outcome

    def _needs_approval(self, decision: Decision) -> bool:
        policy = policy_of(self.ws)
        return policy is not None and policy.tier(decision.model, decision.environment) is not None

    def _approved(self, decision: Decision) -> Judgement:
        """A request of the day before, with the signatures it needs, and reasons for what cannot be judged."""
        at, ws = self.clock.now, self.ws
        self.clock.now = at - timedelta(hours=20)
        found = approvals.open_request(
            ws,
            decision.model,
            decision.version,
            decision.environment,
            self.person(REQUESTER),
            decision.reason,
        )
        self.clock.now = at - timedelta(hours=9)
        for gate in found.request.opened.evidence["gates"]:
            if gate["verdict"] == "INCONCLUSIVE":
                reason = "Compared by hand on the patients that both versions were tested on."
                approvals.override_gate(ws, found.request_id, gate["name"], self.person(REVIEWER), reason)
        for name in (REVIEWER, SECOND)[: found.needs]:
            found = approvals.approve(ws, found.request_id, self.person(name))
            self.clock.now += timedelta(hours=3)
        self.clock.now = at
        return found

    def _review(self, decision: Decision, outcome: Outcome) -> None:
        """What a lead does after a rollback: look at it, and let promotions happen again."""
        reviewer = self.person(REVIEWER)
        subject = {"model": decision.model, "environment": decision.environment}
        finding = "Going back was right; the candidate needs a check of sensitivity."
        review(self.ws, outcome.operation_id, reviewer, finding)
        require(self.settings, reviewer, Action.LIFT_FREEZE, **subject)
        self.ws.ledger.append(FreezeLifted(**subject, reason="cause understood, reviewed"), reviewer)
