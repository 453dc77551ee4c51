"""What the router and the prediction log cost: requests/s through both, against MLflow's scoring server alone.

Three servers of the same model side by side, asked in turns by the same clients; the ratio of medians counts.
Run as ``python -m tests.bench.bench_prediction_log``; about two minutes.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from core.access import local_actor
from core.deploy import model_files, processes, scoring, served_files
from core.deploy.release import carry_out, plan_deploy
from core.deploy.types import Answer, EndpointKey, Process
from core.workspace import Workspace
from tests.deploy_workspace import MODEL, make_workspace, stop_all, wait_until

ROUNDS, ROUND_S, CLIENTS = 5, 4.0, 2
KEY = EndpointKey(MODEL, "production")


def bare_server(ws: Workspace, folder: Path) -> tuple[Process, Path]:
    """MLflow's own application under uvicorn, with nothing of ours in it."""
    endpoint = ws.deployments.store.endpoint(KEY)
    where = folder / "bare.sock"
    command = [sys.executable, "-m", "uvicorn", "--uds", str(where), "--log-level", "warning"]
    command += ["--no-access-log", "mlflow.pyfunc.scoring_server.app:app"]
    environment = dict(os.environ) | {
        "__pyfunc_model_path__": str(endpoint.slot(endpoint.live).artifact.directory)
    }
    return processes.spawn(command, log=folder / "bare.log", environment=environment, cwd=folder), where


def as_a_client(port: int, body: object) -> Answer:
    """A request without the desk's own mark, so that its answer is logged."""
    return scoring.over_loopback(port, body, 20, {scoring.MARK: "from outside"})


def throughput(ask: object) -> float:
    """Answers per second from CLIENTS clients that ask again as soon as they are answered."""
    counts = [0] * CLIENTS
    end = time.monotonic() + ROUND_S

    def client(number: int) -> None:
        while time.monotonic() < end:
            assert ask().status == 200
            counts[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / ROUND_S


def main() -> None:
    """Measure and print the table."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    ws = make_workspace(folder)
    bare = None
    try:
        carry_out(ws, plan_deploy(ws, MODEL, 1, "production"), local_actor(ws.settings), "bench")
        endpoint = ws.deployments.store.endpoint(KEY)
        body = model_files.example_request(endpoint.slot(endpoint.live).artifact.directory)
        bare, where = bare_server(ws, folder)
        wait_until(where.exists, 120)
        engine = ws.deployments.engine
        ways = {
            "bare MLflow scoring server": lambda: scoring.over_socket(where, body, 20),
            "ours past the router (nothing is logged)": lambda: engine.score(
                endpoint, endpoint.live, body, 20
            ),
            "ours through the router, with the log": lambda: as_a_client(endpoint.port, body),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for ask in ways.values():
            throughput(ask)  # warm up
        for _ in range(ROUNDS):
            for name, ask in ways.items():
                found[name].append(throughput(ask))
        peer = statistics.median(found["bare MLflow scoring server"])
        for name, rates in found.items():
            rate = statistics.median(rates)
            print(f"{name:42} {rate:8.1f} requests/s   {rate / peer:.2f} of bare")
        logged = served_files.folder_of(ws.settings, KEY)
        wait_until(lambda: served_files.count_of(logged, 1) > 0)
        print(f"{'rows in the log':42} {served_files.count_of(logged, 1):8}")
        print(f"{'machine load':42} {os.getloadavg()[0]:8.1f} on {os.cpu_count()} cores")
    finally:
        processes.stop(bare)
        stop_all(ws)


if __name__ == "__main__":
    main()
