"""Deploying a version: checked, started, asked, switched to, and seen to answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core import access
from core.access import Action, Actor
from core.deploy import outbox
from core.deploy.adopt import import_history
from core.deploy.deployment import Deployment
from core.deploy.desk import Desk
from core.deploy.journal import Intent
from core.deploy.types import (
    EndpointKey,
    Operation,
    OperationKind,
)
from core.errors import BadInput, Conflict
from core.registry.gatekeeper import basis_for


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    """What a deployment would do. ``share`` is the candidate's part of the traffic in percent, 100 for all."""

    key: EndpointKey
    from_version: int | None
    to_version: int
    alias: str
    share: int
    warm: bool
    allow_code: bool
    steps: tuple[str, ...]


def plan_deploy(
    desk: Desk,
    model: str,
    version: int,
    environment: str,
    *,
    expects: int | None = None,
    share: int = 100,
    allow_code: bool = False,
) -> DeployPlan:
    """The plan against the state of now; raises Conflict when ``expects`` is not live, BadInput for nonsense."""
    key = desk.key(model, environment)
    if not 1 <= share <= 100:
        raise BadInput(f"A share of {share} % makes no sense.", "Give 1 to 100.")
    endpoint = desk.store.endpoint(key)
    live = endpoint.live_version if endpoint else None
    if expects is not None and expects != live:
        raise Conflict(
            f"v{expects} was expected in {environment}, but {f'v{live}' if live else 'nothing'} is live.",
            "Nothing was changed. Look at what is live now and decide again.",
        )
    if share < 100 and live is None:
        raise BadInput(
            "A first version cannot be a canary: nothing else serves.", "Deploy it without a share."
        )
    slot = endpoint.slot_of(version) if endpoint else None
    warm = slot is not None and desk.engine.alive(endpoint, slot)
    return DeployPlan(
        key=key,
        from_version=live,
        to_version=version,
        alias=desk.settings.environments[environment],
        share=share,
        warm=warm,
        allow_code=allow_code,
        steps=_sentences(version, live, environment, share, warm),
    )


def deploy(
    desk: Desk, plan: DeployPlan, actor: Actor, reason: str, idempotency_key: str | None = None
) -> Operation:
    """Carry ``plan`` out; live is touched by the switch alone.

    Gives back the finished operation. Raises Refused or ApprovalMissing before anything happens, Conflict when
    the state moved or a rollback took over, Failed when a check says no, Unavailable when a part is missing;
    each says what is live.
    """
    begin = time.perf_counter()
    access.require(desk.settings, actor, Action.DEPLOY, plan.key.model, plan.key.environment)
    if plan.allow_code:
        access.require(desk.settings, actor, Action.OVERRIDE_GATE, plan.key.model, plan.key.environment)
    outbox.deliver(desk.ws, desk.outbox, outbox.LEDGER)  # the freeze of a rollback may not have arrived yet
    basis = basis_for(desk.ws, plan.key.model, plan.to_version, plan.key.environment)
    if desk.endpoint(plan.key, actor.name).live is None:
        import_history(desk, plan.key)
    operation = desk.journal.begin(
        Intent(
            key=plan.key,
            kind=OperationKind.DEPLOY,
            to_version=plan.to_version,
            actor=actor.name,
            reason=reason,
            expects=plan.from_version or 0,  # what the plan was made for, whether or not somebody named it
            idempotency_key=idempotency_key,
        )
    )
    return operation if operation.repeated else Deployment(desk, plan, actor, operation, basis, begin).run()


def _sentences(version: int, live: int | None, environment: str, share: int, warm: bool) -> tuple[str, ...]:
    ready = (
        (f"v{version} is warm: nothing to start.",)
        if warm
        else (
            f"Fetch v{version} and check its digest, size, signature and serialization.",
            "Start it in a free slot without traffic; ask it, break a request on purpose, time 50 calls.",
        )
    )
    if share < 100:
        switch = f"Send {share} % of the traffic to v{version}; v{live} keeps the rest, stays live and keeps its alias."
        return (*ready, switch, "Ask the endpoint until both versions have answered; record it.")
    if live == version:
        switch = f"v{version} is live already: it gets all traffic."
    elif live:
        switch = f"Send all traffic from v{live} to v{version}; v{live} stays warm to go back to."
    else:
        switch = f"Send all traffic to v{version}; nothing was live before."
    return (*ready, switch, f"Ask the endpoint who answers; record it; move the alias of {environment}.")
