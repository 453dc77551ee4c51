"""The Deploy page's doors into core that are never cached: plans, writes, and the journal of what runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.deploy.release import Released, ReleasePlan
    from core.deploy.types import Operation
    from core.ledger.types import Record


def rollback_plan(model: str, environment: str) -> ReleasePlan | ModelDeskError:
    """The plan to go back to the last good version, or why there is none."""
    from core.deploy.release import plan_rollback

    try:
        return plan_rollback(workspace(), model, environment)
    except ModelDeskError as error:
        return error


def deploy_plan(
    model: str, version: int, environment: str, expects: int | None
) -> ReleasePlan | ModelDeskError:
    """The plan to make a version live where ``expects`` is live, or why there is none."""
    from core.deploy.release import plan_deploy

    try:
        return plan_deploy(workspace(), model, version, environment, expects=expects)
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


def has_engine() -> bool:
    """True when deployments move traffic, False when they move the alias alone."""
    return workspace().deployments.serves


def running_operation(model: str, environment: str) -> str | None:
    """The id of the deployment or rollback that runs now."""
    last = last_operation(model, environment)
    return last.id if last and last.finished_at is None else None


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
