"""One door for the command line and the page: make a version live, or go back, with or without an engine.

With an engine, traffic moves and MLflow's alias follows. Without one, the alias alone moves, and the steps say
so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.access import Actor
from core.deploy import outbox
from core.deploy.trial import TrialSpec
from core.deploy.trial_plan import start_words
from core.deploy.types import EndpointKey, Operation
from core.errors import BadInput, ModelDeskError

if TYPE_CHECKING:
    from core.deploy.rollback import RollbackPlan
    from core.deploy.rollout import DeployPlan
    from core.registry.plans import Plan
    from core.registry.promotion import Outcome
    from core.workspace import Workspace

LAST_GOOD = "last-good"
ALIAS_ALONE = "no serving engine is set: the MLflow alias alone was moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """What would happen. ``warnings`` need an acknowledgement; ``blocked`` is why it cannot be done.

    ``skipped`` are better targets of a rollback that cannot serve, each with the reason.
    """

    verb: str
    model: str
    environment: str
    from_version: int | None
    to_version: int | None
    steps: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    warm: bool | None = None
    skipped: tuple[tuple[int, str], ...] = ()
    trial: TrialSpec | None = None
    blocked: ModelDeskError | None = None
    inner: DeployPlan | RollbackPlan | Plan = field(compare=False)

    @property
    def is_last_good(self) -> bool:
        """True when a rollback's target was chosen by the record, not named by a person."""
        return getattr(self.inner, "asked_for", getattr(self.inner, "target", "")) == LAST_GOOD

    @property
    def sentence(self) -> str:
        """The plan in one line."""
        if self.trial:
            beside = f"v{self.to_version} beside v{self.from_version}"
            return f"Start the {self.trial.kind} of {self.model} in {self.environment}: {beside}"
        before = f"v{self.from_version}" if self.from_version else "nothing"
        verb = "Roll back" if self.verb == "rollback" else "Deploy"
        return f"{verb} {self.model} in {self.environment}: {before} -> v{self.to_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What was done and read back."""

    operation_id: str
    verb: str
    model: str
    environment: str
    from_version: int | None
    to_version: int
    verified: bool
    seconds: Mapping[str, float | None]
    steps: tuple[Mapping[str, Any], ...]
    repeated: bool = False

    @property
    def sentence(self) -> str:
        """The outcome for people."""
        proof = "confirmed by reading it back" if self.verified else "NOT confirmed"
        again = " It was done before under this key; nothing was repeated." if self.repeated else ""
        return f"{self.model} in {self.environment} is v{self.to_version}, {proof}.{again}"


def plan_deploy(
    ws: Workspace,
    model: str,
    version: int,
    environment: str,
    *,
    expects: int | None = None,
    trial: TrialSpec | None = None,
    allow_code: bool = False,
) -> ReleasePlan:
    """The plan to make ``version`` live, or with ``trial`` to try it on a part of the traffic.

    Raises NotFound, BadInput, and Conflict when ``expects`` is past or a trial of the endpoint has traffic.
    """
    key = ws.deployments.key(model, environment)
    if not ws.deployments.can_serve(key):
        if trial is not None:
            raise BadInput(
                f"No engine serves {key}, so its traffic cannot be shared.",
                "Set deploy.engine, or deploy to all.",
            )
        from core.registry.promotion import plan_promotion

        return _from_registry(plan_promotion(ws, model, version, environment, expect_current=expects))
    from core.deploy import rollout, trials

    if trial is None:
        trials.refuse_beside(ws.deployments, key)
    if not ws.deployments.is_serving(key):
        _check_alias(ws, key, expects)
        expects = None
    share = trial.shares[0] if trial and trial.shares else 100
    plan = rollout.plan_deploy(
        ws.deployments, model, version, environment, expects=expects, share=share, allow_code=allow_code
    )
    if not plan.warm:
        ws.registry.version(model, version)
    return ReleasePlan(
        verb="deploy",
        model=model,
        environment=environment,
        from_version=plan.from_version,
        to_version=version,
        steps=(*plan.steps, *start_words(trial)) if trial else plan.steps,
        warm=plan.warm,
        trial=trial,
        blocked=_no_right(ws, model, version, environment),
        inner=plan,
    )


