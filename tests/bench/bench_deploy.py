"""Bench of deployments: switch against cold redeploy, load with and without switches, router against direct.

Run as ``python -m tests.bench.bench_deploy``; real models, real servers, loopback only, about two minutes.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path

from core.access import local_actor
from core.deploy.release import carry_out, plan_deploy, plan_rollback
from core.deploy.types import EndpointKey
from core.ledger.events import FreezeLifted
from core.workspace import Workspace
from tests.deploy_workspace import MODEL, make_workspace, stop_all

ROUNDS, LOAD_S, PER_S, CLIENTS = 10, 6.0, 60, 4
KEY = EndpointKey(MODEL, "production")


def payload(ws: Workspace) -> dict:
    """The logged input example of what is live."""
    from core.deploy.model_files import example_request

    endpoint = ws.deployments.store.endpoint(KEY)
    return dict(example_request(endpoint.slot(endpoint.live).artifact.directory))


def loaded(ws: Workspace, direct: bool = False) -> tuple[list[float], int]:
    """Latencies in seconds and the number of lost requests at a fixed rate for LOAD_S seconds."""
    desk, body = ws.deployments, payload(ws)
    endpoint = desk.store.endpoint(KEY)
    times: list[float] = []
    lost: list[str] = []

    def client(number: int) -> None:
        begin = time.monotonic() + number / PER_S
        for tick in range(int(LOAD_S * PER_S / CLIENTS)):
            time.sleep(max(0.0, begin + tick * CLIENTS / PER_S - time.monotonic()))
            try:
                ask = (
                    desk.engine.score(endpoint, endpoint.live, body, 20)
                    if direct
                    else desk.engine.ask(endpoint, body, 20)
                )
                times.append(ask.seconds) if ask.status == 200 else lost.append(str(ask.status))
            except Exception as error:  # noqa: BLE001 - every failure is a lost request
                lost.append(type(error).__name__)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times), len(lost)


def p99(times: list[float]) -> float:
    """The 99th percentile in milliseconds."""
    return times[int(len(times) * 0.99)] * 1000


def main() -> None:
    """Measure and print the table."""
    ws = make_workspace(Path(tempfile.mkdtemp(prefix="bench-")))
    try:
        measure(ws)
    finally:
        stop_all(ws)


def measure(ws: Workspace) -> None:
    """All rows, in one run on one machine."""
    actor = local_actor(ws.settings)
    cold, warm, back, lost_by_kill = [], [], [], 0
    for version in (1, 2):
        begin = time.perf_counter()
        carry_out(ws, plan_deploy(ws, MODEL, version, "production"), actor, "bench")
        cold.append(time.perf_counter() - begin)
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        carry_out(ws, plan_rollback(ws, MODEL, "production"), actor, "bench")
        back.append(time.perf_counter() - begin)
        ws.ledger.append(FreezeLifted(model=MODEL, environment="production", reason="bench"), actor)
        begin = time.perf_counter()
        carry_out(ws, plan_deploy(ws, MODEL, 2, "production"), actor, "bench")
        warm.append(time.perf_counter() - begin)
    still, still_lost = loaded(ws)
    flips = threading.Thread(target=flip, args=(ws, actor))
    flips.start()
    moved, moved_lost = loaded(ws)
    flips.join()
    direct, _ = loaded(ws, direct=True)
    endpoint = ws.deployments.store.endpoint(KEY)
    killer = threading.Timer(1.0, os.kill, (endpoint.slot(endpoint.live).process.pid, signal.SIGKILL))
    killer.start()
    _, lost_by_kill = loaded(ws)
    ratio = statistics.median(cold) / statistics.median(back)
    rows = (
        ("cold deploy, all checks", f"{statistics.median(cold):.2f} s", ""),
        (
            "rollback to warm, command to verified",
            f"{statistics.median(back) * 1000:.1f} ms",
            f"{ratio:.0f}x faster",
        ),
        ("deploy of a warm version", f"{statistics.median(warm) * 1000:.1f} ms", ""),
        (f"{PER_S}/s without switches: lost, p99", f"{still_lost}, {p99(still):.1f} ms", ""),
        (
            f"{PER_S}/s with 20 switches: lost, p99",
            f"{moved_lost}, {p99(moved):.1f} ms",
            f"p99 {p99(moved) / p99(still):.2f}x",
        ),
        (
            "router against direct, median",
            f"{statistics.median(still) * 1000:.1f} / {statistics.median(direct) * 1000:.1f} ms",
            f"{statistics.median(still) / statistics.median(direct):.2f}x",
        ),
        ("live killed -9 under load: lost", str(lost_by_kill), ""),
        ("machine load", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", ""),
    )
    for name, value, note in rows:
        print(f"{name:42} {value:>22}  {note}")


def flip(ws: Workspace, actor: object) -> None:
    """Twenty switches, spread over the load."""
    for number in range(20):
        carry_out(ws, plan_deploy(ws, MODEL, 1 + number % 2, "production"), actor, "bench")
        time.sleep(LOAD_S / 25)


if __name__ == "__main__":
    main()
