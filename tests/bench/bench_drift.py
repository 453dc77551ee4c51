"""Drift, measured: ratios to the floor and to SciPy's loop, memory, false alarms and power.

Run: python tests/bench/bench_drift.py  (CPU seconds, medians of three rounds taken in turn)
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.drift.cache import ProfileCache
from core.drift.check import check
from core.drift.policy import load_policy

NUMBERS = [f"n{number}" for number in range(20)]
LEVELS = [f"c{number}" for number in range(5)]
PLANTED = 5
EVIDENTLY_TO_FLOOR = 48.5 / 1.39
"""Quoted, not run here (it does not import beside our pandas): CPU seconds of Evidently's DataDriftPreset over
those of read and sort, from one run of November 2026 on tables of this size."""


def table(rng: np.random.Generator, rows: int, shift: float, names: list[str]) -> pa.Table:
    columns: dict[str, object] = {
        name: rng.normal(shift if place < PLANTED else 0, 1, rows) for place, name in enumerate(names)
    }
    choices = [f"level {number}" for number in range(12)]
    columns |= {name: rng.choice(choices, rows) for name in LEVELS}
    return pa.table(columns)


def floor(folder: Path) -> None:
    """Read, sort, merge: what any exact KS must do."""
    files = [
        pq.ParquetFile(folder / f"{side}.parquet", read_dictionary=LEVELS)
        for side in ("reference", "current")
    ]
    for name in NUMBERS:
        longer, shorter = (np.sort(file.read([name]).column(0).to_numpy()) for file in files)
        np.searchsorted(longer, shorter)
    for name in LEVELS:
        for file in files:
            file.read([name]).column(0).value_counts()


def scipy_loop(folder: Path) -> None:
    """SciPy's own test, column after column, from the same open files."""
    from scipy.stats import ks_2samp

    files = [pq.ParquetFile(folder / f"{side}.parquet") for side in ("reference", "current")]
    for name in NUMBERS:
        ks_2samp(*(file.read([name]).column(0).to_numpy() for file in files))


def medians(tasks: dict[str, Callable[[], object]], rounds: int = 3) -> dict[str, float]:
    """Median CPU seconds of each task, the tasks taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def speed(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for side, rows, shift in (("reference", 1_000_000, 0.0), ("current", 200_000, 0.3)):
        pq.write_table(table(rng, rows, shift, NUMBERS), folder / f"{side}.parquet")
    files = folder / "reference.parquet", folder / "current.parquet"
    cache = ProfileCache(folder / "cache")
    check(*files, cache=cache)
    print("| 1M x 25 against 200k x 25 | CPU s | ratio to the floor |\n| --- | --- | --- |")
    found = medians(
        {
            "floor: read, sort, merge": lambda: floor(folder),
            "everything the page shows": lambda: check(*files),
            "the same, reference profile cached": lambda: check(*files, cache=cache),
            "SciPy ks_2samp loop, KS alone": lambda: scipy_loop(folder),
        }
    )
    base = found["floor: read, sort, merge"]
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / base:.2f} |")
    print(f"| Evidently DataDriftPreset (quoted from another run) | - | {EVIDENTLY_TO_FLOOR:.1f} |")
    for label, shift in (("no drift", 0.0), ("5 columns moved", 0.3)):
        small = table(rng, 10_000, 0.0, NUMBERS), table(rng, 2_000, shift, NUMBERS)
        taken = medians({"check": lambda pair=small: check(*pair)})["check"]
        print(f"| 10k x 25 against 2k, {label} | {taken:.3f} | - |")


def alarms() -> None:
    """Runs with any false flag, and share of planted columns found, of 100 runs with 20 columns."""
    print("\n| rows | policy | runs with a false alarm | found, shift 0.3 sd | found, shift 0.1 sd |")
    print("| --- | --- | --- | --- | --- |")
    for rows in (50, 500, 5_000):
        for name in ("default", "plain"):
            rng, policy = np.random.default_rng(1), load_policy(name)
            false, found = 0, {0.3: 0, 0.1: 0}
            for _ in range(100):
                reference = pa.table({column: rng.normal(size=rows) for column in NUMBERS})
                same = pa.table({column: rng.normal(size=rows) for column in NUMBERS})
                false += bool(check(reference, same, policy).alarms)
                for shift in found:
                    moved = pa.table({c: rng.normal(shift * (c in NUMBERS[:5]), 1, rows) for c in NUMBERS})
                    flagged = {column.name for column in check(reference, moved, policy).alarms}
                    found[shift] += len(flagged & set(NUMBERS[:5]))
            shares = " | ".join(f"{count / 500:.0%}" for count in found.values())
            print(f"| {rows} | {name} | {false}% | {shares} |", flush=True)


def memory(folder: Path) -> None:
    """Peak of a process of its own that does nothing but the large check."""
    code = (
        "import resource, sys; from core.drift.check import check; check(sys.argv[1], sys.argv[2]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    command = [
        sys.executable,
        "-c",
        code,
        *(str(folder / f"{side}.parquet") for side in ("reference", "current")),
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    print(f"\nPeak memory of the large check: {done.stdout.strip()} MB (Evidently's, quoted: 1,415 MB)")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        speed(Path(scratch))
        memory(Path(scratch))
    alarms()
