"""Drift, measured: ratios to the floor, to SciPy and to the peers, memory, scale, the page, false alarms and power.

Run: python tests/bench/bench_drift.py  (CPU seconds, medians of three rounds taken in turn)
The peers run in environments of their own where MODELDESK_PEERS names a folder that holds them: ``evd`` with
evidently==0.7.23 and pandas==3.0.6, ``nml`` with nannyml==0.13.1 and statsmodels. Without it their ratios are quoted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.drift.cache import ProfileCache
from core.drift.check import check, reference_profile
from core.drift.monitor import monitor_report
from core.drift.policy import load_policy
from core.drift.profile import profile_like
from core.drift.sources import open_source
from core.drift.statistics.ks import test as ks_test
from core.drift.watched import open_watched, trend_of
from core.workspace import open_workspace

NUMBERS = [f"n{number}" for number in range(20)]
LEVELS = [f"c{number}" for number in range(5)]
PLANTED = 5
EVIDENTLY_TO_FLOOR, NANNYML_TO_FLOOR, EVIDENTLY_MB = 48.5 / 1.39, 5.3 / 1.39, 1415
"""Quoted where the peers are not run: CPU seconds over those of read and sort, from runs of November 2026 on tables
of this size (Evidently DataDriftPreset; NannyML KS without binning), and Evidently's peak memory."""
PEAK = """
def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
"""
"""The peak of this process alone: ru_maxrss of a child begins with its parent's."""
EVIDENTLY = (
    PEAK
    + """
import sys, time, pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
left, right = (pd.read_parquet(path) for path in sys.argv[1:3])
begin = time.process_time()
Report([DataDriftPreset()]).run(current_data=right, reference_data=left)
print(time.process_time() - begin, peak_mb())
"""
)
NANNYML = (
    PEAK
    + """
import sys, time, warnings, pandas as pd
warnings.simplefilter("ignore")
from nannyml import UnivariateDriftCalculator
left, right = (pd.read_parquet(path) for path in sys.argv[1:3])
names = [name for name in left if name.startswith("n")]
begin = time.process_time()
calculator = UnivariateDriftCalculator(
    column_names=names, continuous_methods=["kolmogorov_smirnov"], chunk_number=1,
    computation_params={"kolmogorov_smirnov": {"calculation_method": "exact"}},
)
calculator.fit(left)
calculator.calculate(right)
print(time.process_time() - begin, peak_mb())
"""
)


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


def ks_alone(files: tuple[Path, Path], cache: ProfileCache | None) -> None:
    """Exact D and p of the numeric columns, nothing else."""
    reference, current = map(open_source, files)
    for name in NUMBERS:
        known = reference_profile(reference, name, None, cache)
        ks_test(known.values, profile_like(known, current.column(name)).values)


