"""Drift checks beyond one machine, measured: the same tables on this machine, in PostgreSQL and in a local Spark.

Run: python tests/bench/bench_engines.py [ROWS]  (wall seconds, best of two; the CPU seconds are this process's own)
Spark runs from .venv-spark, which `make test-spark` makes; an engine that is not there is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.drift.check import check
from core.drift.engines.open import open_table
from tests.bench.bench_drift import NUMBERS, table
from tests.contract.engine_tables import Postgres
from tests.contract.postgres import postgres_server, server_binaries

ROOT = Path(__file__).parents[2]
SPARK = ROOT / ".venv-spark" / "bin" / "python"
ROUNDS = 2


def main(rows: int) -> None:
    """Print seconds, rows per second, the rows that left the engine, and how far D is from this machine's."""
    sizes = {"reference": rows, "current": rows // 5}
    rng = np.random.default_rng(0)
    tables = {side: table(rng, count, 0.3 * (side == "current"), NUMBERS) for side, count in sizes.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{side}.parquet" for side in sizes]
        for file, data in zip(files, tables.values(), strict=True):
            pq.write_table(data, file)
        head = ("wall s", "own CPU s", "rows/s", "rows fetched", "largest gap of D")
        print(f"| {rows:,} x 25 against {rows // 5:,} x 25 | {' | '.join(head)} |")
        print("| --- | --- | --- | --- | --- | --- |", flush=True)
        here = report("this machine", rows, lambda: check(*files))
        if server_binaries() is not None:
            with postgres_server() as url:
                stored = Postgres(url)
                for side, data in tables.items():
                    stored.write(data, side)
                stored.close()
                report("PostgreSQL 15", rows, lambda: _ask("ibis", list(sizes), url), here)
        if SPARK.exists():
            told = subprocess.run(
                [SPARK, __file__, str(rows), *files], text=True, capture_output=True, check=False
            )
            print(told.stdout.strip() if told.returncode == 0 else f"Spark did not run: {told.stderr[-300:]}")
        else:
            print("Spark is left out: `make test-spark` installs it.")


def _ask(engine: str, names: list[str], connect: str):
    left, right = (open_table(engine, name, connect) for name in names)
    found = check(left, right)
    assert not [column for column in found.columns if column.effect is None]
    return found, left.fetched + right.fetched


def report(name: str, rows: int, task, here=None):
    """One line of the table; returns what was found."""
    best, own = float("inf"), 0.0
    for _ in range(ROUNDS):
        start, cpu = time.perf_counter(), time.process_time()
        answer = task()
        if time.perf_counter() - start < best:
            best, own = time.perf_counter() - start, time.process_time() - cpu
    found, fetched = answer if isinstance(answer, tuple) else (answer, rows + rows // 5)
    gap = max(abs(one.effect - found.column(one.name).effect) for one in (here or found).columns)
    print(
        f"| {name} | {best:.1f} | {own:.1f} | {1.2 * rows / best:,.0f} | {fetched:,} | {gap:.1g} |",
        flush=True,
    )
    return found


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:  # inside Spark's own environment
        paths = sys.argv[2:]
        report("Spark 4.3, local[2]", count, lambda: _ask("spark", paths, "local[2]"), check(*paths))
    else:
        main(count)
