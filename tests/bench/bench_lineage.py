"""Lineage of 100 runs, 50 versions and 500 stages: build and impact; a drawing of 500 nodes.

Real stores: a git repository whose lock file holds 500 stages over ten commits, and an MLflow SQLite database.
Wall milliseconds, medians, in one run on one machine. "first" is a fresh process that reads everything, with its
imports done before ("with imports" counts them too); "again" is what a page pays when a cache has expired and
nothing has changed. The goal for build and impact together is 200 ms, first and again.
Usage: python tests/bench/bench_lineage.py
"""

from __future__ import annotations

import compileall
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from core.lineage.build import Material, assemble, build  # noqa: E402
from core.lineage.gather import gather  # noqa: E402
from core.lineage.layout import layout  # noqa: E402
from core.lineage.questions import impact  # noqa: E402
from core.lineage.types import NodeKind  # noqa: E402
from core.workspace import Workspace, open_workspace  # noqa: E402
from dashboard.charts.lineage import lineage_chart  # noqa: E402
from dashboard.palette import LIGHT  # noqa: E402
from tests.model_store import ModelStore, new_model_store  # noqa: E402
from tests.pipeline_project import commit, git, write  # noqa: E402

STAGES, COMMITS, RUNS, VERSIONS, CHAIN = 500, 10, 100, 50, 10
GOAL_MS = 200


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def generation_of(chain: int, number: int, *, all_change: bool) -> int:
    """Which raw data a chain has at commit ``number``: new ones at each, or at one of the ten commits only."""
    if all_change:
        return number
    own = chain % COMMITS
    return own if number >= own else 0


def pipeline(number: int, *, all_change: bool) -> dict[str, str]:
    """dvc.yaml and dvc.lock of 50 chains of 10 stages as of commit ``number``."""
    stages, lock = ["stages:"], ["schema: '2.0'", "stages:"]
    for index in range(STAGES):
        chain, step = divmod(index, CHAIN)
        generation = generation_of(chain, number, all_change=all_change)
        source = f"data/{chain}_{step}.csv"
        target = f"models/{chain}.pkl" if step == CHAIN - 1 else f"data/{chain}_{step + 1}.csv"
        name, command = f"s{chain}_{step}", f"python step.py {chain} {step}"
        stages += [f"  {name}:", f"    cmd: {command}", f"    deps: [{source}]", f"    outs: [{target}]"]
        lock += [f"  {name}:", f"    cmd: {command}"]
        for section, path in (("deps", source), ("outs", target)):
            digest = md5(f"{path} {generation}")
            lock += [f"    {section}:", f"    - path: {path}", "      hash: md5", f"      md5: {digest}"]
    return {"dvc.yaml": "\n".join(stages) + "\n", "dvc.lock": "\n".join(lock) + "\n"}


def workspace(root: Path, *, all_change: bool) -> Workspace:
    """The stores; run r was logged by the last stage of chain r // 2 just before commit r % 10."""
    project = root / "project"
    project.mkdir(parents=True)
    git(project, "init", "-q")
    write(project, {".dvc/config": ""})
    heads = []
    for number in range(COMMITS):
        write(project, pipeline(number, all_change=all_change))
        heads.append(commit(project, f"commit {number}"))
    store = new_model_store(root / "mlflow")
    for number in range(RUNS):
        _run(store, number, heads, all_change=all_change)
    (root / "modeldesk.toml").write_text(
        '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n[dvc]\nprojects = ["project"]\n'
    )
    return open_workspace(root)


def _run(store: ModelStore, number: int, heads: list[str], *, all_change: bool) -> None:
    chain = number // 2
    generation = generation_of(chain, number % COMMITS, all_change=all_change)
    tags = {
        "dvc_stage": f"s{chain}_{CHAIN - 1}",
        "data_hash": md5(f"data/{chain}_{CHAIN - 1}.csv {generation}"),
        "mlflow_source_git_commit": heads[max(number % COMMITS - 1, 0)],
    }
    if number < VERSIONS:
        store.version(f"model-{number % 10}", **tags)
    else:
        store.run(**tags)


