"""Building the demo on a small scale: interrupted, resumed, repeated, refused, moved."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.demo import create as demo
from core.demo import state
from core.demo.relocate import relocate
from core.demo.story import SMALL
from core.errors import BadInput, Conflict, Unavailable

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
BUILD = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
from datetime import datetime
from pathlib import Path
from core.demo.create import create
from core.demo.story import SMALL
create(Path(sys.argv[1]), now=datetime.fromisoformat("{NOW.isoformat()}"), scale=SMALL, advance=print)
"""


Metrics = dict[tuple[str, str], tuple[tuple[object, ...], ...]]


def metrics(workspace: Path) -> Metrics:
    """What the runs of each experiment with the same params logged; the time that training took is no result."""
    query = """
        SELECT e.name, (SELECT group_concat(p.key || p.value) FROM
            (SELECT key, value FROM params WHERE run_uuid = r.run_uuid ORDER BY key) p), m.key, m.step, m.value
        FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id)
        WHERE m.key != 'train_seconds' ORDER BY 1, 2, 3, 4, 5
    """
    found: dict[tuple[str, str], dict[tuple[object, ...], None]] = {}
    with closing(sqlite3.connect(f"file:{workspace}/mlflow/mlflow.db?mode=ro", uri=True)) as store:
        for experiment, params, *logged in store.execute(query):
            found.setdefault((experiment, params), {})[tuple(logged)] = None
    return {key: tuple(logged) for key, logged in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A small demo whose building was ended by Ctrl-C in its second phase, and was then begun again."""

    folder: Path
    home: Path
    code: int
    done: tuple[str, ...]
    before: Metrics
    lock: str


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    root = tmp_path_factory.mktemp("small")
    folder, home = root / "demo", root / "home"
    home.mkdir()
    command = [sys.executable, "-c", BUILD, str(folder)]
    environment = os.environ | {"HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as first:
        # Both parts of the second phase are well under way, and one revision is committed, when Ctrl-C comes.
        next(line for line in first.stdout if line.strip() == "project")
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=120)
    _nothing_runs_on(folder)
    half = state.load(folder)
    attempt = Resumed(
        folder=folder, home=home, code=first.returncode, done=half.done if half else (),
        before=metrics(folder), lock=_first_lock(folder),
    )  # fmt: skip
    subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    return attempt


@pytest.fixture
def small(resumed: Resumed) -> Path:
    """That demo, finished."""
    return resumed.folder


@pytest.mark.slow
def test_an_interrupted_build_resumes_and_gives_the_same_metrics(
    resumed: Resumed, demo_workspace: Path
) -> None:
    """The same as before Ctrl-C, and as in the whole demo, which holds every run of these two experiments."""
    assert resumed.code != 0 and resumed.done == ("store",)
    after, whole = metrics(resumed.folder), metrics(demo_workspace)
    assert any(experiment == "diagnosis" for experiment, _ in resumed.before)
    for key, logged in resumed.before.items():
        assert set(logged) <= set(after[key]), key
    others = {key: logged for key, logged in after.items() if key[0] != "diagnosis"}
    assert len(others) > 10 and others.items() <= whole.items()
    assert _without_run_id(_first_lock(resumed.folder)) == _without_run_id(resumed.lock)
    assert not [path.name for path in resumed.home.iterdir() if path.name != ".cache"]


def _first_lock(workspace: Path) -> str:
    """dvc.lock as the first revision committed it."""
    git = ["git", "-C", str(workspace / "project")]
    oldest = subprocess.run(
        [*git, "rev-list", "--max-parents=0", "main"], capture_output=True, text=True, check=True
    )
    show = [*git, "show", f"{oldest.stdout.strip()}:dvc.lock"]
    return subprocess.run(show, capture_output=True, text=True, check=True).stdout


def _without_run_id(lock: str) -> str:
    """dvc.lock without the hash of models/run_id.txt: a run's id is new in each build."""
    lines = lock.splitlines()
    return "\n".join(
        line
        for number, line in enumerate(lines)
        if "run_id.txt" not in " ".join(lines[max(0, number - 2) : number])
    )


def _nothing_runs_on(workspace: Path) -> None:
    """No process may go on writing: the lock, which every worker holds, is free."""
    deadline = time.monotonic() + 10
    while True:
        try:
            os.close(state.lock(workspace))
            return
        except Conflict:
            assert time.monotonic() < deadline, "a worker outlived the build"
            time.sleep(0.1)


def test_a_second_call_changes_nothing(small: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*") if path.is_file()}
    started = time.monotonic()
    again = demo.create(small, now=datetime.now(UTC), scale=SMALL)
    assert time.monotonic() - started < 1
    assert again.seconds > 0
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*") if path.is_file()} == before


def test_the_command_prints_what_the_contract_says(small: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "demo", "create", str(small), "--output", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert set(answer) == {"schema_version", "workspace", "tracking_uri", "dvc_project", "models", "seconds"}
    assert answer["models"] == ["biopsy-triage", "diagnosis-risk", "readmission-30d"]
    assert Path(answer["dvc_project"]).is_dir()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="no demo workspace"):
        demo.create(tmp_path, now=NOW, scale=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    holder = state.lock(tmp_path / "demo")
    try:
        with pytest.raises(Conflict, match="Another process"):
            demo.create(tmp_path / "demo", now=NOW, scale=SMALL)
    finally:
        os.close(holder)


def test_a_failing_part_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = demo.Phase(name="store", parts=("no-such-part",))
    monkeypatch.setattr(demo, "PHASES", (broken,))
    with pytest.raises(Unavailable, match="no-such-part") as caught:
        demo.create(tmp_path / "demo", now=NOW, scale=SMALL)
    assert "no-such-part.log" in caught.value.way_out


def test_a_moved_workspace_finds_its_artifacts(small: Path, tmp_path: Path) -> None:
    import shutil

    from core.workspace import open_workspace

    moved = tmp_path / "elsewhere"
    shutil.copytree(small, moved, symlinks=True)
    relocate(moved)
    ws = open_workspace(moved)
    for version in ws.registry.versions():
        folder = ws.registry.folder(version.model, version.version)
        assert folder is not None and folder.is_relative_to(moved)
    assert str(small).encode() not in (moved / "mlflow" / "mlflow.db").read_bytes()
    relocate(moved)


def test_only_a_demo_workspace_is_relocated(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no demo workspace"):
        relocate(tmp_path)
