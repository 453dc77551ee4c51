"""What goes wrong at 3 a.m., done for real: each row of the failure table that no other test has."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from core.access import local_actor
from core.attention import overview
from core.deploy import (
    database,
    embedded,
    gates,
    haproxy_runtime,
    outbox,
    processes,
    release,
    supervisor,
    traffic,
    trials,
)
from core.deploy.observe import observe
from core.deploy.serialization import Findings
from core.deploy.supervisor import Supervisor
from core.deploy.trial import TrialState, canary
from core.deploy.types import Health, OperationState
from core.errors import Conflict, IntegrityFailure, NotFound, Refused, Unavailable
from core.registry.freezes import lift
from core.workspace import Workspace, open_workspace
from tests.cheap_workspace import EXAMPLE, KEY, MODEL, cheap_workspace, go_back, says, ship
from tests.deploy_workspace import wait_until
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """v2 is live and v1 warm behind it; every test leaves it so."""
    with cheap_workspace(tmp_path_factory.mktemp("faults"), versions=4) as ws:
        ship(ws, 1)
        ship(ws, 2)
        yield ws


@pytest.fixture(autouse=True)
def as_before(ws: Workspace) -> Iterator[None]:
    yield
    thaw(ws)
    ship(ws, 1)
    ship(ws, 2)
    assert says(ws) == 2


def thaw(ws: Workspace) -> None:
    if ws.ledger.state().freeze(MODEL, "production"):
        lift(ws, MODEL, "production", local_actor(ws.settings), "tested")


def until_served(ws: Workspace, version: int, said: list[str] | None = None) -> Supervisor:
    """deployd's rounds until ``version`` answers."""
    deployd = Supervisor(ws.deployments, (said if said is not None else []).append)

    def served() -> bool:
        deployd.safe_tick()
        return says(ws) == version

    wait_until(served)
    return deployd


@contextmanager
def load(ws: Workspace) -> Iterator[Counter[str]]:
    """A client that asks without a pause; counts answering versions and lost requests by time."""
    desk, seen, stop = ws.deployments, Counter(), threading.Event()
    endpoint = desk.store.endpoint(KEY)

    def client() -> None:
        while not stop.is_set():
            try:
                answer = desk.engine.ask(endpoint, EXAMPLE, 10)
                seen[f"v{answer.version}" if answer.status == 200 else "lost"] += 1
            except Unavailable:
                seen["lost"] += 1

    thread = threading.Thread(target=client)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def test_the_live_model_dies_and_the_previous_one_answers_within_a_second(ws: Workspace) -> None:
    victim = ws.deployments.store.endpoint(KEY).slot_of(2)
    with load(ws) as seen:
        wait_until(lambda: seen["v2"] > 20)
        os.kill(victim.process.pid, signal.SIGKILL)
        begin = time.monotonic()
        wait_until(lambda: seen["v1"] > 0)
        assert time.monotonic() - begin < 1
        wait_until(lambda: observe(ws)[0].health is Health.FAILED_OVER)
        said: list[str] = []
        until_served(ws, 2, said)
    assert seen["lost"] <= 1, "only what live had begun to answer cannot be asked again"
    assert any("v2 of risk/production had died: started again" in line for line in said)
    after = ws.deployments.store.endpoint(KEY).slot_of(2)
    assert (after.version, after.restarts) == (2, victim.restarts + 1)
    changed = ws.ledger.records(kinds=("serving_changed",))
    assert {record.actor.name for record in changed} == {"deployd"}
    said_to_answer = {(record.payload["health"], record.payload["answering_version"]) for record in changed}
    assert ("failed over", 1) in said_to_answer


