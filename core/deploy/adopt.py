"""Serving what was decided by alias alone: a workspace that gets an engine begins with what is live already.

Nothing is started here. The endpoint is recorded with its live version and the last good one behind it, with
the history that the ledger knows; deployd brings the machine to that state.
"""

from __future__ import annotations

from dataclasses import dataclass

from core import access
from core.access import Action, Actor
from core.deploy.desk import Desk
from core.deploy.gates import Verdict, check_serialization
from core.deploy.serialization import inspect
from core.deploy.smoke import Failed
from core.deploy.types import Artifact, Endpoint, EndpointKey, Served
from core.errors import Conflict, IntegrityFailure, ModelDeskError, NotFound, Refused
from core.ledger.events import TrafficSwitched
from core.ledger.state import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptPlan:
    """What would be served; ``previous`` is kept warm behind ``live`` and is None when nothing good came before."""

    key: EndpointKey
    live: Service
    previous: Service | None

    @property
    def steps(self) -> tuple[str, ...]:
        """The plan in sentences."""
        behind = f"Start v{self.previous.version} behind it to go back to." if self.previous else ""
        start = f"Start v{self.live.version}, which was decided live, and send it all traffic of {self.key}."
        return tuple(step for step in (start, behind, "No decision and no alias changes.") if step)


def plan_adopt(desk: Desk, model: str, environment: str) -> AdoptPlan:
    """The plan; raises Refused when the engine does not serve it, Conflict when it does already, NotFound."""
    key = desk.key(model, environment)
    if not desk.can_serve(key):
        raise Refused(
            f"No engine serves {key} in this workspace.",
            "Set deploy.engine, and deploy.endpoints to patterns that cover it.",
        )
    if desk.is_serving(key):
        raise Conflict(f"{key} is served already.", "`python -m core status` shows by which version.")
    state = desk.ws.ledger.state()
    live = state.live(model, environment)
    if live is None:
        raise NotFound(f"The ledger knows of nothing live in {key}.", "Deploy a version.")
    return AdoptPlan(key=key, live=live, previous=next(iter(state.last_good(model, environment)), None))


def adopt(desk: Desk, plan: AdoptPlan, actor: Actor, *, allow_code: bool = False) -> Endpoint:
    """Record the endpoint as ``plan`` says and put it into the ledger.

    Raises Refused without the right, Failed when loading a version would run code that nobody allowed,
    IntegrityFailure when the files are not those that were decided.
    """
    access.require(desk.settings, actor, Action.DEPLOY, plan.key.model, plan.key.environment)
    if allow_code:
        access.require(desk.settings, actor, Action.OVERRIDE_GATE, plan.key.model, plan.key.environment)
    services = [service for service in (plan.previous, plan.live) if service is not None]
    stretches = tuple(_stretch(desk, plan.key, service) for service in services)
    for served, artifact in stretches:
        _check_code(served, artifact, allow_code)
    desk.endpoint(plan.key, actor.name)
    endpoint = desk.store.adopt(plan.key, stretches, actor.name)
    event = TrafficSwitched(
        model=plan.key.model,
        environment=plan.key.environment,
        reason="the serving engine takes over what was decided",
        shares={str(plan.live.version): 1.0},
    )
    desk.ws.ledger.append(event, actor)
    return endpoint


def import_history(desk: Desk, key: EndpointKey) -> None:
    """Before a first deployment: what was decided live, as a (cold) version to go back to, where it still exists."""
    live = desk.ws.ledger.state().live(*_place(key))
    if live is None or desk.store.served(key):
        return
    try:
        desk.store.remember(key, (_stretch(desk, key, live),))
    except ModelDeskError:
        return  # its files are gone: then there is no way back to it, and the rollback card will say so


def _stretch(desk: Desk, key: EndpointKey, service: Service) -> tuple[Served, Artifact]:
    artifact = desk.fetch(key, service.version)
    if service.sha256 and service.sha256 != artifact.sha256:
        raise IntegrityFailure(
            f"The files of {key.model} v{service.version} are not those that were decided: "
            f"digest {artifact.sha256[:12]}, then {service.sha256[:12]}.",
            "Find out who changed them; register the new files as a new version.",
        )
    served = Served(
        version=service.version,
        sha256=artifact.sha256,
        since=service.since,
        until=service.until,
        by=service.by.printed_name,
        good=not service.taken_back,
    )
    return served, artifact


def _check_code(served: Served, artifact: Artifact, allow_code: bool) -> None:
    check = check_serialization(inspect(artifact.directory), "an approver" if allow_code else "")
    if check.verdict is Verdict.FAIL:
        raise Failed(f"v{served.version}: {check.detail}.", "Nothing was changed.")


def _place(key: EndpointKey) -> tuple[str, str]:
    return key.model, key.environment
