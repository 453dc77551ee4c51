"""What the command line costs: CPU seconds of each --help, of status and approval check, of a CI job's gate step.

CPU (user and system) of whole processes, so the load of the machine hardly counts; the evaluation itself (resampling
over the test rows) is measured apart and taken off the gate step. Validation reads a generated file in bounded memory.
Usage: python tests/bench/bench_cli.py [WORKSPACE] [MEGABYTES]   (default: .demo 200)
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from core.cli.main import app
from core.demo.relocate import relocate
from tests.contract.test_command_examples import commands

ROOT = Path(__file__).parents[2]
ROUNDS = 3
POLICY = 'tiers: [{name: t, models: ["*"], gates: [{metric: auroc, against: champion, margin: 0.01}]}]\n'
SCHEMA = "columns: {age: {type: number, min: 0, max: 130, missing: 0.1}, patient_id: {type: text}}\n"
_EVALUATION = """
import sys, time
from pathlib import Path
from core.registry.candidate import candidate_item, judge_candidate
from core.workspace import open_workspace
ws = open_workspace(Path(sys.argv[1])); item = candidate_item(ws, None, "diagnosis-risk/9")
import core.compare.resampling, core.compare.delong, core.compare.paired
start = time.process_time(); judge_candidate(ws, item, policy=Path(sys.argv[2])); print(time.process_time() - start)
"""


def cpu(*words: str, codes: tuple[int, ...] = (0,)) -> float:
    """CPU seconds of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "core", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in codes, (words, done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(*words: str, codes: tuple[int, ...] = (0,)) -> float:
    """The median of some rounds."""
    return statistics.median(cpu(*words, codes=codes) for _ in range(ROUNDS))


def slowest_help() -> tuple[str, float, int]:
    """The command whose --help costs most, and how many were asked."""
    names = [name for name, _ in commands(typer.main.get_command(app))]
    costs = {name: cpu(*name.split(), "--help") for name in names}
    worst = max(costs, key=costs.__getitem__)
    return worst, median(*worst.split(), "--help"), len(names)


def validation(folder: Path, megabytes: int) -> tuple[float, int, int]:
    """CPU seconds, peak memory in MB and rows of a validation of a generated file."""
    body = "".join(f"p{number},{number % 90}\n" for number in range(100_000))
    file, rows = folder / "big.csv", 0
    with file.open("w") as out:
        out.write("patient_id,age\n")
        while out.tell() < megabytes << 20:
            out.write(body)
            rows += 100_000
    (folder / "schema.yaml").write_text(SCHEMA)
    words = [
        sys.executable,
        "-m",
        "core",
        "validate-data",
        str(file),
        "--schema",
        str(folder / "schema.yaml"),
    ]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, rows


def main() -> None:
    workspace = Path(sys.argv[1] if len(sys.argv) > 1 else ".demo")
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    if not (workspace / "modeldesk.toml").is_file():
        sys.exit(f"no workspace at {workspace}: run `make demo` first")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        demo = folder / "demo"
        shutil.copytree(workspace, demo, symlinks=True)
        relocate(demo)
        policy = folder / "policy.yaml"
        policy.write_text(POLICY)
        at = ("--workspace", str(demo))
        name, help_cpu, asked = slowest_help()
        gate = median("gate", "--version", "diagnosis-risk/9", "--policy", str(policy), *at, codes=(0, 3, 4))
        alone = [sys.executable, "-c", _EVALUATION, str(demo), str(policy)]
        evaluation = float(subprocess.run(alone, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        report = median("report", "--version", "diagnosis-risk/9", "--policy", str(policy), *at)
        rows = [
            ("core --help (CPU s)", median("--help"), "< 0.5"),
            (f"slowest of {asked} --help: {name} (CPU s)", help_cpu, "< 0.5"),
            ("status (CPU s)", median("status", *at), "< 1.5"),
            (
                "approval check (CPU s)",
                median("approval", "check", "diagnosis-risk/9", *at, codes=(0, 5)),
                "< 1",
            ),
            ("gate (CPU s)", gate, ""),
            ("  of which evaluation (CPU s)", evaluation, ""),
            ("gate step: gate and report, without evaluations", gate + report - 2 * evaluation, "< 5"),
        ]
        started = time.perf_counter()
        seconds, peak, count = validation(folder, megabytes)
        wall = time.perf_counter() - started
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"{'work':<56}{'ours':>9}{'reach':>8}")
    for what, value, reach in rows:
        print(f"{what:<56}{value:>9.2f}{reach:>8}")
    print(f"{f'validate-data {megabytes} MB, {count:,} rows (CPU s)':<56}{seconds:>9.2f}")
    print(f"{f'  its peak memory (MB); wall {wall:.0f} s':<56}{peak:>9}{'< 600':>8}")


if __name__ == "__main__":
    main()
