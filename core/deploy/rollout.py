"""Deploying a version: checked, started, asked, switched to, and seen to answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from core import access
from core.access import Action, Actor
from core.deploy import messages, outbox, smoke, traffic
from core.deploy.adopt import import_history
from core.deploy.desk import Desk
from core.deploy.gates import static_checks
from core.deploy.journal import Intent, Message
from core.deploy.steps import StepLog
from core.deploy.types import (
    Artifact,
    Endpoint,
    EndpointKey,
    Operation,
    OperationKind,
    OperationState,
    Slot,
)
from core.errors import BadInput, Conflict, ModelDeskError
from core.registry.gatekeeper import Basis, basis_for


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
    expects: int | None
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
        expects=expects,
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
            expects=plan.expects,
            idempotency_key=idempotency_key,
        )
    )
    return operation if operation.repeated else _Rollout(desk, plan, actor, operation, basis, begin).run()


class _Rollout:
    """One deployment under way."""

    def __init__(
        self, desk: Desk, plan: DeployPlan, actor: Actor, operation: Operation, basis: Basis, begin: float
    ) -> None:
        self.desk, self.plan, self.actor, self.operation, self.basis = desk, plan, actor, operation, basis
        self.begin = begin
        self.log = StepLog(desk.journal, operation)
        self.candidate: Slot | None = None

    def run(self) -> Operation:
        """All steps; on any failure the candidate is stopped and the error says what is live."""
        try:
            slot = self._warm_slot() or self._started_slot()
            done = self._switched(slot)
        except ModelDeskError as error:
            raise self._failed(error) from error
        except BaseException:
            self._clean_up(OperationState.ABORTED, "Interrupted.")
            raise
        outbox.deliver(self.desk.ws, self.desk.outbox, outbox.LEDGER)
        return done

    def _warm_slot(self) -> Slot | None:
        endpoint = self._endpoint()
        slot = endpoint.slot_of(self.plan.to_version)
        if slot is None or not self.desk.engine.alive(endpoint, slot):
            return None
        with self.log.step("use the warm slot") as note:
            self.candidate = slot if endpoint.live != slot.name else None
            note.detail = (
                f"v{slot.version} runs in slot {slot.name} and answers; files {slot.artifact.sha256[:12]}"
            )
        return slot

    def _started_slot(self) -> Slot:
        with self.log.step("fetch") as note:
            artifact = self.desk.fetch(self.plan.key, self.plan.to_version)
            note.detail = f"{artifact.size_bytes / 1e6:.2f} MB, digest {artifact.sha256[:12]}"
        with self.log.step("gates") as note:
            live = self._endpoint().slot(self._endpoint().live)
            found = static_checks(artifact, live.artifact if live else None, allow_code=self.plan.allow_code)
            note.detail = self.log.checks(found)
        with self.log.step("start") as note:
            self.candidate = self._start(artifact)
            note.detail = f"slot {self.candidate.name}, process {self.candidate.process.pid}"
        with self.log.step("healthy") as note:
            note.detail = smoke.wait_healthy(self.desk.engine, self._endpoint(), self.candidate)
        with self.log.step("smoke tests") as note:
            note.detail = self.log.checks(
                smoke.smoke_checks(self.desk.engine, self._endpoint(), self.candidate)
            )
        return self.candidate

    def _start(self, artifact: Artifact) -> Slot:
        endpoint = self._endpoint()
        stale = endpoint.slot_of(self.plan.to_version)
        if stale is not None and stale.name not in (endpoint.live, endpoint.previous):
            traffic.release(self.desk, endpoint, stale)
            endpoint = self._endpoint()
        name = traffic.free_slot(self.desk, endpoint)
        version = self.plan.to_version
        process = self.desk.engine.start(endpoint, name, version, artifact)
        slot = Slot(
            name=name, version=version, artifact=artifact, process=process, started_at=datetime.now(UTC)
        )
        self.desk.store.put_slot(endpoint.key, slot)
        self.desk.engine.apply(self.desk.store.endpoints())
        return slot

    def _switched(self, slot: Slot) -> Operation:
        before = self._endpoint()
        traffic.switch(self.desk, before)
        with self.log.step("switch") as note:
            after = self._decide(before, slot)
            traffic.switch(self.desk, after)
            switched = time.perf_counter()
            note.detail = f"{self.plan.share} % of the traffic to v{slot.version}"
        self.desk.engine.write_config(self.desk.store.endpoints())
        with self.log.step("verify") as note:
            note.detail = self._verify(before, after, slot)
        seconds = {
            "command_to_switch": switched - self.begin,
            "switch_to_verified": time.perf_counter() - switched,
        }
        self.desk.outbox.complete(self.operation.id, verified=True, seconds=seconds)
        message = f"v{slot.version} serves {self.plan.key}."
        done = self.desk.journal.finish(
            self.operation, OperationState.DONE, message, verified=True, **seconds
        )
        traffic.tidy(self.desk, after)
        return done

    def _decide(self, before: Endpoint, slot: Slot) -> Endpoint:
        live = before.slot(before.live)
        if self.plan.share < 100 and live is not None and live.name != slot.name:
            weights = {live.name: 100 - self.plan.share, slot.name: self.plan.share}
            shares = {live.version: (100 - self.plan.share) / 100, slot.version: self.plan.share / 100}
            told = messages.canary(self.operation, self.actor, shares)
            return self._record(before, live, before.previous, weights, told)
        replaces = live is not None and live.version != slot.version
        previous = before.live if replaces else before.previous
        told = messages.deployed(self.operation, self.actor, self.plan.alias, slot.artifact, self.basis)
        return self._record(before, slot, previous, traffic.only(slot.name), told)

    def _record(
        self, before: Endpoint, live: Slot, previous: str | None, weights: dict, told: tuple[Message, ...]
    ) -> Endpoint:
        return self.desk.journal.decide(
            self.operation, live=live.name, previous=previous, weights=weights, messages=told
        )

    def _verify(self, before: Endpoint, after: Endpoint, slot: Slot) -> str:
        try:
            if self.plan.share < 100:
                return traffic.verify_share(self.desk, after, slot)
            return traffic.verify(self.desk, after, slot)
        except ModelDeskError:
            self._revert(before)
            raise

    def _revert(self, before: Endpoint) -> None:
        """Traffic back to where it was, and no word to ledger or MLflow about a switch that did not hold."""
        self.desk.journal.withdraw(self.operation, before)
        traffic.switch(self.desk, self._endpoint())
        self.desk.engine.write_config(self.desk.store.endpoints())

    def _failed(self, error: ModelDeskError) -> ModelDeskError:
        live = self._endpoint().live_version
        state = f"v{live} is still live" if live else "nothing is live"
        text = f"{error.what} In {self.plan.key.environment} {state}; this deployment changed nothing."
        self._clean_up(OperationState.FAILED, text)
        for message in messages.failed(self.operation, self.actor, live, error.what):
            self.desk.journal.tell(self.operation, message)
        outbox.deliver(self.desk.ws, self.desk.outbox, outbox.LEDGER)
        return type(error)(text, error.way_out)

    def _clean_up(self, state: OperationState, text: str) -> None:
        self.desk.journal.finish(self.operation, state, text)
        if self.candidate is not None:
            traffic.release(self.desk, self._endpoint(), self.candidate)
            traffic.switch(self.desk, self._endpoint())

    def _endpoint(self) -> Endpoint:
        return self.desk.endpoint(self.plan.key, self.actor.name)


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
        switch = f"Send {share} % of the traffic to v{version}; v{live} keeps the rest and stays live."
    elif live == version:
        switch = f"v{version} is live already: it gets all traffic."
    elif live:
        switch = f"Send all traffic from v{live} to v{version}; v{live} stays warm to go back to."
    else:
        switch = f"Send all traffic to v{version}; nothing was live before."
    return (*ready, switch, f"Ask the endpoint who answers; record it; move the alias of {environment}.")
