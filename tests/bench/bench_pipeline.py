"""Reading pipelines against DVC itself: CPU seconds (user and system, children included) as ratios.

Every number is the best of three, of the same machine and run. Usage: python tests/bench/bench_pipeline.py
"""

from __future__ import annotations

import compileall
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from core.pipeline.measures import read_metrics, read_params  # noqa: E402
from core.pipeline.read import read_pipeline  # noqa: E402

ROUNDS = 3
PARAMS = "seed: 7\ntrain:\n  lr: 1e-3\n"
REVISIONS = 100
DVC_REVISIONS = 4
ENVIRONMENT = {
    **os.environ,
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PYTHONPATH": str(ROOT),
}

OURS = "from pathlib import Path; from core.pipeline.read import read_pipeline; "
OUR_GRAPH = OURS + "import sys; p = read_pipeline(Path(sys.argv[1])); sys.stdout.write(str(p.edges))"
OUR_STATUS = (
    "from core.pipeline.status import stage_states; "
    + OURS
    + "import sys; sys.stdout.write(str(stage_states(read_pipeline(Path(sys.argv[1])))))"
)
OUR_STATUS_WORK = (
    "from core.pipeline.status import stage_states; stage_states(read_pipeline(Path(sys.argv[1])))"
)
THEIR_REVISIONS = """
import sys
from dvc.repo import Repo
for number in range(int(sys.argv[2])):
    with Repo.open(sys.argv[1], rev=f"HEAD~{number}") as repo:
        repo.index.stages, repo.metrics.show(), repo.params.show()
"""


def make(folder: Path, files: int, stages: int) -> Path:
    """A DVC project of ``files`` dvc.yaml files with ``stages`` stages each, in chains of ten, with locks."""
    shell(["git", "init", "-q", str(folder)], folder.parent)
    shell([sys.executable, "-m", "dvc", "init", "-q"], folder)
    for number in range(files):
        place = folder / f"part{number}" if files > 1 else folder
        place.mkdir(exist_ok=True)
        (place / "params.yaml").write_text(PARAMS)
        (place / "run.py").write_text("print('stage')\n")
        (place / "raw.csv").write_text("id\n")
        (place / "dvc.yaml").write_text("stages:\n" + "".join(stage(n) for n in range(stages)))
        (place / "dvc.lock").write_text("schema: '2.0'\nstages:\n" + "".join(lock(n) for n in range(stages)))
    return folder


def upstream(number: int) -> str:
    return f"out/o{number - 1}.bin" if number % 10 else "raw.csv"


def stage(number: int) -> str:
    return f"""\
  stage_{number}:
    cmd: python run.py --stage {number} --lr 0.001
    deps:
    - {upstream(number)}
    - run.py
    params:
    - seed
    - train.lr
    outs:
    - out/o{number}.bin
    metrics:
    - m/m{number}.json:
        cache: false
"""


def lock(number: int) -> str:
    return f"""\
  stage_{number}:
    cmd: python run.py --stage {number} --lr 0.001
    deps:
    - path: {upstream(number)}
      hash: md5
      md5: a{number:031x}
      size: 12345
    - path: run.py
      hash: md5
      md5: b{7:031x}
      size: 12
    params:
      params.yaml:
        seed: 7
        train.lr: 0.001
    outs:
    - path: m/m{number}.json
      hash: md5
      md5: c{number:031x}
      size: 40
    - path: out/o{number}.bin
      hash: md5
      md5: a{number + 1:031x}
      size: 999
"""