def peer(name: str, code: str, files: tuple[Path, Path]) -> tuple[float, int] | None:
    """CPU seconds and peak MB of a peer in its own environment; None where there is none."""
    python = Path(os.environ.get("MODELDESK_PEERS", "-"), name, "bin", "python")
    if not python.exists():
        return None
    done = subprocess.run([python, "-c", code, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    seconds, megabytes = done.stdout.split()[-2:]
    return float(seconds), int(megabytes)


def speed(folder: Path) -> None:
    """The large check against the floor, SciPy and the peers."""
    rng = np.random.default_rng(0)
    for side, rows, shift in (("reference", 1_000_000, 0.0), ("current", 200_000, 0.3)):
        pq.write_table(table(rng, rows, shift, NUMBERS), folder / f"{side}.parquet")
    files = folder / "reference.parquet", folder / "current.parquet"
    cache = ProfileCache(folder / "cache")
    check(*files, cache=cache)
    found = medians(
        {
            "floor: read, sort, merge": lambda: floor(folder),
            "everything the page shows": lambda: check(*files),
            "the same, reference profile cached": lambda: check(*files, cache=cache),
            "exact KS alone": lambda: ks_alone(files, None),
            "exact KS alone, reference profile cached": lambda: ks_alone(files, cache),
            "SciPy ks_2samp loop, KS alone": lambda: scipy_loop(folder),
        }
    )
    base = found["floor: read, sort, merge"]
    print("| 1M x 25 against 200k x 25 | CPU s | ratio to the floor |\n| --- | --- | --- |")
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / base:.2f} |")
    evidently, nannyml = peer("evd", EVIDENTLY, files), peer("nml", NANNYML, files)
    for name, measured, quoted in (
        ("Evidently DataDriftPreset", evidently, EVIDENTLY_TO_FLOOR),
        ("NannyML KS, exact", nannyml, NANNYML_TO_FLOOR),
    ):
        seconds, how = (measured[0], "run") if measured else (quoted * base, "quoted")
        print(f"| {name} ({how}) | {seconds:.2f} | {seconds / base:.2f} |")
    everything, alone = found["everything the page shows"], found["exact KS alone"]
    cached, scipy = found["the same, reference profile cached"], found["SciPy ks_2samp loop, KS alone"]
    against_evidently = (evidently[0] if evidently else EVIDENTLY_TO_FLOOR * base) / everything
    against_nannyml = (nannyml[0] if nannyml else NANNYML_TO_FLOOR * base) / alone
    print("\n| reach | measured |\n| --- | --- |")
    print(f"| everything >= 25 times faster than Evidently | {against_evidently:.1f} |")
    print(f"| exact KS >= 2 times faster than NannyML | {against_nannyml:.1f} |")
    print(f"| everything, cached, >= 6 times faster than SciPy's KS | {scipy / cached:.1f} |")
    print(f"| everything <= 1.5 times the floor | {everything / base:.2f} |")
    peak, theirs = memory(folder), (evidently or (0, EVIDENTLY_MB))[1]
    print(f"| peak memory <= 0.3 times Evidently's {theirs} MB | {peak} MB, {peak / theirs:.2f} |")
    print("\n| 10k x 20 against 2k x 20, interactive < 150 ms | CPU ms |\n| --- | --- |")
    for label, shift in (("no drift", 0.0), ("5 columns moved", 0.3)):
        small = [
            table(rng, rows, by, NUMBERS).select(NUMBERS) for rows, by in ((10_000, 0.0), (2_000, shift))
        ]
        taken = medians({"check": lambda pair=small: check(*pair)})["check"]
        print(f"| {label} | {1000 * taken:.0f} |")


def memory(folder: Path) -> int:
    """Peak MB of a process of its own that does nothing but the large check."""
    code = PEAK + "import sys; from core.drift.check import check; check(*sys.argv[1:3]); print(peak_mb())"
    return int(_alone(code, *(folder / f"{side}.parquet" for side in ("reference", "current"))))


def _alone(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def by_day(folder: Path) -> None:
    """Days of a million rows x 5 columns, each judged against one cached reference in one process."""
    code = (
        PEAK
        + """
import sys, time, numpy as np, pyarrow as pa
from core.drift.cache import ProfileCache
from core.drift.check import check
folder, days = sys.argv[1], int(sys.argv[2])
cache, rng = ProfileCache(__import__("pathlib").Path(folder) / "cache"), np.random.default_rng(5)
spent = 0.0
for day in range(days):
    table = pa.table({name: rng.normal(day / 500, 1, 1_000_000) for name in ("n0", "n1", "n2", "n3", "n4")})
    begin = time.process_time()
    check(f"{folder}/reference.parquet", table, cache=cache, columns=table.column_names)
    spent += time.process_time() - begin
    del table
print(f"{spent:.1f} {peak_mb()}")
"""
    )
    print("\n| rows, by day | CPU s | s per 1M rows | peak MB (reach: < 2,000) |\n| --- | --- | --- | --- |")
    for days in (5, 10, 50):
        seconds, peak = _alone(code, folder, days).split()
        print(f"| {days}M x 5 | {seconds} | {float(seconds) / days:.2f} | {peak} |", flush=True)


def page(folder: Path) -> None:
    """What the page needs for 25 columns x 60 days: everything once, then from what was kept."""
    rng, root = np.random.default_rng(2), folder / "page"
    (root / "log").mkdir(parents=True)
    (root / "modeldesk.toml").write_text(
        '[[monitors]]\nmodel = "m"\npredictions = "log"\nreference = "train.parquet"\n', encoding="utf-8"
    )
    pq.write_table(table(rng, 20_000, 0.0, NUMBERS), root / "train.parquet")
    for day in range(60):
        start, rows = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day), 2_000
        log = table(rng, rows, day / 200, NUMBERS)
        log = log.append_column("timestamp", pa.array([start] * rows)).append_column(
            "score", pa.array(rng.random(rows))
        )
        log = log.append_column("request_id", pa.array([f"{day}-{row}" for row in range(rows)]))
        pq.write_table(log, root / "log" / f"{start:%Y-%m-%d}.parquet")
    ws, taken = open_workspace(root), {}
    for round_ in ("first", "kept"):
        for name, act in (
            ("verdict", lambda: monitor_report(ws, "m")),
            ("map of 25 columns x 60 windows", lambda: trend_of(open_watched(ws, "m"))),
        ):
            begin = time.process_time()
            act()
            taken[name, round_] = time.process_time() - begin
    print(
        "\n| the page, 25 columns x 60 windows | first look, CPU s | from kept profiles (reach: verdict < 1 s) |"
    )
    print("| --- | --- | --- |")
    for name in ("verdict", "map of 25 columns x 60 windows"):
        print(f"| {name} | {taken[name, 'first']:.2f} | {taken[name, 'kept']:.2f} |")


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        speed(Path(scratch))
        by_day(Path(scratch))
        page(Path(scratch))
    alarms()
