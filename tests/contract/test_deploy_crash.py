"""kill -9 at every step: of the process that deploys, of the router, of the model that is live.

Afterwards a new deployd looks after the workspace. Either the old or the new version serves, never neither, and
journal and ledger say which.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.deploy import processes, smoke, traffic
from core.deploy.desk import Desk
from core.deploy.embedded import EmbeddedEngine
from core.deploy.journal import Journal
from core.deploy.store import Store
from core.deploy.supervisor import Supervisor, running_pid
from core.deploy.types import OperationState, SlotName
from core.errors import ModelDeskError
from core.workspace import Workspace, open_workspace
from tests.cheap_workspace import KEY, MODEL, cheap_workspace, go_back, says, ship
from tests.deploy_workspace import wait_until

BEFORE_THE_DECISION = {
    "begun": (Journal, "begin"),
    "fetched": (Desk, "fetch"),
    "started, not recorded": (EmbeddedEngine, "start"),
    "recorded": (Store, "put_slot"),
    "known to the router": (traffic, "settle"),
    "healthy": (smoke, "wait_healthy"),
    "smoke tested": (smoke, "smoke_tests"),
}
AFTER_THE_DECISION = {
    "decided": (Journal, "decide"),
    "switched": (traffic, "switch"),
    "verified": (traffic, "verify"),
    "written down": (traffic, "keep"),
    "finished": (Journal, "finish_verified"),
}
STEPS = BEFORE_THE_DECISION | AFTER_THE_DECISION


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with cheap_workspace(tmp_path_factory.mktemp("crash")) as ws:
        ship(ws, 1)
        yield ws


@pytest.fixture
def versions(ws: Workspace) -> tuple[int, int]:
    """(live, candidate), the candidate cold: what the last test left is put in order first."""
    endpoint = ws.deployments.store.endpoint(KEY)
    live = endpoint.live_version
    candidate = 3 - live
    slot = endpoint.slot_of(candidate)
    if slot is not None:
        ws.deployments.store.clear_slot(KEY, slot.name)
        ws.deployments.engine.stop(endpoint, slot)
    assert says(ws) == live
    return live, candidate


def after(step: str, act: Callable[[], None]) -> pytest.MonkeyPatch:
    """Do ``act`` once, right after ``step``."""
    owner, name = STEPS[step]
    original, patch = getattr(owner, name), pytest.MonkeyPatch()

    def stepped(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        patch.undo()
        act()
        return result

    patch.setattr(owner, name, stepped)
    return patch


def killed_in(root: Any, step: str, work: Callable[[Workspace], object]) -> None:
    """Do ``work`` in a process of its own that is killed right after ``step``."""
    pid = os.fork()
    if pid == 0:
        try:
            after(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
            work(open_workspace(root))
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def looked_after(ws: Workspace) -> Workspace:
    """A new deployd has looked once; the workspace as somebody opens it then."""
    fresh = open_workspace(ws.root)
    Supervisor(fresh.deployments, lambda said: None).tick()
    return fresh


def strays(ws: Workspace) -> list[int]:
    """Scoring servers of this workspace that no slot knows."""
    desk = ws.deployments
    endpoint = desk.store.endpoint(KEY)
    known = {slot.process.pid for slot in endpoint.slots}
    sockets = [str(desk.engine._socket(endpoint, name)) for name in SlotName]
    running = {process.pid for socket in sockets for process in processes.with_argument(socket)}
    return sorted(running - known)


@pytest.mark.parametrize("step", STEPS)
def test_the_process_that_deploys_is_killed(ws: Workspace, versions: tuple[int, int], step: str) -> None:
    live, candidate = versions
    killed_in(ws.root, step, lambda own: ship(own, candidate))
    assert says(ws) in versions, "an endpoint must answer before anybody looks after it"
    fresh = looked_after(ws)
    now = candidate if step in AFTER_THE_DECISION else live
    assert says(fresh) == now
    assert fresh.deployments.store.endpoint(KEY).live_version == now
    (operation,) = fresh.deployments.journal.operations(KEY, limit=1)
    done = now == candidate
    assert operation.state is (OperationState.DONE if done else OperationState.ABORTED)
    assert operation.verified is done
    deployed = fresh.ledger.records(kinds=("deployed",))[-1].payload
    assert (deployed["to_version"], deployed["verified"]) == (now, True)
    assert fresh.registry.model(MODEL).aliases["champion"] == now
    assert strays(fresh) == []


@pytest.mark.parametrize("step", ["decided", "switched", "written down"])
def test_the_process_that_rolls_back_is_killed(ws: Workspace, step: str) -> None:
    live = ws.deployments.store.endpoint(KEY).live_version
    for version in (3 - live, live):
        ship(ws, version)
    killed_in(ws.root, step, lambda own: go_back(own, to=str(3 - live)))
    assert says(ws) in (1, 2)
    fresh = looked_after(ws)
    assert says(fresh) == 3 - live
    assert fresh.deployments.journal.operations(KEY, limit=1)[0].state is OperationState.DONE
    back = fresh.ledger.records(kinds=("rolled_back",))[-1].payload
    assert (back["to_version"], back["verified"]) == (3 - live, True)
    from core.access import local_actor
    from core.registry.freezes import lift

    lift(fresh, MODEL, "production", local_actor(fresh.settings), "tested")


def begun_deployd(ws: Workspace) -> int:
    """The pid of a deployd that looks after the workspace beside this process."""
    pid = os.fork()
    if pid == 0:
        try:
            Supervisor(open_workspace(ws.root).deployments, lambda said: None).run()
        finally:
            os._exit(1)
    wait_until(lambda: running_pid(ws.deployments) == pid)
    return pid


@pytest.mark.parametrize("victim", ["router", "live model", "deployd"])
@pytest.mark.parametrize("step", STEPS)
def test_what_serves_or_looks_after_it_is_killed_during_a_deployment(
    ws: Workspace, versions: tuple[int, int], step: str, victim: str
) -> None:
    live, candidate = versions
    desk = ws.deployments
    pid = {
        "router": lambda: desk.engine._router_process().pid,
        "live model": lambda: desk.store.endpoint(KEY).slot_of(live).process.pid,
        "deployd": lambda: begun_deployd(ws),
    }[victim]()
    patch = after(step, lambda: os.kill(pid, signal.SIGKILL))
    try:
        ship(ws, candidate)
    except ModelDeskError as error:
        assert "is still live" in error.what
    finally:
        patch.undo()
        if victim == "deployd":
            os.waitpid(pid, 0)
    supervisor = Supervisor(desk, lambda said: None)

    def served() -> bool:
        supervisor.safe_tick()
        return says(ws) == desk.store.endpoint(KEY).live_version

    wait_until(served)
    now = desk.store.endpoint(KEY).live_version
    assert now in versions
    supervisor.safe_tick()
    assert open_workspace(ws.root).ledger.records(kinds=("deployed",))[-1].payload["to_version"] == now


def test_deployd_is_killed_and_the_next_one_adopts_what_runs(ws: Workspace) -> None:
    import subprocess
    import sys

    def deployd() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "core", "deployd", "run", "--workspace", str(ws.root)]
        started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert "looks after" in started.stderr.readline()
        return started

    desk = ws.deployments
    before = desk.store.endpoint(KEY)
    first = deployd()
    first.kill()
    first.wait()
    assert says(ws) == before.live_version
    second = deployd()
    try:
        third = subprocess.run(second.args, capture_output=True, text=True, timeout=60)
        assert third.returncode == 7 and f"process {second.pid}" in third.stderr
        assert [slot.process for slot in desk.store.endpoint(KEY).slots] == [s.process for s in before.slots]
        assert says(ws) == before.live_version
    finally:
        second.terminate()
        second.wait(20)
    assert says(ws) == before.live_version
