"""Deployments on the real engine: HAProxy, MLflow scoring servers, real models, requests over loopback."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import pytest

from core.access import Actor, local_actor
from core.deploy.desk import Desk
from core.deploy.gates import Verdict
from core.deploy.observe import observe
from core.deploy.outbox import deliver
from core.deploy.rollback import plan_rollback, rollback
from core.deploy.rollout import deploy, plan_deploy
from core.deploy.smoke import Failed, smoke_tests
from core.deploy.types import EndpointKey, Health, Operation, OperationState
from core.errors import BadInput, Conflict, IntegrityFailure, Refused
from core.ledger.events import FreezeLifted
from core.workspace import Workspace
from tests.deploy_workspace import (
    EATS_MEMORY,
    HANGS,
    MODEL,
    NEW_COLUMN,
    NO_SIGNATURE,
    PICKLED,
    RUNS_CODE,
    RUNS_CODE_MARK,
    make_workspace,
    stop_all,
    wait_until,
)

pytestmark = pytest.mark.slow
KEY = EndpointKey(MODEL, "production")


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace whose tests tell one story, in the order of the file."""
    ws = make_workspace(tmp_path_factory.mktemp("serving"))
    yield ws
    stop_all(ws)


@pytest.fixture(scope="module")
def desk(ws: Workspace) -> Desk:
    return ws.deployments


@pytest.fixture(scope="module")
def actor(ws: Workspace) -> Actor:
    return local_actor(ws.settings)


def ship(desk: Desk, actor: Actor, version: int, **options: object) -> Operation:
    key = options.pop("idempotency_key", None)
    plan = plan_deploy(desk, MODEL, version, "production", **options)
    return deploy(desk, plan, actor, "test", key)


def says(desk: Desk) -> int | None:
    return desk.engine.ask(desk.store.endpoint(KEY), None, 2.0).version


def thaw(ws: Workspace, actor: Actor) -> None:
    ws.ledger.append(FreezeLifted(model=MODEL, environment="production", reason="tested"), actor)


@contextmanager
def load(desk: Desk, every_s: float = 0.01) -> Iterator[Counter]:
    """Requests with the input example from two clients; counts (status, version)."""
    endpoint, seen, stop = desk.store.endpoint(KEY), Counter(), threading.Event()
    payload = {"dataframe_split": {"columns": _columns(desk), "data": [[14.0, 20.0, 90.0, 600.0]]}}

    def client() -> None:
        while not stop.is_set():
            try:
                answer = desk.engine.ask(endpoint, payload, 20.0)
                seen[answer.status, answer.version] += 1
            except Exception as error:  # noqa: BLE001 - every failure counts as a lost request
                seen[type(error).__name__, None] += 1
            time.sleep(every_s)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in clients:
            thread.join()


def _columns(desk: Desk) -> list[str]:
    from core.deploy.model_files import read_model_file

    endpoint = desk.store.endpoint(KEY)
    return [c.name for c in read_model_file(endpoint.slot(endpoint.live).artifact.directory).columns]


def test_a_first_version_goes_live_and_is_read_back(ws: Workspace, desk: Desk, actor: Actor) -> None:
    operation = ship(desk, actor, 1)
    assert operation.state is OperationState.DONE and operation.verified
    assert operation.steps[0].name == "fetch"
    assert says(desk) == 1
    assert deliver(ws, desk.outbox) == ()
    assert ws.registry.model(MODEL).aliases["champion"] == 1
    (record,) = ws.ledger.records(kinds=("deployed",))
    assert record.payload["verified"] is True and record.payload["to_version"] == 1
    assert "serialization: PASS, only trusted types, no pickle, no code" in record.payload["steps"]


def test_a_second_version_keeps_the_first_warm(desk: Desk, actor: Actor, ws: Workspace) -> None:
    assert ship(desk, actor, 2, expects=1).from_version == 1
    (status,) = observe(ws)
    assert (status.live_version, status.serving_says, status.health) == (2, 2, Health.HEALTHY)
    assert (status.previous_version, status.previous_warm) == (1, True)
    assert status.traffic == {2: 1.0}


