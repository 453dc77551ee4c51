"""deployd: keeps the recorded state true. Single by lock; everything it knows is in the database.

Killing it changes nothing for those who call the endpoints. The next one finds the same processes by pid, birth
time and socket, and goes on.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from core.deploy import hash as tree
from core.deploy import outbox, paths, processes, served_log, traffic
from core.deploy.desk import Desk
from core.deploy.types import Endpoint, EndpointKey, Process, Slot, SlotName
from core.errors import Conflict, ModelDeskError

TICK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
TELL_EVERY_S = 10.0
START_GRACE_S = 60.0


class Supervisor:
    """One round of looking after everything is :meth:`tick`; :meth:`run` repeats it."""

    def __init__(self, desk: Desk, say: Callable[[str], None]) -> None:
        self._desk = desk
        self._say = say
        self._pauses: dict[tuple[EndpointKey, SlotName], tuple[float, float]] = {}
        self._told_at = 0.0
        self._pruned_on: date | None = None
        self.stopping = threading.Event()

    def run(self, *, stop_endpoints: bool = False) -> None:
        """Look after the workspace until SIGTERM or SIGINT. Raises Conflict when another deployd runs.

        With ``stop_endpoints`` the models and the router end with it, unless they served before it began.
        """
        with single(self._desk):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stopping.set())
            served_before = self._desk.engine.router_alive()
            self._say(f"deployd looks after {self._desk.settings.root}, process {os.getpid()}")
            while not self.stopping.is_set():
                self.safe_tick()
                self.stopping.wait(TICK_S)
            if stop_endpoints and not served_before:
                stop_endpoints_of(self._desk)
                self._say("models and router are stopped; what was live stays recorded")

    def safe_tick(self) -> None:
        """A round whose failure is said and survived: the database may be locked, the disk full."""
        try:
            self.tick()
        except ModelDeskError as error:
            self._say(f"will try again: {error}")

    def tick(self) -> None:
        """Abort what nobody runs any more, restart what died, bring the router in line, tell the outbox."""
        for operation in self._desk.journal.abort_orphans():
            self._say(
                f"{operation.kind} of {operation.key} to v{operation.to_version} was left behind: aborted"
            )
            self._drop_leftovers(operation.key)
        endpoints = self._desk.store.endpoints()
        busy = {op.key for op in self._desk.journal.operations() if op.finished_at is None}
        for endpoint in endpoints:
            for slot in endpoint.slots:
                if endpoint.key not in busy:
                    self._look_after(endpoint, slot)
        self._keep_router(endpoints)
        self._tell()
        self._prune(endpoints)

    def _look_after(self, endpoint: Endpoint, slot: Slot) -> None:
        place = (endpoint.key, slot.name)
        if processes.alive(slot.process):
            self._pauses.pop(place, None) if self._desk.engine.alive(endpoint, slot) else None
            return
        due, pause = self._pauses.get(place, (0.0, FIRST_PAUSE_S))
        if time.monotonic() < due:
            return
        self._pauses[place] = (time.monotonic() + pause, min(LONGEST_PAUSE_S, pause * 2))
        tree.check_artifact(slot.artifact)
        process = self._desk.engine.start(endpoint, slot.name, slot.version, slot.artifact)
        now = datetime.now(UTC)
        self._desk.store.put_slot(
            endpoint.key,
            replace(slot, process=process, started_at=now, restarts=slot.restarts + bool(slot.process)),
        )
        was = "had died: started again" if slot.process else "is started"
        self._say(f"v{slot.version} of {endpoint.key} {was} as process {process.pid}")

    def _keep_router(self, endpoints: tuple[Endpoint, ...]) -> None:
        if not endpoints:
            return
        if not self._desk.engine.router_alive():
            self._say("the router is down: starting it from the recorded state")
            self._desk.engine.apply(endpoints)
        elif self._desk.engine.write_config(endpoints):
            self._desk.engine.apply(endpoints)

    def _drop_leftovers(self, key: EndpointKey) -> None:
        endpoint = self._desk.store.endpoint(key)
        if endpoint is not None:
            traffic.tidy(self._desk, endpoint)

    def _tell(self) -> None:
        if time.monotonic() - self._told_at < TELL_EVERY_S:
            return
        self._told_at = time.monotonic()
        for problem in outbox.deliver(self._desk.ws, self._desk.outbox):
            self._say(f"will try again: {problem}")

    def _prune(self, endpoints: tuple[Endpoint, ...]) -> None:
        today = datetime.now(UTC).date()
        if today == self._pruned_on:
            return
        self._pruned_on = today
        keep = self._desk.settings.deploy.log.keep_days
        for endpoint in endpoints:
            folder = served_log.folder_of(self._desk.settings, endpoint.key)
            if gone := served_log.prune(folder, keep, today):
                self._say(
                    f"{gone} files of the prediction log of {endpoint.key} are past {keep} days: deleted"
                )


@contextmanager
def single(desk: Desk) -> Iterator[None]:
    """Be the only deployd of the workspace; raises Conflict with the other's pid."""
    file = _lock_file(desk)
    with file.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"deployd runs already for {desk.settings.root} (process {running_pid(desk)}).",
                "One is enough; `python -m core deployd stop` ends it.",
            ) from error
        stream.truncate(0)
        stream.write(f"{os.getpid()} {processes.this_process().create_time!r}")
        stream.flush()
        yield


def running_pid(desk: Desk) -> int | None:
    """The process id of the deployd that runs; None when none does."""
    process = _running(desk)
    return process.pid if process else None


def stop(desk: Desk) -> int | None:
    """End the deployd that runs and give back its pid; what it looks after goes on serving."""
    process = _running(desk)
    processes.stop(process)
    return process.pid if process else None


def stop_endpoints_of(desk: Desk) -> None:
    """End every model and the router of the workspace; the recorded state stays."""
    for endpoint in desk.store.endpoints():
        for slot in endpoint.slots:
            desk.engine.stop(endpoint, slot)
    desk.engine.stop_router()


def unit(root: Path, python: str) -> str:
    """A systemd user unit that runs deployd for the workspace at ``root``."""
    code = Path(__file__).resolve().parents[2]
    return f"""\
[Unit]
Description=Model Desk deployments of {root}
After=network.target

[Service]
WorkingDirectory={code}
ExecStart={python} -m core deployd run --workspace {root}
Restart=always
RestartSec=1
KillMode=process

[Install]
WantedBy=default.target
"""


def _running(desk: Desk) -> Process | None:
    try:
        pid, birth = _lock_file(desk).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    process = Process(pid=int(pid), create_time=float(birth))
    return process if processes.alive(process) else None


def _lock_file(desk: Desk) -> Path:
    return paths.run_dir(desk.settings) / "deployd.lock"