def test_the_live_model_hangs_and_is_started_again(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HANGS_S", 0.5)
    monkeypatch.setattr(embedded, "PING_S", 0.3)
    monkeypatch.setattr(processes.stop, "__defaults__", (0.3,))
    victim = ws.deployments.store.endpoint(KEY).slot_of(2).process
    deployd = until_served(ws, 2)
    os.kill(victim.pid, signal.SIGSTOP)
    wait_until(lambda: says(ws) == 1)

    def replaced() -> bool:
        deployd.safe_tick()
        return ws.deployments.store.endpoint(KEY).slot_of(2).process != victim

    wait_until(replaced)
    assert not processes.alive(victim)
    until_served(ws, 2)


def test_the_router_dies_and_comes_back_with_its_weights(ws: Workspace) -> None:
    router = ws.deployments.engine._router_process()
    os.kill(router.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(router))
    said: list[str] = []
    until_served(ws, 2, said)
    assert "the router is down: starting it from the recorded state" in said
    assert observe(ws)[0].traffic == {2: 1.0}


def test_a_router_that_hangs_is_replaced_by_a_rollback(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker outlives the master and keeps the port."""
    monkeypatch.setattr(haproxy_runtime.command, "__defaults__", (0.3,))
    os.kill(haproxy_runtime.pid(ws.deployments.engine._admin), signal.SIGSTOP)
    assert go_back(ws).verified and says(ws) == 1


def test_a_cleaner_of_temporary_files_took_the_run_folder(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets, configuration and lock are gone while everything runs; the same deployd brings all of it back."""
    monkeypatch.setattr(supervisor, "HANGS_S", 0.5)
    deployd = until_served(ws, 2)
    shutil.rmtree(ws.deployments.engine.folder)
    assert says(ws) is None

    def served() -> bool:
        deployd.safe_tick()
        return says(ws) == 2 and observe(ws)[0].previous_warm

    wait_until(served)
    assert observe(ws)[0].traffic == {2: 1.0}


def test_a_model_that_dies_at_each_start_is_started_ever_less_often(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(embedded, "SERVER", "tests.cheap_server:no_such_name")
    victim, said = ws.deployments.store.endpoint(KEY).slot_of(2).process, []
    deployd, begin = Supervisor(ws.deployments, said.append), time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)

    def starts() -> int:
        deployd.safe_tick()
        assert says(ws) == 1, "the way back answers all the while"
        return sum("had died: started again" in line for line in said)

    wait_until(lambda: starts() == 4)
    assert time.monotonic() - begin > 0.2 + 0.4 + 0.8
    monkeypatch.setattr(embedded, "SERVER", "tests.cheap_server:app")
    until_served(ws, 2)


def test_a_rollback_starts_a_dead_router_itself(ws: Workspace) -> None:
    router = ws.deployments.engine._router_process()
    os.kill(router.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(router))
    assert go_back(ws).verified and says(ws) == 1


def test_a_machine_that_starts_anew_without_mlflow(ws: Workspace) -> None:
    desk, hidden = ws.deployments, ws.root / "mlflow-away"
    (ws.root / "mlflow").rename(hidden)
    try:
        for slot in desk.store.endpoint(KEY).slots:
            os.kill(slot.process.pid, signal.SIGKILL)
        os.kill(desk.engine._router_process().pid, signal.SIGKILL)
        for socket_file in desk.engine.folder.glob("*.sock"):
            socket_file.unlink()
        fresh = open_workspace(ws.root)
        until_served(fresh, 2)
        wait_until(lambda: observe(fresh)[0].previous_warm)
        assert go_back(fresh).verified and says(fresh) == 1
        assert {message.kind for message in fresh.deployments.outbox.pending()} == {"alias"}
    finally:
        hidden.rename(ws.root / "mlflow")
    words = {
        item.word
        for item in overview(open_workspace(ws.root), local_actor(ws.settings), datetime.now(UTC)).items
    }
    assert "OUT OF SYNC" not in words, "nobody moved the alias: MLflow is yet to be told"
    until_served(open_workspace(ws.root), 1)
    assert open_workspace(ws.root).registry.model(MODEL).aliases["champion"] == 1


def test_rollback_from_the_command_line_while_everything_else_is_down(ws: Workspace) -> None:
    environment = os.environ | {"MODELDESK_MLFLOW__TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
    command = [
        sys.executable,
        "-m",
        "core",
        "rollback",
        MODEL,
        "--reason",
        "night",
        "--workspace",
        str(ws.root),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "not told yet, deployd will try again" in done.stderr
    assert says(ws) == 1
    with pytest.raises(Refused, match="frozen"):
        ship(ws, 3)


def test_the_port_is_taken(ws: Workspace) -> None:
    desk = ws.deployments
    port = desk.store.endpoint(KEY).port
    desk.engine.stop_router()
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        said: list[str] = []
        Supervisor(desk, said.append).safe_tick()
        assert any(f"Port {port} of risk/production is taken" in line for line in said)
        other = free_port()
        moved = ws.settings.deploy.model_copy(update={"ports": {str(KEY): other}})
        elsewhere = Workspace(ws.settings.model_copy(update={"deploy": moved}))
        until_served(elsewhere, 2)
        assert elsewhere.deployments.store.endpoint(KEY).port == other, "the way out that was named"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_version_that_does_not_exist_is_named_before_anything_else(ws: Workspace, environment: str) -> None:
    with pytest.raises(NotFound, match="99"):
        release.plan_deploy(ws, MODEL, 99, environment)


def test_two_operators_and_a_ci_job_at_once(ws: Workspace) -> None:
    def attempt(work: Callable[[Workspace], object]) -> str:
        try:
            work(open_workspace(ws.root))
        except (Conflict, Refused) as error:
            return type(error).__name__
        return "done"

    works = (go_back, go_back, lambda own: ship(own, 3, expects=2))
    for _ in range(3):
        before = len(ws.deployments.journal.operations(KEY))
        with ThreadPoolExecutor(3) as pool:
            outcomes = list(pool.map(attempt, works))
        live = ws.deployments.store.endpoint(KEY).live_version
        assert outcomes[:2].count("done") == 1, outcomes
        assert says(ws) == live
        assert live == 1 or outcomes[2] == "done"
        operations = ws.deployments.journal.operations(KEY)
        assert not [op for op in operations if op.state is OperationState.RUNNING]
        assert len(operations) > before
        thaw(ws)
        ship(ws, 1)
        ship(ws, 2)


def test_a_locked_database_delays_a_rollback_and_changes_nothing(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.DeployDatabase, "wait_s", 0.5)
    own = open_workspace(ws.root)
    with sqlite3.connect(ws.root / "deploy.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            go_back(own)
        assert says(ws) == 2
        other.execute("ROLLBACK")
    other.close()
    assert go_back(own).verified and says(ws) == 1


def test_a_locked_ledger_does_not_hold_up_a_rollback(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is on call waited for a minute after the traffic had moved."""
    monkeypatch.setattr(outbox, "PATIENCE_S", 0.1)
    own = open_workspace(ws.root)
    with sqlite3.connect(ws.root / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert go_back(own).verified and says(ws) == 1
        waiting = own.deployments.outbox.pending(outbox.LEDGER)
        assert {message.attempts for message in waiting} == {0}, "it was not waited for until it failed"
        other.execute("ROLLBACK")
    other.close()
    outbox.deliver(own, own.deployments.outbox, outbox.LEDGER)
    assert ws.ledger.state().freeze(MODEL, "production")


def on_a_full_disk(work: Callable[[], str]) -> str:
    """What ``work`` says in a process that may not write a byte more."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            os.write(write, work().encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as said:
        return said.read()


def test_a_full_disk_refuses_and_what_serves_goes_on(ws: Workspace) -> None:
    """The next process that may write goes back."""

    def refused() -> str:
        with pytest.raises(Unavailable) as refusal:
            go_back(open_workspace(ws.root))
        return refusal.value.what

    assert on_a_full_disk(refused).startswith("The deployment database did not answer")
    assert says(ws) == 2
    assert go_back(ws).verified and says(ws) == 1


def test_deployd_outlives_a_full_disk(ws: Workspace) -> None:
    """It ended with a traceback, when the router needed it most."""
    router = ws.deployments.engine._router_process()
    os.kill(router.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(router))

    def looked() -> str:
        said: list[str] = []
        Supervisor(open_workspace(ws.root).deployments, said.append).safe_tick()
        return said[-1]

    assert on_a_full_disk(looked).startswith("will try again: The disk does not take what is written")
    until_served(ws, 2)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(days=2)], ids=["back", "forward"])
def test_a_clock_that_jumps_does_not_stop_a_rollback(ws: Workspace, jump: timedelta) -> None:
    if says(ws) != 3:
        ship(ws, 3)
    assert go_back(ws, to="2").to_version == 2
    processes_before = [slot.process for slot in ws.deployments.store.endpoint(KEY).slots]
    ages = [processes.age_s(process) for process in processes_before]
    with time_machine.travel(datetime.now(UTC) + jump, tick=True):
        thaw(ws)
        assert all(processes.alive(process) for process in processes_before)
        assert all(
            0 <= processes.age_s(p) - age < 60 for p, age in zip(processes_before, ages, strict=True)
        ), "one that is still starting is neither called hung nor given hours"
        assert go_back(ws, to="3").verified and says(ws) == 3
        assert ws.deployments.journal.operations(KEY, limit=1)[0].to_version == 3
        deployd = Supervisor(ws.deployments, lambda said: None)
        deployd.tick()
    now = ws.deployments.store.endpoint(KEY)
    assert {slot.process for slot in now.slots} <= set(processes_before)


def test_a_changed_byte_in_the_cache_is_never_started(ws: Workspace) -> None:
    desk = ws.deployments
    endpoint = desk.store.endpoint(KEY)
    slot = endpoint.slot_of(1)
    file = slot.artifact.directory / "model.skops"
    good = file.read_bytes()
    file.write_bytes(good + b"x")
    os.kill(slot.process.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(slot.process))
    try:
        said: list[str] = []
        Supervisor(desk, said.append).safe_tick()
        assert any("changed: digest" in line for line in said)
        with pytest.raises(IntegrityFailure, match=r"v1 cannot serve: .*changed"):
            go_back(ws, to="1")
        assert says(ws) == 2
    finally:
        file.write_bytes(good)


def test_a_warm_switch_waits_for_the_disk_once(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between command and proof: one commit that is on disk (the decision), and few statements in all."""
    desk, asked, until_proof = ws.deployments, [], []
    engines = (desk.database.engine, ws.ledger.database.engine)
    monkeypatch.setattr(traffic, "keep", lambda desk: until_proof.append(tuple(asked)))

    def hear(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        for act in (lambda: ship(ws, 1), lambda: go_back(ws)):
            act()
            asked.clear()
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", hear)
    assert [statements.count("PRAGMA synchronous=FULL") for statements in until_proof] == [1, 1]
    assert max(map(len, until_proof)) <= 30


def test_a_cold_target_is_started_and_said_to_be_cold(ws: Workspace) -> None:
    from core.deploy.rollback import plan_rollback

    ship(ws, 3)
    ship(ws, 2)
    desk = ws.deployments
    endpoint = desk.store.endpoint(KEY)
    assert endpoint.slot_of(1) is None or not desk.engine.alive(endpoint, endpoint.slot_of(1))
    plan = plan_rollback(desk, MODEL, "production", "1")
    assert not plan.target.warm and "It is cold" in plan.steps[0]
    done = go_back(ws, to="1")
    assert [step.name for step in done.steps] == ["start", "switch", "verify"]
    assert says(ws) == 1


def test_what_deployd_read_earlier_does_not_undo_a_rollback(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """deployd reads the state, a rollback is decided and switched, deployd goes on with what it read."""
    desk = ws.deployments
    stale = desk.store.endpoints()
    assert go_back(ws).verified
    read = iter([stale])
    fresh = desk.store.endpoints
    monkeypatch.setattr(desk.store, "endpoints", lambda: next(read, None) or fresh())
    traffic.settle(desk)
    monkeypatch.undo()
    assert says(ws) == 1 and observe(ws)[0].traffic == {1: 1.0}


def test_an_untold_freeze_binds_all_the_same(ws: Workspace) -> None:
    """The ledger could not be written when the rollback ended; the next deployment tells it first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "deliver", lambda *args: ())
        go_back(ws)
    assert not ws.ledger.state().freeze(MODEL, "production")
    with pytest.raises(Refused, match="frozen"):
        ship(ws, 3)
    assert says(ws) == 1


def test_what_was_approved_is_what_is_served(ws: Workspace) -> None:
    """An approval names the digest of its files; a warm slot that holds other files is no substitute."""
    from core.deploy import rollout
    from core.registry.gatekeeper import Basis

    approved = Basis("approved", "r1", 1, sha256="0" * 64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollout, "basis_for", lambda *args: approved)
        for version in (1, 3):  # warm, cold
            with pytest.raises(IntegrityFailure, match="not those that were approved"):
                ship(ws, version)
    assert says(ws) == 2


def test_a_candidate_that_was_allowed_to_run_code_is_started_again_for_the_next_step(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who began the trial allowed the code; the step after a crash starts the same files by the same leave."""
    monkeypatch.setattr(gates, "inspect", lambda folder: Findings(pickles=("model.pkl",)))
    desk, me = ws.deployments, local_actor(ws.settings)
    plan = release.plan_deploy(ws, MODEL, 3, "production", trial=canary(10), allow_code=True)
    release.carry_out(ws, plan, me, "tried")
    trial = trials.store_of(desk).needed(KEY)
    endpoint = desk.store.endpoint(KEY)
    with pytest.raises(Conflict, match="a trial shares its traffic"):
        ship(ws, 4, allow_code=True)
    processes.stop(endpoint.slot_of(3).process, 0.1)
    after = trials.advance(desk, trial, me)
    assert after.share == 25 and desk.engine.alive(endpoint, desk.store.endpoint(KEY).slot_of(3))
    assert not trials.abort(desk, after, me, "seen enough").open


def test_deployd_looks_while_somebody_aborts_a_trial(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took the trial for one that another operation had ended, and told the person of a conflict."""
    desk, me, store = ws.deployments, local_actor(ws.settings), trials.store_of(ws.deployments)
    release.carry_out(
        ws, release.plan_deploy(ws, MODEL, 3, "production", trial=canary(10)), me, "is it safe?"
    )
    seen, verify = store.needed(KEY), traffic.verify

    def look() -> None:
        trials.tick(desk, print, datetime.now(UTC) + timedelta(minutes=1))

    def verify_and_look(*args: object) -> str:
        proof = verify(*args)
        look()
        return proof

    look()
    assert store.needed(KEY).look is not None
    monkeypatch.setattr(traffic, "verify", verify_and_look)
    assert trials.abort(desk, seen, me, "odd scores").state is TrialState.ABORTED
    assert ws.ledger.records(kinds=("trial_ended",))[-1].payload["outcome"] == "aborted"
    with pytest.raises(Conflict, match="has no share of the traffic any more"):
        trials.advance(desk, seen, me)
    assert observe(ws)[0].traffic == {2: 1.0} and store.of(KEY) is None


def test_the_unit_names_this_workspace(ws: Workspace) -> None:
    command = [sys.executable, "-m", "core", "deployd", "unit", "--workspace", str(ws.root)]
    text = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True).stdout
    assert f"ExecStart={sys.executable} -m core deployd run --workspace {ws.root}" in text
    assert "KillMode=process" in text and "Restart=always" in text


def test_a_pre_empted_deployment_says_so(ws: Workspace) -> None:
    """A rollback during the watch after a switch wins; the deployment is told, and changes nothing after it."""
    own = open_workspace(ws.root)
    patient = own.settings.deploy.model_copy(update={"bake_s": 20.0})
    baking = Workspace(own.settings.model_copy(update={"deploy": patient}))
    with ThreadPoolExecutor(1) as pool:
        deployment = pool.submit(ship, baking, 3)
        wait_until(lambda: says(ws) == 3)
        assert go_back(ws, to="2").verified
        with pytest.raises(Conflict, match="rollback of risk/production took over"):
            deployment.result(20)
    assert says(ws) == 2