def test_smoke_tests_ask_for_what_matters(desk: Desk) -> None:
    endpoint = desk.store.endpoint(KEY)
    slot = endpoint.slot_of(1)
    golden = desk.store.golden(slot.artifact.sha256)
    assert len(golden) == 3
    found = {check.name: check for check in smoke_tests(desk.engine, endpoint, slot, golden).checks}
    assert {check.verdict for check in found.values()} == {Verdict.PASS}
    assert list(found) == [
        "replay",
        "golden answer",
        "replay against live",
        "probabilities",
        "missing column",
        "latency",
    ]
    assert found["probabilities"].detail == "3 rows sum to 1 over 2 classes"
    other = smoke_tests(desk.engine, endpoint, slot, [1 - label for label in golden])
    assert [check.name for check in other.checks if check.verdict is Verdict.FAIL] == ["golden answer"]


def test_probabilities_are_no_public_route(desk: Desk) -> None:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with pytest.raises(HTTPError, match="404"):
        urlopen(f"http://127.0.0.1:{desk.store.endpoint(KEY).port}/probabilities", b"{}", timeout=5)


def test_a_stale_expectation_changes_nothing(desk: Desk, actor: Actor) -> None:
    with pytest.raises(Conflict, match="v7 was expected"):
        ship(desk, actor, 3, expects=7)
    assert says(desk) == 2


def test_the_same_key_deploys_once(desk: Desk, actor: Actor) -> None:
    first = ship(desk, actor, 2, idempotency_key="job-1")
    again = ship(desk, actor, 2, idempotency_key="job-1")
    assert again.id == first.id and again.repeated
    with pytest.raises(Conflict, match="key was used before"):
        ship(desk, actor, 3, idempotency_key="job-1")


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (NO_SIGNATURE, "no signature"),
        (PICKLED, "loading would run code: pickle in"),
        (NEW_COLUMN, "new required: mean smoothness"),
    ],
)
def test_what_a_gate_refuses_is_never_started(desk: Desk, actor: Actor, version: int, why: str) -> None:
    slots = desk.store.endpoint(KEY).slots
    with pytest.raises(Failed, match=why) as failure:
        ship(desk, actor, version)
    assert "In production v2 is still live" in failure.value.what
    assert failure.value.exit_code == 3
    assert desk.store.endpoint(KEY).slots == slots
    assert says(desk) == 2