def plan_rollback(ws: Workspace, model: str, environment: str, to: str = LAST_GOOD) -> ReleasePlan:
    """The plan to go back; with an engine MLflow is not asked. Raises NotFound, BadInput, Conflict."""
    if not ws.deployments.is_serving(ws.deployments.key(model, environment)):
        from core.registry.promotion import plan_rollback as registry_plan

        return _from_registry(registry_plan(ws, model, environment, to))
    from core.deploy import rollback

    plan = rollback.plan_rollback(ws.deployments, model, environment, to)
    return ReleasePlan(
        verb="rollback",
        model=model,
        environment=environment,
        from_version=plan.from_version,
        to_version=plan.target.version,
        steps=plan.steps,
        warm=plan.target.warm,
        skipped=tuple((target.version, target.blocked) for target in plan.skipped),
        inner=plan,
    )


def carry_out(
    ws: Workspace,
    plan: ReleasePlan,
    actor: Actor,
    reason: str,
    key: str | None = None,
    *,
    acknowledged: bool = False,
) -> Released:
    """Do what the plan says, once per ``key``. Call :func:`tell` afterwards: it moves the alias with an engine."""
    from core.deploy import rollback, rollout, trials

    if plan.trial is not None:
        return _released(trials.start(ws.deployments, plan.inner, plan.trial, actor, reason, key))
    if isinstance(plan.inner, rollout.DeployPlan):
        trials.refuse_beside(ws.deployments, plan.inner.key)
        return _released(rollout.deploy(ws.deployments, plan.inner, actor, reason, key))
    if isinstance(plan.inner, rollback.RollbackPlan):
        return _released(rollback.rollback(ws.deployments, plan.inner, actor, reason, key))
    from core.registry.promotion import carry_out as move_alias

    done = move_alias(ws, plan.inner, actor, reason, key, acknowledged=acknowledged)
    return _from_outcome(done, plan.verb)


def done_before(ws: Workspace, key: str | None) -> Released | None:
    """What was done under an idempotency key: "last good" is another version once it was done."""
    if key is None:
        return None
    if ws.deployments.serves and (operation := ws.deployments.journal.under_key(key)):
        return _released(operation)
    from core.registry.promotion import outcome_under

    found = outcome_under(ws, "rollback", key)
    return _from_outcome(found, "rollback") if found else None


def tell(ws: Workspace) -> tuple[str, ...]:
    """Bring MLflow and the ledger in line with what serves; gives back what could not be told yet."""
    if not ws.deployments.serves:
        return ()
    return outbox.deliver(ws, ws.deployments.outbox)


def _check_alias(ws: Workspace, key: EndpointKey, expects: int | None) -> None:
    """Where nothing is served yet, the version that callers expect to be live is the alias's."""
    alias = ws.settings.environments[key.environment]
    says = ws.registry.model(key.model).aliases.get(alias)
    if expects is not None and expects != says:
        from core.registry.plans import moved_on

        live = ws.ledger.state().live(key.model, key.environment)
        raise moved_on(key.model, key.environment, says, expects, live)


def _no_right(ws: Workspace, model: str, version: int, environment: str) -> ModelDeskError | None:
    from core.registry.gatekeeper import basis_for

    try:
        basis_for(ws, model, version, environment)
    except ModelDeskError as error:
        return error
    return None


def _from_registry(plan: Plan) -> ReleasePlan:
    return ReleasePlan(
        verb="rollback" if plan.verb == "rollback" else "deploy",
        model=plan.model,
        environment=plan.environment,
        from_version=plan.from_version,
        to_version=plan.to_version,
        steps=(*plan.changes, f"{ALIAS_ALONE.split(':')[0]}: no traffic is moved"),
        warnings=(plan.outside,) if plan.outside else (),
        blocked=plan.blocked,
        inner=plan,
    )


def _from_outcome(done: Outcome, verb: str) -> Released:
    steps = tuple({"name": step, "state": "ok"} for step in (*done.steps, ALIAS_ALONE))
    return Released(
        operation_id=done.operation_id,
        verb=verb,
        model=done.model,
        environment=done.environment,
        from_version=done.from_version,
        to_version=done.to_version,
        verified=done.verified,
        seconds=done.seconds,
        steps=steps,
        repeated=done.repeated,
    )


def _released(operation: Operation) -> Released:
    steps = tuple(
        {
            "name": step.name,
            "state": str(step.state),
            "seconds": round(step.seconds, 4),
            "detail": step.detail,
        }
        for step in operation.steps
    )
    return Released(
        operation_id=operation.id,
        verb=str(operation.kind),
        model=operation.key.model,
        environment=operation.key.environment,
        from_version=operation.from_version,
        to_version=operation.to_version,
        verified=operation.verified,
        seconds={
            "command_to_switch": operation.command_to_switch,
            "switch_to_verified": operation.switch_to_verified,
        },
        steps=steps,
        repeated=operation.repeated,
    )
