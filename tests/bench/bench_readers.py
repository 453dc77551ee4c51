"""Ways to read 10,000 runs with all their columns into a wide table: what docs/adr/0001-reading-runs.md weighs.

CPU seconds of fresh processes, medians of 3, imports included, since a reader that is quick and slow to import is
not quick on a first page. MODELDESK_BENCH_READ sets the number of runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from tests.bench.stores import REPEATS, ROOT, fill, load, require_maker, sqlite_store
from tests.contract.postgres import postgres_server, server_binaries

RUNS = int(os.environ.get("MODELDESK_BENCH_READ", "10000"))
_PIVOT = """
from core.experiments import columns
ids = kept[0]["run_uuid"]
wide = [columns.pivot(ids, part["run_uuid"], part["key"], part["value"]) for part in kept[1:]]
assert all(len(part) == len(ids) for part in wide)
"""
_SQL = """
SQL = ("SELECT run_uuid, name, status, start_time FROM runs",
       "SELECT run_uuid, key, value FROM latest_metrics", "SELECT run_uuid, key, value FROM params",
       "SELECT run_uuid, key, value FROM tags")
"""
_ADBC = (
    _SQL
    + """
if uri.startswith("sqlite"):
    import adbc_driver_sqlite.dbapi as driver
    connection = driver.connect("file:" + uri.removeprefix("sqlite:///") + "?mode=ro")
else:
    import adbc_driver_postgresql.dbapi as driver
    connection = driver.connect(uri)
kept = []
for sql in SQL:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        kept.append(cursor.fetch_arrow_table())
"""
    + _PIVOT
)
_CORE = (
    _SQL
    + """
import pyarrow as pa
import sqlalchemy as sa
kept = []
with sa.create_engine(uri).connect() as connection:
    for sql in SQL:
        found = connection.execute(sa.text(sql))
        names, rows = list(found.keys()), found.fetchall()
        kept.append(pa.table([pa.chunked_array([pa.array(column)]) for column in zip(*rows)], names=names))
"""
    + _PIVOT
)
_JSON = """
import orjson, pyarrow as pa
import sqlalchemy as sa
sqlite = uri.startswith("sqlite")
make = "json_group_object" if sqlite else "json_object_agg"
infinite = "CASE WHEN is_nan THEN NULL ELSE value END"
sources = {"latest_metrics": infinite, "params": "value", "tags": "value"}
wide = []
with sa.create_engine(uri).connect() as connection:
    ids = [row[0] for row in connection.execute(sa.text("SELECT run_uuid FROM runs"))]
    place = {run_id: index for index, run_id in enumerate(ids)}
    for table, value in sources.items():
        sql = f"SELECT run_uuid, CAST({make}(key, {value}) AS text) FROM {table} GROUP BY run_uuid"
        columns = {}
        for run_id, text in connection.execute(sa.text(sql)):
            for key, found in orjson.loads(text).items():
                if key not in columns:
                    columns[key] = [None] * len(ids)
                columns[key][place[run_id]] = found
        wide.append(pa.table({key: pa.array(column) for key, column in columns.items()}))
"""
_OURS = """
from core.experiments.mlflow_sql import DirectReader
assert len(DirectReader(uri).search())
"""
_MLFLOW = """
import mlflow
mlflow.set_tracking_uri(uri)
mlflow.search_runs([item.experiment_id for item in mlflow.search_experiments()], max_results=50_000)
"""
WAYS = {
    "ADBC to Arrow, pivot by NumPy": _ADBC,
    "SQLAlchemy Core, fetchall, pivot by NumPy": _CORE,
    "JSON aggregated in SQL, orjson": _JSON,
    "our reader, as it is": _OURS,
    "mlflow.search_runs": _MLFLOW,
}


def cpu(uri: str, work: str) -> float:
    """CPU seconds of a process that does ``work``, its children included."""
    script = f"uri = {uri!r}\n{work}\nimport os\nprint(sum(os.times()[:4]))"
    taken = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
        taken.append(float(done.stdout.split()[-1]))
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    if not require_maker():
        return
    print(f"{load()}; CPU seconds for {RUNS:,} runs, imports included, median of {REPEATS}")
    print("| way | SQLite | PostgreSQL |\n|---|---|---|")
    small = sqlite_store(RUNS)
    if server_binaries() is None:
        for name, work in WAYS.items():
            print(f"| {name} | {cpu(small, work):.2f} | no server |", flush=True)
        return
    with postgres_server() as url:
        fill(url, RUNS)
        for name, work in WAYS.items():
            other = url.replace("postgresql:", "postgresql+psycopg:") if "sqlalchemy" in work else url
            print(f"| {name} | {cpu(small, work):.2f} | {cpu(other, work):.2f} |", flush=True)


if __name__ == "__main__":
    main()