def test_a_model_that_hangs_never_gets_traffic(
    desk: Desk, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.deploy.smoke.ANSWER_S", 2.0)
    with pytest.raises(Failed, match="first request was not answered"):
        ship(desk, actor, HANGS, allow_code=True)
    endpoint = desk.store.endpoint(KEY)
    assert endpoint.slot_of(HANGS) is None
    assert says(desk) == 2
    assert desk.journal.operations(KEY, limit=1)[0].state is OperationState.FAILED


def test_a_model_that_eats_memory_stops_at_its_limit(ws: Workspace, desk: Desk, actor: Actor) -> None:
    small = ws.settings.deploy.model_copy(update={"memory_mb": 1024})
    limited = Workspace(ws.settings.model_copy(update={"deploy": small})).deployments
    with pytest.raises(Failed, match="The first request was answered with 400") as failure:
        ship(limited, actor, EATS_MEMORY, allow_code=True)
    assert "v2 is still live" in failure.value.what and says(desk) == 2
    assert desk.store.endpoint(KEY).slot_of(EATS_MEMORY) is None


def test_code_in_a_pickle_never_runs_before_its_gate_passed(desk: Desk, actor: Actor) -> None:
    marker = Path(gettempdir()) / RUNS_CODE_MARK
    marker.unlink(missing_ok=True)
    with pytest.raises(Failed, match=r"loading would run code: pickle in model.pkl \(names .*write_text"):
        ship(desk, actor, RUNS_CODE)
    assert not marker.exists()
    assert desk.store.endpoint(KEY).slot_of(RUNS_CODE) is None


def test_what_breaks_while_it_is_watched_goes_back(ws: Workspace, desk: Desk, actor: Actor) -> None:
    baking = ws.settings.deploy.model_copy(update={"bake_s": 20.0})
    patient = Workspace(ws.settings.model_copy(update={"deploy": baking})).deployments
    before = desk.store.endpoint(KEY)
    victim = before.slot_of(1).process.pid

    def watched() -> bool:
        newest = desk.journal.operation(desk.journal.operations(KEY, limit=1)[0].id)
        return newest.state is OperationState.RUNNING and any(step.name == "bake" for step in newest.steps)

    killer = threading.Thread(target=lambda: (wait_until(watched, 60), os.kill(victim, 9)))
    killer.start()
    with pytest.raises(Failed, match=r"v1 went down .* In production v2 is still live; traffic went back"):
        ship(patient, actor, 1)
    killer.join()
    after = desk.store.endpoint(KEY)
    assert (after.live, after.weights, says(desk)) == (before.live, before.weights, 2)
    assert desk.store.served(KEY)[0].version == 2
    assert ws.ledger.records(kinds=("operation_failed",))[-1].payload["to_version"] == 1
    for version in (1, 2):  # the way back is warm again
        ship(desk, actor, version)


def test_switches_under_load_lose_no_request(desk: Desk, actor: Actor) -> None:
    with load(desk) as seen:
        for version in (1, 2) * 5:
            assert ship(desk, actor, version).verified
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {1, 2}


def test_rollback_is_quick_verified_and_freezes(ws: Workspace, desk: Desk, actor: Actor) -> None:
    plan = plan_rollback(desk, MODEL, "production")
    assert plan.target.version == 1 and plan.target.warm
    with pytest.raises(BadInput, match="needs a reason"):
        rollback(desk, plan, actor, " ")
    operation = rollback(desk, plan, actor, "wrong scores")
    assert operation.verified and says(desk) == 1
    assert operation.command_to_switch < 1
    with pytest.raises(Refused, match="are frozen since"):
        ship(desk, actor, 3)


def test_a_second_rollback_is_told_who_did_it(desk: Desk, actor: Actor) -> None:
    with pytest.raises(Conflict, match=r"Already done by \w+ 0 s ago: v1 is live"):
        rollback(desk, plan_rollback_or_same(desk), actor, "wrong scores")
    with pytest.raises(Conflict, match="Already done by"):
        plan_rollback(desk, MODEL, "production")
    assert says(desk) == 1


def plan_rollback_or_same(desk: Desk) -> object:
    """The plan that a second tab still shows."""
    from dataclasses import replace

    from core.deploy.rollback import RollbackTarget

    plan = plan_rollback(desk, MODEL, "production", to="2")
    served = desk.store.served(KEY)[0]
    same = RollbackTarget(version=1, served=served, warm=True)
    return replace(plan, from_version=2, target=same, asked_for="last-good")


def test_a_canary_shares_traffic_and_rolls_back_to_live(ws: Workspace, desk: Desk, actor: Actor) -> None:
    thaw(ws, actor)
    assert ship(desk, actor, 3, share=30).verified
    (status,) = observe(ws)
    assert status.live_version == 1 and status.traffic == {1: 0.7, 3: 0.3}
    assert rollback(desk, plan_rollback(desk, MODEL, "production"), actor, "slower").to_version == 1
    assert observe(ws)[0].traffic == {1: 1.0}
    thaw(ws, actor)


def test_changed_files_are_refused(ws: Workspace, desk: Desk, actor: Actor) -> None:
    folder = ws.registry.folder(MODEL, 2)
    (folder / "requirements.txt").write_text("scikit-learn\nsomething-else\n")
    endpoint = desk.store.endpoint(KEY)
    slot = endpoint.slot_of(2)
    if slot is not None:
        desk.engine.stop(endpoint, slot)
    with pytest.raises(IntegrityFailure, match="not those that served before"):
        ship(desk, actor, 2)
    assert says(desk) == 1
