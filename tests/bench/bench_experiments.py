"""Reading runs: ours against MLflow's own client and against the bare fetch, as ratios in one run.

MODELDESK_BENCH_RUNS sets the large size (default 100,000). CPU seconds (child processes included), the median
of 3 fresh processes; over HTTP the server's CPU seconds count too. Opening one experiment is measured in wall seconds:
there most of the other side's work is the database's, whose CPU seconds nobody counts. About 12 minutes in all.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.bench.stores import LARGE, REPEATS, ROOT, fill, load, require_maker, sqlite_store
from tests.contract.experiments_store import mlflow_server
from tests.contract.postgres import postgres_server, server_binaries, settle

CHANGED = 50
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
if uri.startswith("sqlite"):
    import adbc_driver_sqlite.dbapi as driver
    address = "file:" + uri.removeprefix("sqlite:///") + "?mode=ro"
else:
    import adbc_driver_postgresql.dbapi as driver
    address = uri
connection = driver.connect(address)
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
# The other side's preparation searches as well; the page shows the largest experiment before another is opened.
PREPARE_OPENING = PREPARE_OURS + "reader.search('1')"
FIRST_PAGE = "client.search_runs(['5'], max_results=100, order_by=['metrics.val_auc DESC'])"
LOOP = "for run in runs: client.get_metric_history(run, 'val_accuracy')"
HISTORY_RUNS = """
from core.experiments.mlflow_database import open_database
with open_database(uri).session() as session:
    runs = session.fetch("SELECT run_uuid FROM latest_metrics WHERE \\"key\\" = 'val_accuracy' AND step > 0 "
                         "ORDER BY run_uuid LIMIT 50")["run_uuid"].to_pylist()
