"""Reading runs: ours against MLflow's own client and against the bare fetch, as ratios in one run.

Stores come from a seeded generator of MLflow stores (MODELDESK_MAKE_STORE, else ../shared/bench/make_store.py);
without it, rows are skipped and say so. MODELDESK_BENCH_RUNS sets the large size (default 100,000).
Each figure is CPU seconds (child processes included), the median of 3 fresh processes.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKER = Path(os.environ.get("MODELDESK_MAKE_STORE", ROOT.parent / "shared" / "bench" / "make_store.py"))
LARGE = int(os.environ.get("MODELDESK_BENCH_RUNS", "100000"))
REPEATS = 3

OURS = "found = reader.search(); assert len(found)"
PREPARE_OURS = """
from core.experiments.mlflow_sql import DirectReader
reader = DirectReader(uri)
import pyarrow.compute, core.experiments.filtering, core.experiments.ordering
reader.experiments()
"""
PREPARE_MLFLOW = """
import logging, mlflow
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
ids = [item.experiment_id for item in client.search_experiments()]
client.search_runs(ids, max_results=1)
"""
PREPARE_FLOOR = """
import adbc_driver_sqlite.dbapi
connection = adbc_driver_sqlite.dbapi.connect("file:" + uri.removeprefix("sqlite:///") + "?mode=ro")
def fetch(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()
"""
FLOOR = """
kept = [fetch(sql) for sql in (
    "SELECT run_uuid, name, user_id, status, start_time, coalesce(end_time, -1), artifact_uri, experiment_id FROM runs",
    "SELECT run_uuid, key, value, is_nan FROM latest_metrics",
    "SELECT run_uuid, key, value FROM params", "SELECT run_uuid, key, value FROM tags")]
"""
FIRST_PAGE = "client.search_runs(['5'], max_results=100, order_by=['metrics.val_auc DESC'])"
LOOP = "for run in runs: client.get_metric_history(run, 'val_accuracy')"
HISTORY_RUNS = """
import sqlite3
with sqlite3.connect("file:" + uri.removeprefix("sqlite:///") + "?mode=ro", uri=True) as plain:
    runs = [row[0] for row in plain.execute(
        "SELECT run_uuid FROM latest_metrics WHERE key = 'val_accuracy' AND step > 0 ORDER BY run_uuid LIMIT 50")]
"""


def measure(uri: str, prepare: str, work: str) -> tuple[float, float]:
    """Median CPU seconds of ``work`` after ``prepare``, and the peak memory (its own and of its children) in MB."""
    script = (
        f"uri = {uri!r}\n{prepare}\nimport os, resource\nstart = sum(os.times()[:4])\n{work}\n"
        "sizes = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "print(sum(os.times()[:4]) - start, sum(sizes) / 1024)\n"
    )
    found = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
        found.append([float(word) for word in done.stdout.split()[-2:]])
    return tuple(statistics.median(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def make(folder: Path, runs: int) -> str:
    """A store of ``runs`` runs, 50 of them with histories of 1,000 steps."""
    uri = f"sqlite:///{folder / f'{runs}.db'}"
    subprocess.run(
        [sys.executable, str(MAKER), "--url", uri, "--runs", str(runs), "--hist-runs", "60", "--hist-metrics", "1"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return uri


def row(work: str, against: str, ours: float, theirs: float, reach: str, met: bool) -> None:
    """One line of the table; the ratio is theirs over ours."""
    print(
        f"| {work} | {against} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f} | {reach} | {'yes' if met else 'NO'} |"
    )


def main() -> None:
    """Print the table."""
    if not MAKER.is_file():
        print(f"skipped: no store generator at {MAKER} (set MODELDESK_MAKE_STORE)")
        return
    print(f"load {os.getloadavg()[0]:.1f}; CPU seconds, SQLite, median of {REPEATS}")
    print("| work | against | ours | theirs | theirs/ours | reach | met |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, middle, large = (make(folder, runs) for runs in (1000, 10_000, LARGE))
        times = [measure(uri, PREPARE_OURS, OURS) for uri in (small, middle, large)]
        theirs, _ = measure(middle, PREPARE_MLFLOW, "mlflow.search_runs(ids, max_results=10_000)")
        ours = times[1][0]
        row("10,000 runs, all columns", "mlflow.search_runs", ours, theirs, ">= 20", theirs >= 20 * ours)
        floor, _ = measure(large, PREPARE_FLOOR, FLOOR)
        ours, memory = times[2]
        row(f"{LARGE:,} runs, all columns", "bare fetch to Arrow", ours, floor, ">= 0.5", ours <= 2 * floor)
        one, _ = measure(large, PREPARE_OURS, "assert len(reader.search('5'))")
        first, _ = measure(large, PREPARE_MLFLOW, FIRST_PAGE)
        row(f"one experiment of {LARGE:,} runs", "first 100 sorted", one, first, "> 1", first > one)
        ours, _ = measure(middle, PREPARE_OURS + HISTORY_RUNS, "reader.histories(runs, 'val_accuracy')")
        theirs, _ = measure(middle, PREPARE_MLFLOW + HISTORY_RUNS, LOOP)
        row("50 runs x 1,000 steps", "get_metric_history loop", ours, theirs, ">= 10", theirs >= 10 * ours)
        growth = math.log(times[2][0] / times[0][0]) / math.log(LARGE / 1000)
        print(f"\npeak memory at {LARGE:,} runs: {memory:.0f} MB (reach: < 1,500)")
        print(f"cost grows as runs^{growth:.2f} over 1,000, 10,000 and {LARGE:,} runs")


if __name__ == "__main__":
    main()
