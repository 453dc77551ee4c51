"""One contract for every serving engine: start, ask, split, switch, observe, survive a lost router, stop."""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest

from core.access import local_actor
from core.deploy import paths, release, served_files, trials
from core.deploy.desk import Desk
from core.deploy.drill import drill, last_drill, plan_drill
from core.deploy.rollback import plan_rollback, rollback
from core.deploy.rollout import deploy, plan_deploy
from core.deploy.smoke import Failed
from core.deploy.supervisor import Supervisor
from core.deploy.trial import TrafficRules, TrialSpec, TrialState
from core.deploy.types import EndpointKey
from core.workspace import Workspace, open_workspace
from tests.deploy_workspace import MODEL, NO_SIGNATURE, make_workspace, stop_all, wait_until
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
RAY = Path(os.environ.get("MODELDESK_RAY", ROOT / ".venv-ray" / "bin" / "ray"))
TOKEN = secrets.token_hex(32)
KEY = EndpointKey(MODEL, "production")

pytestmark = pytest.mark.slow


class Embedded:
    """The engine of this machine."""

    def open(self, root: Path) -> Workspace:
        return make_workspace(root)

    def address(self, desk: Desk) -> str:
        """Where callers send their requests."""
        return f"http://127.0.0.1:{desk.store.endpoint(KEY).port}"

    def lose_router(self, desk: Desk) -> None:
        desk.engine.stop_router()

    def close(self, ws: Workspace) -> None:
        stop_all(ws)


class Ray:
    """The Ray engine on a head of its own, on loopback."""

    def open(self, root: Path) -> Workspace:
        if not RAY.exists():
            pytest.skip("Ray is not installed (make test-ray installs it)")
        self._root = root
        self._ports = {name: free_port() for name in ("gcs", "api", "agent", "http")}
        self._start()
        make_workspace(root, engine="ray")
        with (root / "modeldesk.toml").open("a") as stream:
            stream.write(f'[deploy.ray]\naddress = "http://127.0.0.1:{self._ports["api"]}"\n')
            stream.write(f'token = "{TOKEN}"\n')
            stream.write(f'serve_address = "http://127.0.0.1:{self._ports["http"]}"\n')
        return open_workspace(root)

    def address(self, desk: Desk) -> str:
        """Where callers send their requests."""
        return f"http://127.0.0.1:{self._ports['http']}/{paths.endpoint_id(KEY)}"

    def lose_router(self, desk: Desk) -> None:
        """The head dies with everything that it held in memory, and comes back empty."""
        self._stop()
        self._start()

    def close(self, ws: Workspace) -> None:
        self._stop()

    def _start(self) -> None:
        ports = self._ports
        command = [str(RAY), "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--num-cpus=16"]
        command += [
            f"--port={ports['gcs']}",
            f"--dashboard-port={ports['api']}",
            "--dashboard-host=127.0.0.1",
        ]
        command += [f"--dashboard-agent-listen-port={ports['agent']}", "--object-store-memory=200000000"]
        command += ["--disable-usage-stats", f"--temp-dir=/tmp/mdray-{os.getpid()}"]
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_SERVE_DEFAULT_HTTP_PORT": str(ports["http"]),
        }
        with (self._root / "ray.log").open("ab") as log:
            self._head = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        url = f"http://127.0.0.1:{ports['api']}/api/serve/applications/"
        wait_until(lambda: self._configured(url), 240)

    def _configured(self, url: str) -> bool:
        """Serve's proxy takes its port from the first configuration that it gets."""
        import httpx

        options = {
            "proxy_location": "HeadOnly",
            "http_options": {"host": "127.0.0.1", "port": self._ports["http"]},
        }
        try:
            asked = {"json": options | {"applications": []}, "headers": {"Authorization": f"Bearer {TOKEN}"}}
            return httpx.put(url, timeout=60, **asked).status_code == 200
        except httpx.HTTPError:
            return False

    def _stop(self) -> None:
        import psutil

        head = psutil.Process(self._head.pid)
        family = [*head.children(recursive=True), head]
        for process in family:
            with suppress(psutil.NoSuchProcess):  # one that its parent took along
                process.kill()
        psutil.wait_procs(family, 20)
        self._head.wait()


@pytest.fixture(scope="module", params=[Embedded, pytest.param(Ray, marks=pytest.mark.ray)])
def place(request: pytest.FixtureRequest) -> Embedded | Ray:
    return request.param()


