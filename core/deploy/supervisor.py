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
from core.deploy import leftovers, outbox, paths, processes, served_files, smoke, traffic, trials
from core.deploy.desk import Desk
from core.deploy.lookout import Lookout
from core.deploy.types import Endpoint, EndpointKey, Process, Slot, SlotName
from core.deploy.witness import Witness
from core.errors import Conflict, ModelDeskError

TICK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
TELL_EVERY_S = 10.0
HANGS_S = 15.0


class Supervisor:
    """One round of looking after everything is :meth:`tick`; :meth:`run` repeats it."""

    def __init__(self, desk: Desk, say: Callable[[str], None]) -> None:
        self._desk = desk
        self._say = say
        self._pauses: dict[tuple[EndpointKey, SlotName], tuple[float, float]] = {}
        self._answered: dict[tuple[EndpointKey, SlotName], float] = {}
        self._swept = False
        self._witness = Witness(desk)
        self._told_at = 0.0
        self._pruned_on: date | None = None
        self._lookout = Lookout(desk.settings, say)
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
            self._lookout.stop()
            if stop_endpoints and not served_before:
                stop_endpoints_of(self._desk)
                self._say("models and router are stopped; what was live stays recorded")

    def safe_tick(self) -> None:
        """A round whose failure is said and survived: the database may be locked, the disk full."""
        try:
            self.tick()
        except (ModelDeskError, OSError) as error:
            self._say(f"will try again: {error}")

    def tick(self) -> None:
        """Settle what a dead process left behind, restart what died or hangs, keep the router, tell the outbox."""
        orphans = self._desk.journal.abort_orphans()
        self._keep_router()
        for operation in orphans:
            self._say(leftovers.settle(self._desk, operation))
        endpoints = self._desk.store.endpoints()
        if orphans or not self._swept:
            self._desk.engine.drop_strays(endpoints, self._busy)
            self._swept = True
        busy = self._busy()
        for endpoint in endpoints:
            for slot in endpoint.slots:
                if endpoint.key not in busy:
                    self._look_after(endpoint, slot)
        self._keep_router()
        for said in self._witness.look(endpoints):
            self._say(said)
        trials.tick(self._desk, self._say, datetime.now(UTC))
        self._tell()
        self._prune(endpoints)
        self._lookout.tick()

    def _busy(self) -> frozenset[EndpointKey]:
        return frozenset(operation.key for operation in self._desk.journal.running())

    def _look_after(self, endpoint: Endpoint, slot: Slot) -> None:
        place = (endpoint.key, slot.name)
        if self._desk.engine.alive(endpoint, slot):
            self._answered[place] = time.monotonic()
            self._pauses.pop(place, None)
            return
        ended = self._desk.engine.ended(endpoint, slot)
        if not ended and not self._hangs(place, slot):
            return
        due, pause = self._pauses.get(place, (0.0, FIRST_PAUSE_S))
        if time.monotonic() < due or endpoint.key in self._busy():
            return
        self._pauses[place] = (time.monotonic() + pause, min(LONGEST_PAUSE_S, pause * 2))
        self._start_again(endpoint, slot, "had died" if ended else "hung")

    def _hangs(self, place: tuple[EndpointKey, SlotName], slot: Slot) -> bool:
        """Runs and has not answered for too long; one that is still starting is given more time."""
        answered = self._answered.get(place)
        if answered is not None:
            return time.monotonic() - answered > HANGS_S
        if slot.process is not None:
            return processes.age_s(slot.process) > smoke.START_S
        return (datetime.now(UTC) - slot.started_at).total_seconds() > smoke.START_S

    def _start_again(self, endpoint: Endpoint, slot: Slot, why: str) -> None:
        tree.check_artifact(slot.artifact)
        processes.stop(slot.process)
        process = self._desk.engine.start(endpoint, slot.name, slot.version, slot.artifact)
        self._answered.pop((endpoint.key, slot.name), None)
        restarts = slot.restarts + bool(slot.process)
        after = replace(slot, process=process, started_at=datetime.now(UTC), restarts=restarts)
        if self._desk.store.replace_process(endpoint.key, slot, after):
            was = f"{why}: started again" if slot.process else "is started"
            self._say(f"v{slot.version} of {endpoint.key} {was}")
        else:
            processes.stop(process)  # an operation took the slot meanwhile

    def _keep_router(self) -> None:
        endpoints = self._desk.store.endpoints()
        if not endpoints:
            return
        if not self._desk.engine.router_alive():
            self._say("the router is down: starting it from the recorded state")
            traffic.settle(self._desk)
        elif self._desk.engine.write_config(endpoints):
            traffic.settle(self._desk)

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
            folder = served_files.folder_of(self._desk.settings, endpoint.key)
            if gone := served_files.prune(folder, keep, today):
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
