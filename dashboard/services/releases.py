"""The Deploy page's doors into core that are never cached: plans, writes, and the journal of what runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.access import Actor
    from core.deploy.drill import DrillPlan
    from core.deploy.preflight import Preflight
    from core.deploy.release import Released, ReleasePlan
    from core.deploy.rollback import RollbackTarget
    from core.deploy.trial import TrialSpec
    from core.deploy.types import EndpointStatus, Operation
    from core.ledger.state import Freeze
    from core.ledger.types import Record


def rollback_plan(model: str, environment: str, to: str = "last-good") -> ReleasePlan | ModelDeskError:
    """The plan to go back to the last good version, or to a named one; or why there is none."""
    from core.deploy.release import plan_rollback

    try:
        return plan_rollback(workspace(), model, environment, to)
    except ModelDeskError as error:
        return error


def rollback_targets(model: str, environment: str) -> tuple[RollbackTarget, ...]:
    """Every version that served here and could again, or why not; none without an engine."""
    from core.deploy.rollback import targets
    from core.deploy.types import EndpointKey

    desk, key = workspace().deployments, EndpointKey(model, environment)
    return targets(desk, key) if desk.is_serving(key) else ()


def rollback_preflight(model: str, environment: str, version: int) -> Preflight:
    """What is known about a rollback's target, read now; MLflow is not asked."""
    from core.deploy.preflight import preflight
    from core.deploy.types import EndpointKey

    key = EndpointKey(model, environment)
    return preflight(workspace(), key, version, traffic(model, environment))


def version_differences(model: str, live: int, target: int) -> tuple[str, ...]:
    """What differs between two versions' parameters; empty when MLflow does not answer."""
    from core.deploy.preflight import differences

    try:
        return differences(workspace(), model, live, target)
    except ModelDeskError:
        return ()


def traffic(model: str, environment: str) -> EndpointStatus | None:
    """One endpoint as it is observed now; None when nothing of ours serves it."""
    from core.deploy.observe import observe
    from core.deploy.types import EndpointKey

    return next(iter(observe(workspace(), EndpointKey(model, environment))), None)


def answered_since(model: str, environment: str, at: datetime) -> Mapping[str, int]:
    """Who answered the requests since ``at``: version -> answers, and ``failed``."""
    from core.deploy.observe import answered_since as counted
    from core.deploy.types import EndpointKey

    return counted(workspace(), EndpointKey(model, environment), at)


def last_drill(model: str) -> Record | None:
    """The newest rollback drill of a model."""
    from core.deploy import drill

    return drill.last_drill(workspace(), model)


def drill_plan(model: str) -> DrillPlan | ModelDeskError:
    """The plan of a rollback drill, or why there can be none."""
    from core.deploy import drill

    try:
        return drill.plan_drill(workspace().deployments, model)
    except ModelDeskError as error:
        return error


def run_drill(plan: DrillPlan, actor: Actor) -> str:
    """Rehearse a rollback and say how it went."""
    from core.deploy import drill

    try:
        record = drill.drill(workspace().deployments, plan, actor)
    finally:
        forget()
    return drill.drilled_words(record, datetime.now(UTC))


def lift_freeze(model: str, environment: str, seen: Freeze, actor: Actor, reason: str) -> str:
    """Allow promotions again, should they be frozen as they were ``seen``."""
    from core.registry.freezes import lift

    lift(workspace(), model, environment, actor, reason, seen)
    forget()
    return f"Promotions of {model} in {environment} are possible again."


def set_freeze(model: str, environment: str, actor: Actor, reason: str) -> str:
    """Refuse promotions until someone lifts the freeze."""
    from core.registry.freezes import freeze

    freeze(workspace(), model, environment, actor, reason)
    forget()
    return f"Promotions of {model} in {environment} are frozen. Rolling back stays possible."


def put_alias_back(model: str, environment: str, actor: Actor, reason: str) -> str:
    """Move MLflow's alias back to what was decided."""
    from core.registry import standing

    ws = workspace()
    standing.detect_outside_moves(ws, standing.standings(ws, model))
    standing.repair(ws, model, environment, actor, reason, accept=False)
    forget()
    return f"MLflow's alias of {model} in {environment} says what was decided again."


def deploy_plan(
    model: str, version: int, environment: str, expects: int | None, trial: TrialSpec | None = None
) -> ReleasePlan | ModelDeskError:
    """The plan to make a version live where ``expects`` is live, or why there is none."""
    from core.deploy.release import plan_deploy

    try:
        return plan_deploy(workspace(), model, version, environment, expects=expects, trial=trial)
    except ModelDeskError as error:
        return error


def carry_out_release(plan: ReleasePlan, actor: Actor, reason: str, key: str, acknowledged: bool) -> Released:
    """Do what the plan says, once per ``key``; MLflow is told in the background."""
    from core.deploy import jobs, release

    try:
        return release.carry_out(workspace(), plan, actor, reason, key, acknowledged=acknowledged)
    finally:
        jobs.tell_later(workspace())
        forget()


def start_release(plan: ReleasePlan, actor: Actor, reason: str, key: str) -> None:
    """Begin a deployment that goes on when the browser is closed."""
    from core.deploy import jobs

    jobs.start(workspace(), plan, actor, reason, key)
    forget()


def release_outcome(key: str) -> Released | ModelDeskError | None:
    """What became of a deployment that was begun here."""
    from core.deploy import jobs

    return jobs.outcome(key)


def last_operation(model: str, environment: str) -> Operation | None:
    """The newest deployment or rollback of an endpoint, with its steps."""
    from core.deploy.types import EndpointKey

    journal = workspace().deployments.journal
    found = journal.operations(EndpointKey(model, environment), limit=1)
    return journal.operation(found[0].id) if found else None


def operation(operation_id: str) -> Operation:
    """One deployment or rollback with its steps, as it stands now."""
    return workspace().deployments.journal.operation(operation_id)


def served_words(model: str, environment: str, version: int | None) -> str:
    """How long a version served, for the rollback card."""
    from dashboard.palette import duration

    stretches = workspace().ledger.state().services.get((model, environment), ())
    own = [item for item in stretches if item.version == version]
    seconds = sum(((item.until or datetime.now(UTC)) - item.since).total_seconds() for item in own)
    return f"served {duration(seconds)}" if own else "never served here, as far as the ledger knows"


def deploy_history(model: str, environment: str) -> tuple[Record, ...]:
    """What happened to an endpoint, newest first."""
    from core.deploy.types import EndpointKey
    from core.deploy.views import history

    return history(workspace(), EndpointKey(model, environment))
