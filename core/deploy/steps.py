"""The log of an operation: each step is in the database when it begins and when it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from core.deploy.gates import Check, Verdict
from core.deploy.journal import Journal
from core.deploy.smoke import Failed
from core.deploy.types import Operation, Step, StepState


class Note:
    """What a step has to say when it ends."""

    def __init__(self) -> None:
        self.detail = ""


class StepLog:
    """Writes the steps of one operation."""

    def __init__(self, journal: Journal, operation: Operation) -> None:
        self._journal = journal
        self._operation = operation
        self._kept: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Note]:
        """A step that is seen running, and then OK or FAILED with its time and detail."""
        started, begin, note = datetime.now(UTC), time.perf_counter(), Note()
        self._write(name, StepState.RUNNING, started, 0.0, "")
        try:
            yield note
        except BaseException as error:
            self._write(name, StepState.FAILED, started, time.perf_counter() - begin, str(error))
            raise
        self._write(name, StepState.OK, started, time.perf_counter() - begin, note.detail)

    @contextmanager
    def quick(self, name: str) -> Iterator[Note]:
        """A step of milliseconds, kept until :meth:`take`: waiting for the disk would take longer than the step."""
        started, begin, note = datetime.now(UTC), time.perf_counter(), Note()
        try:
            yield note
        except BaseException as error:
            self._keep(name, StepState.FAILED, started, time.perf_counter() - begin, str(error))
            raise
        self._keep(name, StepState.OK, started, time.perf_counter() - begin, note.detail)

    def take(self) -> tuple[Step, ...]:
        """The steps that were kept, to be written together with what comes next."""
        kept, self._kept = tuple(self._kept), []
        return kept

    def checks(self, found: tuple[Check, ...]) -> str:
        """Log each check as a step of its own; raises Failed when one says no."""
        now = datetime.now(UTC)
        for check in found:
            state = {Verdict.PASS: StepState.OK, Verdict.FAIL: StepState.FAILED}
            self._write(
                f"check {check.name}", state.get(check.verdict, StepState.SKIPPED), now, 0.0, check.detail
            )
        failed = [check for check in found if check.verdict is Verdict.FAIL]
        if failed:
            raise Failed("; ".join(f"{check.name}: {check.detail}" for check in failed) + ".")
        return f"{len(found)} checks, none failed"

    def _keep(self, name: str, state: StepState, at: datetime, seconds: float, detail: str) -> None:
        self._kept.append(Step(name=name, state=state, started_at=at, seconds=seconds, detail=detail))

    def _write(self, name: str, state: StepState, at: datetime, seconds: float, detail: str) -> None:
        self._keep(name, state, at, seconds, detail)
        self._journal.step(self._operation, *self.take())