"""


def measure(uri: str, prepare: str, work: str) -> tuple[float, float, float]:
    """Medians of ``work`` after ``prepare``: CPU seconds, peak memory (children too) in MB, wall seconds."""
    script = (
        f"uri = {uri!r}\n{prepare}\nimport resource, time\n"
        "used = lambda: [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "cpu = lambda: sum(one.ru_utime + one.ru_stime for one in used())\n"
        f"start, began = cpu(), time.perf_counter()\n{work}\nwall = time.perf_counter() - began\n"
        "print(cpu() - start, sum(one.ru_maxrss for one in used()) / 1024, wall)\n"
    )
    found = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
        found.append([float(word) for word in done.stdout.split()[-3:]])
    return tuple(statistics.median(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def row(work: str, against: str, ours: float, theirs: float, reach: str, met: bool) -> None:
    """One line of the table; the ratio is theirs over ours."""
    ratio = f"{theirs / ours:.2f}" if ours else "-"
    print(
        f"| {work} | {against} | {ours:.3f} | {theirs:.3f} | {ratio} | {reach} | {'yes' if met else 'NO'} |",
        flush=True,
    )


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of log seconds over log sizes, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


@contextmanager
def stores(kind: str, sizes: list[int]) -> Iterator[dict[int, str]]:
    """A store of each size."""
    if kind == "SQLite":
        yield {size: sqlite_store(size) for size in sizes}
        return
    with postgres_server() as url:
        base = url.rpartition("/")[0]
        found = {}
        for size in sizes:
            subprocess.run(
                [str(server_binaries() / "psql"), url, "-c", f"CREATE DATABASE runs{size}"],
                check=True,
                capture_output=True,
            )
            found[size] = f"{base}/runs{size}"
            fill(found[size], size)
            settle(found[size])  # else the server goes on working on what was written while it is measured
        yield found


def direct(kind: str) -> None:
    """The rows that read a database."""
    sizes = [1000, 10_000, LARGE]
    with stores(kind, sizes) as uris:
        times = {size: measure(uri, PREPARE_OURS, OURS) for size, uri in uris.items()}
        middle, large = uris[10_000], uris[LARGE]
        theirs, _, _ = measure(middle, PREPARE_MLFLOW, "mlflow.search_runs(ids, max_results=10_000)")
        ours = times[10_000][0]
        row(
            f"{kind}: 10,000 runs, all columns",
            "mlflow.search_runs",
            ours,
            theirs,
            ">= 20",
            theirs >= 20 * ours,
        )
        floor, _, _ = measure(large, PREPARE_FLOOR, FLOOR)
        ours, memory, _ = times[LARGE]
        row(
            f"{kind}: {LARGE:,} runs, all columns",
            "bare fetch to Arrow",
            ours,
            floor,
            ">= 0.5",
            ours <= 2 * floor,
        )
        _, _, one = measure(large, PREPARE_OPENING, "assert len(reader.search('5'))")
        _, _, first = measure(large, PREPARE_MLFLOW, FIRST_PAGE)
        row(
            f"{kind}: one whole experiment of {LARGE:,} runs, wall",
            "first 100 sorted, wall",
            one,
            first,
            "> 1",
            first > one,
        )
        ours, _, _ = measure(middle, PREPARE_OURS + HISTORY_RUNS, "reader.histories(runs, 'val_accuracy')")
        theirs, _, _ = measure(middle, PREPARE_MLFLOW + HISTORY_RUNS, LOOP)
        row(
            f"{kind}: 50 runs x 1,000 steps",
            "get_metric_history loop",
            ours,
            theirs,
            ">= 10",
            theirs >= 10 * ours,
        )
    growth = exponent(sizes, [times[size][0] for size in sizes])
    print(f"\n{kind}: peak memory at {LARGE:,} runs {memory:.0f} MB (reach: < 1,500 MB)")
    print(
        f"{kind}: cost grows as runs^{growth:.2f} (least squares over {', '.join(f'{size:,}' for size in sizes)})\n"
    )


def over_http() -> None:
    """The second visit to a server whose runs have changed a little, against a full search over HTTP."""
    from mlflow import MlflowClient

    from core.experiments.runs import open_tracking

    with tempfile.TemporaryDirectory() as name, stores("SQLite", [10_000]) as uris:
        copy = Path(name) / "store.db"
        copy.write_bytes(Path(uris[10_000].removeprefix("sqlite:///")).read_bytes())
        os.environ["MODELDESK_CACHE"] = name
        with mlflow_server(f"sqlite:///{copy}", Path(name)) as url:
            client = MlflowClient(url)
            ids = [item.experiment_id for item in client.search_experiments()]
            client.search_runs(ids, max_results=1)
            theirs = cpu_with_server(url, lambda: _all_runs(client, ids))
            first = cpu_with_server(url, lambda: open_tracking(url, copy.parent).search())
            visits = []
            for visit in range(REPEATS):
                _change(client, ids[0], visit)
                runs = open_tracking(url, copy.parent)
                visits.append(cpu_with_server(url, runs.search))
        ours = statistics.median(visits)
        row("HTTP: 10,000 runs, first visit", "full mlflow search", first, theirs, "-", True)
        row(
            f"HTTP: second visit, {CHANGED} changed",
            "full mlflow search",
            ours,
            theirs,
            ">= 50",
            theirs >= 50 * ours,
        )


def _all_runs(client, ids: list[str]) -> None:
    token = None
    while True:
        page = client.search_runs(ids, max_results=1000, page_token=token)
        token = page.token
        if not token:
            return


def _change(client, experiment: str, visit: int) -> None:
    """New runs, and a metric more in runs that were going on."""
    now = int(time.time() * 1000)
    for number in range(CHANGED // 2):
        run = client.create_run(experiment, start_time=now, run_name=f"new {visit} {number}")
        client.log_metric(run.info.run_id, "val_auc", 0.5)
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=CHANGED // 2):
        client.log_metric(run.info.run_id, "val_auc", visit / 10)


def cpu_with_server(url: str, work) -> float:
    """CPU seconds of ``work`` here and of the server on ``url`` and its children meanwhile."""
    port = int(url.rpartition(":")[2])
    start, served = time.process_time(), _server_cpu(port)
    work()
    return time.process_time() - start + _server_cpu(port) - served


def _server_cpu(port: int) -> float:
    """CPU seconds of every process whose command line names the port."""
    ticks, total = os.sysconf("SC_CLK_TCK"), 0.0
    named = {}
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            named[int(folder.name)] = (int(stat[1]), (int(stat[11]) + int(stat[12])) / ticks)
            words = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if f"--port\0{port}\0".encode() in words:
            total += named[int(folder.name)][1]
            parents = {int(folder.name)}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in named.items() if parent in parents} - parents
        grown, parents = bool(more), parents | more
        total += sum(named[pid][1] for pid in more)
    return total


def main() -> None:
    """Print the table."""
    if not require_maker():
        return
    # What is compared with was compiled when it was installed; a checkout is not where Python writes no bytecode.
    compileall.compile_dir(ROOT / "core", quiet=1)
    print(f"{load()}; CPU seconds, median of {REPEATS}")
    print("| work | against | ours | theirs | theirs/ours | reach | met |\n|---|---|---|---|---|---|---|")
    direct("SQLite")
    if server_binaries() is not None:
        direct("PostgreSQL")
    else:
        print("PostgreSQL: skipped, no server on this machine")
    over_http()


if __name__ == "__main__":
    main()
