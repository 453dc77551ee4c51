"""MLflow stores to measure on, by a seeded generator (MODELDESK_MAKE_STORE, else ../shared/bench/make_store.py).

SQLite stores are kept in .bench, so that a second bench, or a second run, does not make them again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKER = Path(os.environ.get("MODELDESK_MAKE_STORE", ROOT.parent / "shared" / "bench" / "make_store.py"))
LARGE = int(os.environ.get("MODELDESK_BENCH_RUNS", "100000"))
REPEATS = 3
LARGEST = "1"
"""The generator's first experiment holds the largest share of the runs."""


def require_maker() -> bool:
    """Whether there is a generator; says so when there is none."""
    if not MAKER.is_file():
        print(f"skipped: no store generator at {MAKER} (set MODELDESK_MAKE_STORE)")
    return MAKER.is_file()


def sqlite_store(runs: int) -> str:
    """The URI of a store of ``runs`` runs, some with histories of 1,000 steps."""
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    file = folder / f"runs-{runs}.db"
    if not file.is_file():
        partial = folder / f"runs-{runs}.{os.getpid()}.part"
        fill(f"sqlite:///{partial}", runs)
        partial.rename(file)
    return f"sqlite:///{file}"


def fill(uri: str, runs: int) -> None:
    """Fill an empty database."""
    subprocess.run(
        [sys.executable, str(MAKER), "--url", uri, "--runs", str(runs), "--hist-runs", "60", "--hist-metrics", "1"],
        check=True, capture_output=True, cwd=ROOT,
    )  # fmt: skip


def load() -> str:
    """The machine's load, to be printed with every table."""
    return f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