@pytest.fixture(scope="module")
def ws(place: Embedded | Ray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace; the tests tell one story in the order of the file."""
    ws = place.open(tmp_path_factory.mktemp("engine"))
    yield ws
    place.close(ws)


@pytest.fixture(scope="module")
def desk(ws: Workspace) -> Desk:
    return ws.deployments


def ship(desk: Desk, version: int, **options: object) -> None:
    plan = plan_deploy(desk, MODEL, version, "production", **options)
    operation = deploy(desk, plan, local_actor(desk.settings), "test")
    assert operation.verified


def example(desk: Desk) -> dict:
    from core.deploy.model_files import example_request

    endpoint = desk.store.endpoint(KEY)
    return dict(example_request(endpoint.slot(endpoint.live).artifact.directory))


def caller(place: Embedded | Ray, desk: Desk, body: dict, headers: dict[str, str]) -> httpx.Response:
    """One request from outside."""
    return httpx.post(f"{place.address(desk)}/invocations", json=body, headers=headers, timeout=30)


def logged(desk: Desk) -> pd.DataFrame:
    """The rows of the prediction log so far."""
    files = served_files.own_files(served_files.folder_of(desk.settings, KEY))
    return pd.concat([pd.DataFrame({"model_version": []}), *map(pd.read_parquet, files)], ignore_index=True)


def test_a_version_is_started_asked_and_switched_to(desk: Desk) -> None:
    ship(desk, 1)
    endpoint = desk.store.endpoint(KEY)
    answer = desk.engine.ask(endpoint, example(desk), 20)
    assert (answer.status, answer.version, len(answer.body["predictions"])) == (200, 1, 3)
    found = desk.engine.probabilities(endpoint, endpoint.live, example(desk), 20)
    assert found.body["classes"] == [0, 1] and len(found.body["predictions"]) == 3
    assert not desk.engine.write_config(desk.store.endpoints())


def test_a_request_that_the_model_refuses_is_no_failure_of_the_engine(desk: Desk) -> None:
    broken = {"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}
    assert desk.engine.ask(desk.store.endpoint(KEY), broken, 20).status == 400


def test_a_second_version_takes_over_and_the_first_stays_warm(desk: Desk) -> None:
    ship(desk, 2)
    endpoint = desk.store.endpoint(KEY)
    assert desk.engine.ask(endpoint, None, 20).version == 2
    assert desk.engine.alive(endpoint, endpoint.slot_of(1))
    assert not desk.engine.ended(endpoint, endpoint.slot_of(1))


def test_a_version_that_a_gate_refuses_changes_nothing(desk: Desk) -> None:
    with pytest.raises(Failed, match="no signature"):
        ship(desk, NO_SIGNATURE)
    assert desk.engine.ask(desk.store.endpoint(KEY), None, 20).version == 2


def test_a_split_is_by_weight_and_sticks_to_the_unit(desk: Desk) -> None:
    endpoint = desk.store.endpoint(KEY)
    one, two = endpoint.slot_of(1).name, endpoint.slot_of(2).name
    try:
        desk.engine.set_weights(replace(endpoint, weights={one: 30, two: 70}))
        seen = Counter(desk.engine.ask(endpoint, None, 20).version for _ in range(100))
        assert 10 <= seen[1] <= 55 and seen[1] + seen[2] == 100
        wait_until(lambda: desk.engine.observe(endpoint)[one].weight == 30)
    finally:
        desk.engine.set_weights(endpoint)
    assert {desk.engine.ask(endpoint, None, 20).version for _ in range(20)} == {2}


def test_what_callers_ask_is_logged_and_what_the_desk_asks_is_not(place: Embedded | Ray, desk: Desk) -> None:
    # A caller who says that it is the desk is logged all the same.
    told = {"X-Request-Id": "case-7", "X-Assign": "ward-3", "X-Model-Desk": "check"}
    answer = caller(place, desk, example(desk), told)
    assert answer.headers["x-request-id"] == "case-7"
    desk.engine.ask(desk.store.endpoint(KEY), example(desk), 20)
    wait_until(lambda: len(logged(desk)) >= 3, 60)
    rows = logged(desk)
    assert sorted(rows["request_id"]) == ["case-7#0", "case-7#1", "case-7#2"]
    assert set(rows["model_version"]) == {answer.headers["x-model-version"]}
    assert "ward-3" not in set(rows["assigned"])
    assert rows["score"].between(0, 1).all() and (rows["latency_ms"] > 0).all()
    seen = [request for request in desk.engine.recent() if request.status == 200 and request.milliseconds > 0]
    # On a machine that is too busy to answer the router's checks the other version may have stood in meanwhile.
    assert max(r.at for r in seen if r.server == desk.store.endpoint(KEY).live) > time.time() - 120


def test_a_trial_shares_the_traffic_is_judged_by_it_and_finishes(
    place: Embedded | Ray, ws: Workspace, desk: Desk
) -> None:
    actor = local_actor(desk.settings)
    rules = TrafficRules(min_requests=20, hold_s=0, latency_factor=50, latency_slack_ms=5000)
    spec = TrialSpec(shares=(40,), traffic=rules)
    release.carry_out(
        ws, release.plan_deploy(ws, MODEL, 1, "production", trial=spec), actor, "is the old one as good?"
    )
    people = [f"person-{number}" for number in range(80)]
    answers = [caller(place, desk, example(desk), {"X-Assign": unit}) for unit in people for _ in range(2)]
    versions = [answer.headers["x-model-version"] for answer in answers]
    assert versions[::2] == versions[1::2], "each person keeps their version"
    assert 15 <= versions[::2].count("1") <= 50
    wait_until(lambda: (logged(desk)["model_version"] == "1").sum() == 3 * versions.count("1"), 60)

    def judged() -> bool:
        trials.tick(desk, print, datetime.now(UTC) + timedelta(minutes=1))
        look = trials.store_of(desk).of(KEY).look
        return look is not None and look.live.requests >= 20 and look.candidate.requests >= 20

    wait_until(judged, 60)
    look = trials.store_of(desk).of(KEY).look
    assert look.candidate.failed == 0 and 0 < look.candidate.p50_ms <= look.candidate.p99_ms < 30_000
    assert trials.finish(desk, trials.store_of(desk).of(KEY), actor, "it is").state is TrialState.FINISHED
    assert desk.engine.ask(desk.store.endpoint(KEY), None, 20).version == 1
    ship(desk, 2)


def test_a_rollback_under_load_loses_nothing_and_is_counted(desk: Desk) -> None:
    endpoint, body = desk.store.endpoint(KEY), example(desk)
    seen: Counter[tuple[int, int | None]] = Counter()
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            answer = desk.engine.ask(endpoint, body, 30)
            seen[answer.status, answer.version] += 1
            time.sleep(0.02)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        wait_until(lambda: seen[200, 2] > 5, 60)
        done = rollback(desk, plan_rollback(desk, MODEL, "production"), local_actor(desk.settings), "test")
        wait_until(lambda: seen[200, 1] > 5, 60)
    finally:
        stop.set()
        thread.join()
    assert done.verified and {status for status, _ in seen} == {200}
    live = desk.store.endpoint(KEY).live
    wait_until(lambda: desk.engine.observe(endpoint)[live].status_2xx > 5)
    assert desk.engine.observe(endpoint)[live].up


def test_a_router_that_is_lost_comes_back_as_recorded(place: Embedded | Ray, desk: Desk) -> None:
    said: list[str] = []
    place.lose_router(desk)
    supervisor = Supervisor(desk, said.append)

    def serves() -> bool:
        supervisor.safe_tick()
        try:
            return desk.engine.ask(desk.store.endpoint(KEY), example(desk), 20).version == 1
        except Exception:  # noqa: BLE001 - it is not there yet
            return False

    wait_until(serves, 240)
    assert not desk.engine.write_config(desk.store.endpoints())


def test_a_stopped_slot_is_gone_and_the_rest_serves(desk: Desk) -> None:
    endpoint = desk.store.endpoint(KEY)
    slot = endpoint.slot_of(2)
    desk.store.clear_slot(KEY, slot.name)
    desk.engine.stop(endpoint, slot)
    wait_until(lambda: not desk.engine.alive(endpoint, slot), 60)
    assert desk.engine.ask(endpoint, None, 20).version == 1


def test_a_rollback_is_rehearsed_in_staging(place: Embedded | Ray, ws: Workspace, desk: Desk) -> None:
    if isinstance(place, Embedded):
        pytest.skip("test_trials.py does it on this engine")
    actor = local_actor(desk.settings)
    for version in (1, 2):
        assert deploy(desk, plan_deploy(desk, MODEL, version, "staging"), actor, "test").verified
    record = drill(desk, plan_drill(desk, MODEL), actor)
    assert record.payload["failed"] == 0 and set(record.payload["seconds"]) == {"there", "back"}
    assert last_drill(ws, MODEL) is not None
