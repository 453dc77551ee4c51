"""One deployment under way, step by step; live is touched by the switch alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.access import Actor
from core.deploy import messages, outbox, smoke, traffic
from core.deploy.bake import bake
from core.deploy.code import allowed_by
from core.deploy.desk import Desk
from core.deploy.gates import Check, static_checks
from core.deploy.journal import Message
from core.deploy.serialization import Findings
from core.deploy.steps import StepLog
from core.deploy.types import Artifact, Endpoint, Operation, OperationState, Slot
from core.errors import Conflict, IntegrityFailure, ModelDeskError
from core.registry.gatekeeper import Basis, basis_for

if TYPE_CHECKING:
    from core.deploy.rollout import DeployPlan


class Deployment:
    """One deployment under way."""

    def __init__(
        self, desk: Desk, plan: DeployPlan, actor: Actor, operation: Operation, basis: Basis, begin: float
    ) -> None:
        self.desk, self.plan, self.actor, self.operation, self.basis = desk, plan, actor, operation, basis
        self.begin = begin
        self.log = StepLog(desk.journal, operation)
        self.candidate: Slot | None = None
        self.switched = False
        self.checked: tuple[str, ...] = ()

    def run(self) -> Operation:
        """All steps; on any failure the candidate is stopped and the error says what is live."""
        try:
            endpoint = self._endpoint()
            warm = self._warm_slot(endpoint)
            done = self._switched(warm, endpoint) if warm else self._switched(self._started_slot())
        except ModelDeskError as error:
            raise self._failed(error) from error
        except BaseException:
            self._clean_up(OperationState.ABORTED, "Interrupted.")
            raise
        outbox.deliver(self.desk.ws, self.desk.outbox, outbox.LEDGER)
        return done

    def _warm_slot(self, endpoint: Endpoint) -> Slot | None:
        slot = endpoint.slot_of(self.plan.to_version)
        if slot is None or not self.desk.engine.alive(endpoint, slot):
            return None
        with self.log.quick("use the warm slot") as note:
            self._check_digest(slot.artifact)
            self.candidate = slot if endpoint.live != slot.name else None
            note.detail = (
                f"v{slot.version} runs in slot {slot.name} and answers; files {slot.artifact.sha256[:12]}"
            )
        return slot

    def ready(self) -> Slot:
        """The candidate answering in a slot without traffic, every check passed; nothing is switched."""
        return self._warm_slot(self._endpoint()) or self._checked_slot()

    def _started_slot(self) -> Slot:
        slot = self._checked_slot()
        with self.log.step("approval still valid") as note:
            self.basis = basis_for(self.desk.ws, *self._place())
            self._check_digest(slot.artifact)
            note.detail = self.basis.name
        return slot

    def _checked_slot(self) -> Slot:
        with self.log.step("fetch") as note:
            artifact = self.desk.fetch(self.plan.key, self.plan.to_version)
            self._check_digest(artifact)
            note.detail = f"{artifact.size_bytes / 1e6:.2f} MB, digest {artifact.sha256[:12]}"
        with self.log.step("gates") as note:
            live = self._endpoint().slot(self._endpoint().live)
            note.detail = self._all_pass(
                static_checks(
                    artifact,
                    live.artifact if live else None,
                    max_mb=self.desk.settings.deploy.max_mb,
                    allowed_by=self._allowed_by,
                )
            )
        with self.log.step("start") as note:
            self.candidate = self._start(artifact)
            note.detail = f"slot {self.candidate.name} of the {self.desk.engine.name} engine"
        with self.log.step("healthy") as note:
            note.detail = smoke.wait_healthy(self.desk.engine, self._endpoint(), self.candidate)
        with self.log.step("smoke tests") as note:
            golden = self.desk.store.golden(artifact.sha256)
            found = smoke.smoke_tests(self.desk.engine, self._endpoint(), self.candidate, golden)
            note.detail = self._all_pass(found.checks)
            if found.answer is not None:
                self.desk.store.keep_golden(artifact.sha256, found.answer)
        return self.candidate

    def _allowed_by(self, findings: Findings) -> str:
        flagged = f"{self.actor.printed_name} (approver)" if self.plan.allow_code else ""
        return allowed_by(self.basis, findings, flagged)

    def _all_pass(self, found: tuple[Check, ...]) -> str:
        """Log the checks, keep their sentences for the ledger, raise Failed when one says no."""
        self.checked += tuple(f"{check.name}: {check.verdict}, {check.detail}" for check in found)
        return self.log.checks(found)

    def _start(self, artifact: Artifact) -> Slot:
        endpoint = self._endpoint()
        stale = endpoint.slot_of(self.plan.to_version)
        # A candidate that died is started again where it was: with a share of the traffic, its slot is not free.
        again = stale is not None and stale.name not in (endpoint.live, endpoint.previous)
        name = stale.name if again else traffic.free_slot(self.desk, endpoint)
        return traffic.start_in(self.desk, endpoint, name, self.plan.to_version, artifact)

    def _check_digest(self, artifact: Artifact) -> None:
        """What was approved is bound to its files; a slot or a cache may hold others."""
        if self.basis.sha256 not in ("", artifact.sha256):
            raise IntegrityFailure(
                f"The files of v{self.plan.to_version} are not those that were approved: digest "
                f"{artifact.sha256[:12]}, approved {self.basis.sha256[:12]}.",
                "Find out who changed them; register the new files as a new version.",
            )

    def _switched(self, slot: Slot, before: Endpoint | None = None) -> Operation:
        """``before``: the endpoint where it was read since this operation began, which nobody else may change."""
        before = before or self._endpoint()
        with self.log.quick("switch") as note:
            after = self._decide(before, slot)
            self.switched = True
            traffic.switch(self.desk, after)
            switched = time.perf_counter()
            note.detail = f"{self.plan.share} % of the traffic to v{slot.version}"
        try:
            with self.log.quick("verify") as note:
                note.detail = self._verify(after, slot)
            seconds = {
                "command_to_switch": switched - self.begin,
                "switch_to_verified": time.perf_counter() - switched,
            }
            traffic.keep(self.desk)
            self._bake(after, slot)
        except ModelDeskError:
            self._revert(before)
            raise
        return self._done(after, slot, seconds)

    def _bake(self, after: Endpoint, slot: Slot) -> None:
        seconds = self.desk.settings.deploy.bake_s
        if seconds:
            with self.log.step("bake") as note:
                note.detail = bake(self.desk, self.operation, after, slot, seconds)

    def _done(self, after: Endpoint, slot: Slot, seconds: dict[str, float]) -> Operation:
        message = f"v{slot.version} serves {self.plan.key}."
        done = self.desk.journal.finish_verified(self.operation, message, seconds, self.log.take())
        traffic.tidy(self.desk, after)
        if done.state is not OperationState.DONE:
            raise Conflict(done.message, "`python -m core status` shows what serves.")
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
        told = messages.deployed(
            self.operation,
            self.actor,
            self.plan.alias,
            slot.artifact,
            self.basis,
            self.desk.engine.name,
            self.checked,
        )
        return self._record(before, slot, previous, traffic.only(slot.name), told)

    def _record(
        self, before: Endpoint, live: Slot, previous: str | None, weights: dict, told: tuple[Message, ...]
    ) -> Endpoint:
        return self.desk.journal.decide(
            self.operation, live=live.name, previous=previous, weights=weights, messages=told
        )

    def _verify(self, after: Endpoint, slot: Slot) -> str:
        if self.plan.share < 100:
            return traffic.verify_share(self.desk, after, slot)
        return traffic.verify(self.desk, after, slot)

    def _revert(self, before: Endpoint) -> None:
        """Traffic back to where it was, and no word to ledger or MLflow about a switch that did not hold."""
        self.desk.journal.withdraw(self.operation, before)
        traffic.switch(self.desk, self._endpoint())
        traffic.keep(self.desk)

    def _failed(self, error: ModelDeskError) -> ModelDeskError:
        live = self._endpoint().live_version
        state = f"v{live} is still live" if live else "nothing is live"
        changed = "traffic went back" if self.switched else "this deployment changed nothing"
        text = f"{error.what} In {self.plan.key.environment} {state}; {changed}."
        self._clean_up(OperationState.FAILED, text)
        for message in messages.failed(self.operation, self.actor, live, error.what):
            self.desk.journal.tell(self.operation, message)
        outbox.deliver(self.desk.ws, self.desk.outbox, outbox.LEDGER)
        return type(error)(text, error.way_out)

    def _clean_up(self, state: OperationState, text: str) -> None:
        self.desk.journal.finish(self.operation, state, text, self.log.take())
        if self.candidate is not None:
            traffic.release(self.desk, self._endpoint(), self.candidate)
            traffic.switch(self.desk, self._endpoint())

    def _place(self) -> tuple[str, int, str]:
        return self.plan.key.model, self.plan.to_version, self.plan.key.environment

    def _endpoint(self) -> Endpoint:
        return self.desk.endpoint(self.plan.key, self.actor.name)
