"""Going back: to the last version that really served well, warm if at all possible, in milliseconds.

Nothing here imports MLflow or needs it; deployd and the dashboard may be down as well. A rollback goes before a
running deployment, asks for no approval and passes every freeze.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from core import access
from core.access import Action, Actor
from core.deploy import cold, messages, outbox, traffic
from core.deploy import hash as tree
from core.deploy.desk import Desk
from core.deploy.journal import Intent
from core.deploy.steps import StepLog
from core.deploy.types import (
    Endpoint,
    EndpointKey,
    Operation,
    OperationKind,
    OperationState,
    Served,
)
from core.errors import BadInput, Conflict, IntegrityFailure, ModelDeskError, NotFound, Unavailable

LAST_GOOD = "last-good"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackTarget:
    """A version to go back to; ``blocked`` says why it cannot be, else ''. ``warm``: no start needed."""

    version: int
    served: Served
    warm: bool
    blocked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """What a rollback would do; ``skipped`` are better targets that cannot serve, with the reason in each."""

    key: EndpointKey
    from_version: int | None
    target: RollbackTarget
    skipped: tuple[RollbackTarget, ...] = ()
    asked_for: str
    alias: str
    steps: tuple[str, ...]


def targets(desk: Desk, key: EndpointKey) -> tuple[RollbackTarget, ...]:
    """Every version that served here and is not live, the best first: good ones, then the latest."""
    endpoint = desk.store.endpoint(key)
    if endpoint is None:
        return ()
    stretches = _earlier(desk, endpoint)
    found = [_target(desk, endpoint, stretch) for stretch in stretches]
    return tuple(sorted(found, key=lambda target: (bool(target.blocked), not target.served.good)))


def plan_rollback(desk: Desk, model: str, environment: str, to: str = LAST_GOOD) -> RollbackPlan:
    """The plan; a canary under way is ended by it. Raises NotFound when there is nowhere to go back to."""
    key = desk.key(model, environment)
    endpoint = desk.store.endpoint(key)
    if endpoint is None or endpoint.live is None:
        raise NotFound(f"Nothing serves {key}.", "Deploy a version first.")
    if to == LAST_GOOD:
        desk.journal.refuse_again(key)
    target, skipped = _canary_target(desk, endpoint, to), ()
    if target is None:
        target, skipped = _chosen(desk, endpoint, to)
    start = (
        "It is warm: the switch takes milliseconds." if target.warm else "It is cold: about 20 s to start it."
    )
    steps = (
        f"Send all traffic of {key} from v{endpoint.live_version} to v{target.version}. {start}",
        "Ask the endpoint who answers.",
        f"Freeze promotions of {model} in {environment} until someone lifts the freeze.",
        "Record it; move MLflow's alias as soon as MLflow answers.",
    )
    return RollbackPlan(
        key=key,
        from_version=endpoint.live_version,
        target=target,
        skipped=skipped,
        asked_for=to,
        alias=desk.settings.environments[environment],
        steps=steps,
    )


def rollback(
    desk: Desk, plan: RollbackPlan, actor: Actor, reason: str, idempotency_key: str | None = None
) -> Operation:
    """Carry ``plan`` out. Raises BadInput without a reason, Conflict when someone else just did it."""
    begin = time.perf_counter()
    access.require(desk.settings, actor, Action.ROLL_BACK, plan.key.model, plan.key.environment)
    if not reason.strip():
        raise BadInput("A rollback needs a reason.", "Say in a few words what is wrong.")
    operation = desk.journal.begin(
        Intent(
            key=plan.key,
            kind=OperationKind.ROLLBACK,
            to_version=plan.target.version,
            actor=actor.name,
            reason=reason,
            expects=plan.from_version,
            idempotency_key=idempotency_key,
            once=idempotency_key is None and plan.asked_for == LAST_GOOD,
        )
    )
    if operation.repeated:
        return operation
    try:
        return _carry_out(desk, plan, actor, operation, begin)
    except ModelDeskError as error:
        raise _failed(desk, operation, error) from error
    except BaseException:
        desk.journal.finish(operation, OperationState.ABORTED, "Interrupted.")
        raise


def _carry_out(desk: Desk, plan: RollbackPlan, actor: Actor, operation: Operation, begin: float) -> Operation:
    log = StepLog(desk.journal, operation)
    endpoint = desk.store.endpoint(plan.key)
    slot = endpoint.slot_of(plan.target.version)
    if slot is None or not desk.engine.alive(endpoint, slot):
        with log.step("start") as note:
            slot = cold.ready_slot(desk, plan.key, plan.target.version)
            note.detail = f"slot {slot.name}, answers"
        endpoint = desk.store.endpoint(plan.key)
    told = messages.rolled_back(operation, actor, plan.alias, slot.artifact, plan.asked_for, desk.engine.name)
    previous = None if slot.name == endpoint.previous else endpoint.previous
    with log.quick("switch") as note:
        after = desk.journal.decide(
            operation, live=slot.name, previous=previous, weights=traffic.only(slot.name), messages=told
        )
        traffic.switch(desk, after)
        switched = time.perf_counter()
        note.detail = f"all traffic to v{slot.version} in slot {slot.name}"
    with log.quick("verify") as note:
        note.detail = traffic.verify(desk, after, slot)
    seconds = {
        "command_to_switch": switched - begin,
        "switch_to_verified": time.perf_counter() - switched,
    }
    traffic.keep(desk)
    message = f"v{slot.version} serves {plan.key} again."
    done = desk.journal.finish_verified(operation, message, seconds, log.take())
    outbox.deliver_soon(desk.ws, desk.outbox)
    return done


def _failed(desk: Desk, operation: Operation, error: ModelDeskError) -> ModelDeskError:
    live = desk.store.endpoint(operation.key).live_version
    text = f"{error.what} v{live} is recorded as live in {operation.key.environment}."
    desk.journal.finish(operation, OperationState.FAILED, text)
    return type(error)(text, error.way_out)


def _target(desk: Desk, endpoint: Endpoint, stretch: Served) -> RollbackTarget:
    slot = endpoint.slot_of(stretch.version)
    warm = slot is not None and desk.engine.alive(endpoint, slot)
    blocked = ""
    if not warm:
        try:
            tree.check_artifact(cold.kept_artifact(desk, endpoint, stretch.version))
        except (IntegrityFailure, Unavailable) as error:
            blocked = error.what
    return RollbackTarget(version=stretch.version, served=stretch, warm=warm, blocked=blocked)


def _canary_target(desk: Desk, endpoint: Endpoint, to: str) -> RollbackTarget | None:
    """While a canary runs, the last good version is the one that is live."""
    shared = sum(1 for weight in endpoint.weights.values() if weight) > 1
    if to != LAST_GOOD or not shared:
        return None
    live = next(stretch for stretch in desk.store.served(endpoint.key) if stretch.until is None)
    return RollbackTarget(version=endpoint.live_version, served=live, warm=True)


def _chosen(desk: Desk, endpoint: Endpoint, to: str) -> tuple[RollbackTarget, tuple[RollbackTarget, ...]]:
    earlier = _earlier(desk, endpoint)
    if to == LAST_GOOD:
        return _last_good(desk, endpoint, earlier)
    if not to.removeprefix("v").isdigit():
        raise BadInput(f"'{to}' is no version.", f"Give a number or {LAST_GOOD}.")
    version = int(to.removeprefix("v"))
    stretch = next((stretch for stretch in earlier if stretch.version == version), None)
    if version == endpoint.live_version:
        raise Conflict(f"v{version} is live in {endpoint.key} already.", "Nothing to do.")
    if stretch is None:
        raise NotFound(f"v{version} never served {endpoint.key}.", "Deploy it instead.")
    chosen = _target(desk, endpoint, stretch)
    if chosen.blocked:
        raise IntegrityFailure(f"v{version} cannot serve: {chosen.blocked}", "Choose another version.")
    return chosen, ()


def _last_good(
    desk: Desk, endpoint: Endpoint, earlier: tuple[Served, ...]
) -> tuple[RollbackTarget, tuple[RollbackTarget, ...]]:
    """The newest good one that can serve; looked at one by one, since hashing a cold one takes time."""
    why, skipped = [], []
    for stretch in earlier:
        target = _target(desk, endpoint, stretch) if stretch.good else None
        if target is not None and not target.blocked:
            return target, tuple(skipped)
        if target is not None:
            skipped.append(target)
        why.append(f"v{stretch.version}: {target.blocked if target else 'was rolled back'}")
    desk.journal.refuse_again(endpoint.key)  # somebody else may have gone back while this was looked at
    raise NotFound(
        f"No earlier version of {endpoint.key} served well{f' ({chr(59).join(why)})' if why else ''}.",
        "Name a version with --to, or deploy one.",
    )


def _earlier(desk: Desk, endpoint: Endpoint) -> tuple[Served, ...]:
    """The newest stretch of each version that served here and is not live, newest first."""
    newest: dict[int, Served] = {}
    for stretch in desk.store.served(endpoint.key):
        newest.setdefault(stretch.version, stretch)
    return tuple(stretch for version, stretch in newest.items() if version != endpoint.live_version)