def shell(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def cpu() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def cost(
    work: Callable[[], object], rounds: int = ROUNDS, prepare: Callable[[], object] = lambda: None
) -> float:
    """The least CPU seconds of ``work`` in ``rounds``."""
    best = float("inf")
    for _ in range(rounds):
        prepare()
        before = cpu()
        work()
        best = min(best, cpu() - before)
    return best


def dvc(folder: Path, *arguments: str) -> Callable[[], object]:
    return lambda: shell([sys.executable, "-m", "dvc", *arguments], folder)


def row(work: str, ours: float, peer: str, theirs: float, goal: int) -> None:
    print(
        f"{work:<52} {ours:>9.4f}  {peer:<30} {theirs:>9.4f}  {theirs / ours:>7.1f}x  (goal {goal}x)",
        flush=True,
    )


def graph(folder: Path) -> None:
    big = make(folder / "big", 1, 2000)
    ours = cost(lambda: shell(python(OUR_GRAPH, str(big)), folder))
    row(
        "stages + edges of 2,000 stages, cold process",
        ours,
        "dvc dag --dot",
        cost(dvc(big, "dag", "--dot"), 2),
        15,
    )


def one_change(folder: Path) -> None:
    many = make(folder / "many", 50, 40)
    cold = cold_read(many)
    read_pipeline(many)
    file = many / "part3" / "dvc.yaml"

    def change() -> None:
        file.write_text(file.read_text() + "# changed\n")

    warm = cost(lambda: read_pipeline(many), 10, change)
    row("2,000 stages in 50 files, one file changed", warm, "our own cold read", cold, 10)


def cold_read(folder: Path) -> float:
    """CPU of the first read in a process that has done its imports."""
    return in_process(folder, "import core.pipeline.units", "read_pipeline(Path(sys.argv[1]))")


def in_process(folder: Path, imports: str, work: str) -> float:
    """The least CPU seconds of ``work`` in three fresh processes, after ``imports``."""
    code = (
        f"import resource as r, sys; {OURS}{imports}\n"
        "def cpu(): return sum(u.ru_utime + u.ru_stime for u in map(r.getrusage, (r.RUSAGE_SELF, r.RUSAGE_CHILDREN)))\n"
        f"before = cpu(); {work}; print(cpu() - before)"
    )
    runs = (subprocess.check_output(python(code, str(folder)), env=ENVIRONMENT) for _ in range(ROUNDS))
    return min(float(text) for text in runs)


def status(folder: Path) -> None:
    medium = run_once(make(folder / "medium", 1, 500))
    ours = cost(lambda: shell(python(OUR_STATUS, str(medium)), folder))
    row(
        "status of 500 stages, cold process", ours, "dvc status", cost(dvc(medium, "status", "--json"), 2), 15
    )
    ours = in_process(medium, "import core.pipeline.units", OUR_STATUS_WORK)
    theirs = in_process(
        medium, "import os; from dvc.repo import Repo; os.chdir(sys.argv[1])", "Repo().status()"
    )
    row("status of 500 stages, imports done on both sides", ours, "Repo().status()", theirs, 15)


def run_once(folder: Path) -> Path:
    """Give every output a small content that lock, cache and working tree agree on: all is up to date."""
    text = (folder / "dvc.lock").read_text()
    cache = folder / ".dvc" / "cache" / "files" / "md5"
    wanted = {"raw.csv": "id\n", "run.py": "print('stage')\n"}
    wanted |= {f"out/o{number}.bin": f"out {number}" for number in range(500)}
    wanted |= {f"m/m{number}.json": f'{{"auroc": 0.{number + 1}}}' for number in range(500)}
    for name, content in wanted.items():
        digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
        entry = re.compile(
            rf"(- path: {re.escape(name)}\n      hash: md5\n      md5: )\w+(\n      size: )\d+"
        )
        text = entry.sub(rf"\g<1>{digest}\g<2>{len(content)}", text)
        for path in (folder / name, cache / digest[:2] / digest[2:]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    (folder / "dvc.lock").write_text(text)
    return folder


def history(folder: Path) -> None:
    small = make(folder / "small", 1, 50)
    (small / "m").mkdir()
    for number in range(50):
        (small / "m" / f"m{number}.json").write_text(json.dumps({"auroc": 0.5, "n": number}))
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for number in range(REVISIONS):
        (small / "m" / "m0.json").write_text(json.dumps({"auroc": number / REVISIONS}))
        (small / "params.yaml").write_text(
            "".join(f"s{n}: {{lr: 0.{number + 1}, n: {n}}}\n" for n in range(50))
        )
        changed = lock(0).replace("c0", f"d{number:x}", 1)
        (small / "dvc.lock").write_text(
            "schema: '2.0'\nstages:\n" + changed + "".join(lock(n) for n in range(1, 50))
        )
        shell(["git", "add", "-A"], small)
        shell(["git", *identity, "commit", "-qm", f"run {number}"], small)
    names = ", ".join(f"'HEAD~{number}'" for number in range(REVISIONS))
    code = (
        "from core.pipeline.measures import read_metrics, read_params; from pathlib import Path; import sys\n"
        f"p, names = Path(sys.argv[1]), [{names}]; read_metrics(p, names); read_params(p, names)"
    )
    ours = cost(lambda: shell(python(code, str(small)), folder)) / REVISIONS
    assert len(read_metrics(small, ["HEAD", "HEAD~50"])) == len(read_params(small, ["HEAD", "HEAD~50"])) == 2
    start_up = cost(lambda: shell(python("import dvc.repo"), folder), 1)
    theirs = cost(lambda: shell(python(THEIR_REVISIONS, str(small), str(DVC_REVISIONS)), folder), 1)
    opened = (theirs - start_up) / DVC_REVISIONS
    row(
        "metrics + params per revision, of 100 revisions",
        ours,
        "Repo.open(rev), metrics, params",
        opened,
        100,
    )
    pair = cost(dvc(small, "metrics", "diff", "HEAD~1", "HEAD"), 2)
    row("the same 100 revisions in all", ours * REVISIONS, "dvc metrics diff of ONE pair", pair, 1)


def main() -> None:
    # The peer's modules were compiled when it was installed; a checkout's are not where Python writes no bytecode.
    compileall.compile_dir(ROOT / "core", quiet=1)
    print(f"{'CPU seconds':<52} {'ours':>9}  {'against':<30} {'theirs':>9}  {'ratio':>8}")
    for measure in (graph, one_change, status, history):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder).resolve())


if __name__ == "__main__":
    main()
