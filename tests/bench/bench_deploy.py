"""Bench of deployments: the switch against a cold redeploy, switches under load, the router, a killed model, a start.

Run as ``PYTHONPATH=. python tests/bench/bench_deploy.py``: real models, real servers, loopback only, about three
minutes. Ratios are taken within one run; the load of the machine is printed with them.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from core.access import local_actor
from core.deploy.rollback import plan_rollback, rollback
from core.deploy.rollout import deploy, plan_deploy
from core.deploy.types import Operation
from core.registry.freezes import lift
from core.workspace import Workspace
from tests import cheap_workspace as cheap
from tests import deploy_workspace as real
from tests.ports import free_port

ROUNDS, PER_S, LOAD_S, FLIPS = 40, 200, 10.0, 20


def main() -> None:
    """Measure and print the table."""
    rows: list[tuple[str, str, str]] = []
    with ExitStack() as stack:
        ws = real.make_workspace(Path(tempfile.mkdtemp(prefix="bench-")))
        stack.callback(real.stop_all, ws)
        rows += switching(ws, stack.enter_context(body_of(ws, real.MODEL)))
    with ExitStack() as stack:
        ws = stack.enter_context(cheap.cheap_workspace(Path(tempfile.mkdtemp(prefix="bench-"))))
        rows += under_load(ws)
    for name, value, note in rows:
        print(f"{name:42} {value:>28}  {note}")
    print(f"{'machine load':42} {os.getloadavg()[0]:>28.1f}  {os.cpu_count()} cores")


def switching(ws: Workspace, body: Path) -> list[tuple[str, str, str]]:
    """Real models: cold, warm, a start against MLflow's own, the router against the server itself."""
    cold, healthy, peer = [], [], []
    for version in (1, 2):
        begin = time.perf_counter()
        done = put(ws, real.MODEL, version)
        cold.append(time.perf_counter() - begin)
        healthy.append(sum(step.seconds for step in done.steps if step.name in BEFORE_SMOKE))
        peer.append(mlflow_serves(ws, version))
    back, forth = [], []
    for _ in range(ROUNDS):
        back.append(taken(go_back(ws, real.MODEL)))
        forth.append(taken(put(ws, real.MODEL, 2)))
    endpoint = ws.deployments.store.endpoints()[0]
    server = ws.deployments.engine._socket(endpoint, endpoint.live)
    front, direct = [], []
    for _ in range(3):
        direct.append(load(body, socket=server, seconds=3, clients=4)["per_s"])
        front.append(load(body, port=endpoint.port, seconds=3, clients=4)["per_s"])
    redeploy = statistics.median(cold)
    share = statistics.median(f / d for f, d in zip(front, direct, strict=True))
    start = statistics.median(h / p for h, p in zip(healthy, peer, strict=True))
    return [
        ("cold deployment, all checks", f"{redeploy:.2f} s", ""),
        against_cold("rollback to warm, command to answer", back, redeploy),
        against_cold("promote to warm, command to answer", forth, redeploy),
        (
            "cold, until healthy; mlflow models serve",
            f"{statistics.median(healthy):.1f}; {statistics.median(peer):.1f} s",
            f"{start:.2f}x (reach 1.0)",
        ),
        (
            "requests/s through the router; direct",
            f"{statistics.median(front):.0f}; {statistics.median(direct):.0f}",
            f"{share:.2f} (reach 0.9)",
        ),
    ]