def milliseconds(work: Callable[[], object], rounds: int = 5) -> float:
    """The median wall time of ``work``."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def measure(folder: Path, *, all_change: bool) -> float:
    """Print the table of one history; milliseconds of the first build and impact."""
    ws = workspace(folder, all_change=all_change)
    material = gather(ws)
    graph = assemble(material)
    raw = md5(f"data/3_0.csv {generation_of(3, 6, all_change=all_change)}")
    versions = [version.node.id for version in impact(graph, raw).versions]
    assert "version:model-6/1" in versions and len(versions) <= 2, versions
    again = milliseconds(lambda: build(ws))
    joined = milliseconds(lambda: assemble(material))
    asked = statistics.median(_asked(material, raw) for _ in range(5))
    part = graph.only([node.id for node in graph.nodes][:500])
    nodes, edges = [node.id for node in part.nodes], [(edge.source, edge.target) for edge in part.edges]
    imports, first, cpu = fresh(folder, raw)
    rows = (
        ("build and impact, first", first),
        ("  its CPU time, git's included", cpu),
        ("  with imports", imports + first),
        ("build, again", again),
        ("  of it: join alone", joined),
        ("impact of one hash on a new graph", asked),
        ("layout of 500 nodes", milliseconds(lambda: layout(nodes, edges))),
        ("chart option of 500 nodes", milliseconds(lambda: lineage_chart(part, LIGHT))),
    )
    print(
        f"{len(graph.of_kind(NodeKind.STAGE)):,} executions, {len(graph.nodes):,} nodes, {len(graph.edges):,} edges"
    )
    for name, value in rows:
        print(f"  {name:<44}{value:>8.1f} ms")
    print(
        f"  build and impact, again: {again + asked:.0f} ms (ratio to the goal {GOAL_MS / (again + asked):.2f})"
    )
    return first


FRESH = """
import os, sys, time
start = time.perf_counter()
from pathlib import Path
import pandas, pyarrow
import core.experiments.filtering, core.experiments.filters, core.experiments.mlflow_sql, core.experiments.ordering
import core.experiments.runs, core.ledger.store, core.lineage.gather
import core.registry.mlflow_alias, core.registry.mlflow_sql, core.registry.open
from core.lineage.build import build
from core.lineage.questions import impact
from core.workspace import open_workspace
ready, cpu = time.perf_counter(), sum(os.times()[:4])
graph = build(open_workspace(Path(sys.argv[1])))
assert impact(graph, sys.argv[2]).versions
print(ready - start, time.perf_counter() - ready, sum(os.times()[:4]) - cpu)
"""


def fresh(folder: Path, raw: str) -> tuple[float, float, float]:
    """Milliseconds of imports, of the first build with its impact, and its CPU time: medians of five processes."""
    command = [sys.executable, "-c", FRESH, str(folder), raw]
    runs = [subprocess.check_output(command, text=True, cwd=ROOT).split() for _ in range(5)]
    imports, first, cpu = (statistics.median(float(run[place]) * 1000 for run in runs) for place in range(3))
    return imports, first, cpu


def _asked(material: Material, raw: str) -> float:
    graph = assemble(material)
    return milliseconds(lambda: impact(graph, raw), 1)


def main() -> None:
    """Print both tables; exit 1 when build and impact together miss the goal on the ordinary history."""
    compileall.compile_dir(ROOT / "core", quiet=1)  # as an installed program is
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"{RUNS} runs, {VERSIONS} versions, {STAGES} stages, {COMMITS} commits; a tenth changes at each commit"
        )
        total = measure(Path(folder) / "ordinary", all_change=False)
        print(f"  build and impact, first: {total:.0f} ms, goal {GOAL_MS} ms, ratio {GOAL_MS / total:.2f}")
        print("the same, everything changes at each commit (no goal)")
        measure(Path(folder) / "extreme", all_change=True)
    sys.exit(total > GOAL_MS)


if __name__ == "__main__":
    main()
