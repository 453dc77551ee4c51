"""Rehearsing a rollback: there and back again in an environment where it hurts nobody, with requests under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from core import access
from core.access import Action, Actor
from core.deploy import cold, model_files, rollback, traffic
from core.deploy.desk import Desk
from core.deploy.journal import Intent
from core.deploy.steps import StepLog
from core.deploy.types import Endpoint, EndpointKey, Operation, OperationKind, OperationState, Slot
from core.errors import ModelDeskError, NotFound, Refused, Unavailable
from core.ledger.serving_events import RollbackDrilled

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace

REHEARSED_IN = "staging"
OVERDUE = timedelta(days=90)
"""A rehearsal older than a quarter says little about tonight."""
PROBE_EVERY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """What a drill would do: ``live`` goes to ``target`` and comes back."""

    key: EndpointKey
    live: int
    target: int
    warm: bool

    @property
    def steps(self) -> tuple[str, ...]:
        """The plan in sentences."""
        start = "It is warm." if self.warm else f"v{self.target} is started first, about 20 s."
        return (
            f"Send all traffic of {self.key} from v{self.live} to v{self.target} and ask who answers. {start}",
            f"Send it back to v{self.live} and ask again; requests run all the while.",
            "Record how long it took and how many requests failed; nothing is frozen, no alias moves.",
        )


@dataclass
class _Probes:
    asked: int = 0
    failed: int = 0


def last_drill(ws: Workspace, model: str) -> Record | None:
    """The newest drill of ``model`` anywhere; None when there never was one."""
    return next(reversed(ws.ledger.records(model=model, kinds=("rollback_drilled",))), None)


def is_overdue(last: Record | None, now: datetime) -> bool:
    """True when there never was a drill, or the last one is older than 90 days."""
    return last is None or now - last.at > OVERDUE


def plan_drill(desk: Desk, model: str, environment: str = REHEARSED_IN) -> DrillPlan:
    """The plan; raises Refused in production, NotFound where nothing serves or there is nowhere to go back to."""
    key = desk.key(model, environment)
    if environment == "production":
        raise Refused("Production is not the place to rehearse in.", "Drill in staging.")
    endpoint = desk.store.endpoint(key) if desk.is_serving(key) else None
    if endpoint is None:
        raise NotFound(
            f"Nothing serves {key}, so there is nothing to rehearse with.",
            f"Deploy to {environment}, or `deployd adopt {model} --environment {environment}` serves what was "
            "decided there.",
        )
    found = next((t for t in rollback.targets(desk, key) if not t.blocked), None)
    if found is None:
        raise NotFound(f"{key} has served one version alone.", f"Deploy a second one to {environment}.")
    return DrillPlan(key=key, live=endpoint.live_version, target=found.version, warm=found.warm)


def drill(desk: Desk, plan: DrillPlan, actor: Actor) -> Record:
    """Carry the drill out and put it on the record. Raises Conflict while another operation runs."""
    access.require(desk.settings, actor, Action.ROLL_BACK, plan.key.model, plan.key.environment)
    intent = Intent(
        key=plan.key,
        kind=OperationKind.DRILL,
        to_version=plan.target,
        actor=actor.name,
        reason="rollback drill",
        expects=plan.live,
    )
    operation = desk.journal.begin(intent)
    before = desk.store.endpoint(plan.key)
    try:
        record = _there_and_back(desk, plan, operation, actor)
    except ModelDeskError as error:
        _restore(desk, operation, before)
        desk.journal.finish(operation, OperationState.FAILED, error.what)
        raise
    except BaseException:
        _restore(desk, operation, before)
        desk.journal.finish(operation, OperationState.ABORTED, "Interrupted.")
        raise
    desk.journal.finish(operation, OperationState.DONE, f"v{plan.live} serves {plan.key} as before.")
    return record


def _there_and_back(desk: Desk, plan: DrillPlan, operation: Operation, actor: Actor) -> Record:
    log, seconds = StepLog(desk.journal, operation), {}
    with log.step("get ready") as note:
        live, target = (cold.ready_slot(desk, plan.key, version) for version in (plan.live, plan.target))
        note.detail = f"v{plan.live} and v{plan.target} answer"
    with _probing(desk, plan.key, live) as probes:
        for name, to, back in (("there", target, live), ("back", live, target)):
            with log.step(name) as note:
                begin = time.perf_counter()
                after = desk.journal.decide(
                    operation, live=to.name, previous=back.name, weights=traffic.only(to.name)
                )
                traffic.switch(desk, after)
                note.detail = traffic.verify(desk, after, to)
                seconds[name] = round(time.perf_counter() - begin, 4)
    traffic.keep(desk)
    event = RollbackDrilled(
        model=plan.key.model,
        environment=plan.key.environment,
        operation_id=operation.id,
        from_version=plan.live,
        to_version=plan.target,
        seconds=seconds,
        requests=probes.asked,
        failed=probes.failed,
    )
    return desk.ws.ledger.append(event, actor)


def _restore(desk: Desk, operation: Operation, before: Endpoint) -> None:
    desk.journal.withdraw(operation, before)
    traffic.switch(desk, desk.store.endpoint(before.key))
    traffic.keep(desk)


@contextmanager
def _probing(desk: Desk, key: EndpointKey, slot: Slot) -> Iterator[_Probes]:
    """Requests through the router while the block runs."""
    probes, stop = _Probes(), threading.Event()
    endpoint = desk.store.endpoint(key)
    example = model_files.example_request(slot.artifact.directory)

    def ask() -> None:
        while not stop.wait(PROBE_EVERY_S):
            probes.asked += 1
            try:
                probes.failed += desk.engine.ask(endpoint, example, traffic.ASK_S).status != 200
            except Unavailable:
                probes.failed += 1

    thread = threading.Thread(target=ask, name="drill-probes", daemon=True)
    thread.start()
    try:
        yield probes
    finally:
        stop.set()
        thread.join()


def drilled_words(record: Record | None, now: datetime) -> str:
    """The last drill in a sentence."""
    if record is None:
        return "A rollback of this model was never rehearsed."
    payload = record.payload
    took = max(payload["seconds"].values()) * 1000
    days = (now.astimezone(UTC) - record.at).days
    when = "today" if days == 0 else f"{days} day{'s' * (days > 1)} ago"
    return (
        f"Last rehearsed {when} in {record.environment}: v{payload['from_version']} to v{payload['to_version']} "
        f"and back, {took:.0f} ms at most, {payload['failed']} of {payload['requests']} requests failed."
    )