def under_load(ws: Workspace) -> list[tuple[str, str, str]]:
    """A cheap backend at a fixed rate: without switches, with them, and with its live process killed."""
    for version in (1, 2):
        put(ws, cheap.MODEL, version)
    endpoint = ws.deployments.store.endpoints()[0]
    rows = []
    with body_of(ws, cheap.MODEL) as body:
        still, moved = [], []
        for _ in range(2):
            still.append(load(body, port=endpoint.port, seconds=LOAD_S, rate=PER_S))
            with background(flip, ws):
                moved.append(load(body, port=endpoint.port, seconds=LOAD_S, rate=PER_S))
        ratio = statistics.median(m["p99_ms"] / s["p99_ms"] for m, s in zip(moved, still, strict=True))
        lost = f"{sum(m['lost'] for m in moved)} of {sum(m['answered'] + m['lost'] for m in moved)} lost"
        rows.append(
            (f"{PER_S}/s, {FLIPS} switches", f"p99 {moved[-1]['p99_ms']:.1f} ms, {lost}", "reach 0 lost")
        )
        rows.append(
            (f"{PER_S}/s, no switch", f"p99 {still[-1]['p99_ms']:.1f} ms", f"{ratio:.2f}x (reach 1.5)")
        )
        put(ws, cheap.MODEL, 2)
        killed_at: list[float] = []
        with background(kill, ws, killed_at):
            found = load(body, port=endpoint.port, seconds=4.0, rate=PER_S)
        took = found["first_seen_s"]["1"] + found["begin_epoch"] - killed_at[0]
        rows.append(("live killed -9: other version answers", f"{took * 1000:.0f} ms", "reach 1000 ms"))
        rows.append(("live killed -9: lost", f"{found['lost']} of {found['answered'] + found['lost']}", ""))
    return rows


BEFORE_SMOKE = ("fetch", "gates", "start", "healthy")


def against_cold(name: str, times: list[float], cold: float) -> tuple[str, str, str]:
    """A row: the median, how many times faster than cold, what is to be reached."""
    median = statistics.median(times)
    return name, f"{median * 1000:.1f} ms", f"{cold / median:.0f}x faster (reach 500x, 50 ms)"


def put(ws: Workspace, model: str, version: int) -> Operation:
    """Make a version live."""
    desk = ws.deployments
    return deploy(desk, plan_deploy(desk, model, version, "production"), local_actor(ws.settings), "bench")


def go_back(ws: Workspace, model: str) -> Operation:
    """Roll back, and lift the freeze that this sets."""
    desk, actor = ws.deployments, local_actor(ws.settings)
    done = rollback(desk, plan_rollback(desk, model, "production"), actor, "bench")
    lift(ws, model, "production", actor, "bench")
    return done


def taken(done: Operation) -> float:
    """Seconds from the command to the first answer of the target."""
    return done.command_to_switch + done.switch_to_verified


def flip(ws: Workspace) -> None:
    """Switches, spread over the load."""
    begin = time.monotonic()
    for number in range(FLIPS):
        put(ws, cheap.MODEL, 1 + number % 2)
        time.sleep(max(0.0, begin + (number + 1) * LOAD_S / (FLIPS + 2) - time.monotonic()))


def kill(ws: Workspace, killed_at: list[float]) -> None:
    """End the live process a second after the load has begun."""
    endpoint = ws.deployments.store.endpoints()[0]
    time.sleep(1.5)
    killed_at.append(time.time())
    os.kill(endpoint.slot(endpoint.live).process.pid, signal.SIGKILL)


def mlflow_serves(ws: Workspace, version: int) -> float:
    """Seconds until ``mlflow models serve`` answers its first ping for the same files."""
    endpoint = ws.deployments.store.endpoints()[0]
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", str(endpoint.slot_of(version).artifact.directory), "-h", "127.0.0.1", "-p", str(port)]
    # It starts `uvicorn` by name.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            while True:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                    return time.perf_counter() - begin
                assert time.perf_counter() - begin < 180, "mlflow models serve does not answer"
                time.sleep(0.05)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def load(body: Path, **options: object) -> dict[str, Any]:
    """Run the load generator and give back what it printed."""
    command = [sys.executable, str(Path(__file__).with_name("load.py")), "--body", str(body)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


@contextmanager
def body_of(ws: Workspace, model: str) -> Iterator[Path]:
    """A request that the model's versions take, in a file."""
    if model == cheap.MODEL:
        example: object = cheap.EXAMPLE
    else:
        from core.deploy.model_files import example_request

        example = example_request(ws.registry.folder(model, 1))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(example, file)
        file.flush()
        yield Path(file.name)


@contextmanager
def background(work: Any, *arguments: object) -> Iterator[None]:
    """``work`` beside the block; it has ended after it."""
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    try:
        yield
    finally:
        thread.join()


if __name__ == "__main__":
    main()
