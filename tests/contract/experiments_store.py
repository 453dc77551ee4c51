"""A real MLflow store with every odd run we know of, on any back end, and a real server on loopback."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port, wait_for

START = 1_790_000_000_000
ODD_KEY = "naïve key/with: ünïcode"
ODD_VALUE = 'it\'s "quoted" — 100% 🫀\nsecond line'
LONG = "x" * 6000
MANY = 1000


@dataclass(frozen=True)
class OddStore:
    """The store's URI and its runs by name."""

    uri: str
    runs: dict[str, str]
    artifacts: Path


def build(uri: str, folder: Path) -> OddStore:
    """Fill the store of ``uri``; artifacts go below ``folder``."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    client = MlflowClient(uri, uri)
    artifacts = folder / "artifacts"
    experiments = {
        name: client.create_experiment(name, (artifacts / str(index)).as_uri())
        for index, name in enumerate(("diagnosis", "Łódź / ward '7'"))
    }
    runs: dict[str, str] = {}

    def add(
        name, experiment="diagnosis", *, at=0, metrics=None, params=None, tags=None, end=60, status="FINISHED"
    ):
        start = START + at * 1000
        tags = {"mlflow.user": "rina", **(tags or {})}
        run = client.create_run(experiments[experiment], start_time=start, run_name=name, tags=tags)
        runs[name] = run_id = run.info.run_id
        logged = [Metric(key, value, start, 0) for key, value in (metrics or {}).items()]
        client.log_batch(run_id, logged, [Param(key, value) for key, value in (params or {}).items()])
        if end is not None:
            client.set_terminated(run_id, status, start + end * 1000)
        return run_id

    base = add("base", metrics={"auroc": 0.9, "loss": 0.1}, params={"depth": "3", "model": "rf", "empty": ""})
    add("better", at=10, metrics={"auroc": 0.95, "loss": 0.05}, params={"depth": "10", "model": "gb"},
        tags={"mlflow.source.git.commit": "1a2b3c4d" * 5, "stage": "Dev_1"}, end=600)  # fmt: skip
    odd = {
        "auroc": float("nan"),
        "never": float("nan"),
        "up": float("inf"),
        "down": float("-inf"),
        ODD_KEY: 0.0,
    }
    add("odd values", at=20, metrics=odd, params={ODD_KEY: ODD_VALUE, "long": LONG}, status="FAILED")
    add("running", at=30, end=None)
    add("parent", at=40)
    add("child", at=50, metrics={"auroc": 0.8}, tags={"mlflow.parentRunId": runs["parent"]})
    add("orphan", at=60, tags={"mlflow.parentRunId": add("doomed parent", at=55)})
    add("nothing at all", "Łódź / ward '7'", at=70)
    add("a/b 🫀", "Łódź / ward '7'", at=80, metrics={f"m{number:04}": number / 7 for number in range(MANY)})
    client.delete_run(runs["doomed parent"])
    client.log_batch(
        runs["better"],
        [
            Metric("curve", value, START + step, step)
            for step, value in enumerate((0.2, 0.99, 0.5, float("nan"), 0.6))
        ]
        + [Metric("curve", -1.0, START, -3)],
        [],
        [RunTag("dataset.note", "")],
    )
    _log_input(client, base, "patients", "ab12cd34", "training")
    _log_input(client, base, "holdout", "ffee0011", "testing")
    _write_artifacts(artifacts / "0" / base / "artifacts")
    return OddStore(uri, runs, artifacts)


def _log_input(client, run_id: str, name: str, digest: str, context: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, digest, "local", '{"uri": "data/train.parquet"}')
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def _write_artifacts(folder: Path) -> None:
    import pandas as pd

    (folder / "evaluation").mkdir(parents=True)
    (folder / "notes.txt").write_text("all well")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    rows = {"row_id": ["r1", "r2"], "label": [0, 1], "prediction": [0, 1], "score": [0.1, 0.8]}
    pd.DataFrame(rows).to_parquet(folder / "evaluation" / "scores.parquet")


@contextmanager
def mlflow_server(uri: str, folder: Path) -> Iterator[str]:
    """The address of an MLflow server on the store ``uri``; it ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{url}/health")
            yield url
        finally:
            os.killpg(process.pid, 15)
