"""Builds the demo workspace: phases one after the other, the parts of a phase in processes side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.demo import relocate, state
from core.demo.story import FULL, REVISION_STEPS, Scale
from core.errors import Unavailable

MODELS = ("biopsy-triage", "diagnosis-risk", "readmission-30d")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Parts that run side by side, and what an interrupted attempt may leave half-made."""

    name: str
    parts: tuple[str, ...]
    outputs: tuple[str, ...] = ()


PHASES = (
    Phase(name="store", parts=("store",), outputs=("mlflow",)),
    Phase(name="training", parts=("project", "experiments"), outputs=("project", "dvc-remote")),
    Phase(name="serving", parts=("notebooks", "serving"), outputs=("predictions", "labels")),
    Phase(
        name="decisions",
        parts=("decisions",),
        outputs=("ledger.db", "ledger.db.locks", "policy.yaml", "deploy.db", ".modeldesk/artifacts"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A finished demo workspace; ``seconds`` is how long its building took, all attempts together."""

    workspace: Path
    seconds: float

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking URI."""
        return f"sqlite:///{self.workspace / 'mlflow' / 'mlflow.db'}"

    @property
    def dvc_project(self) -> Path:
        """The git and DVC repository."""
        return self.workspace / "project"


def steps(scale: Scale) -> int:
    """How often ``advance`` will be called while everything is built, about."""
    triage = 3 * scale.seeds * scale.settings
    others = 3 * min(scale.settings, 2) * (scale.seeds + min(scale.seeds, 2))
    return 1 + scale.revisions * REVISION_STEPS + triage + others + 2 * 5 + 1 + 3 + 1


def create(
    directory: Path, *, now: datetime, scale: Scale = FULL, advance: Progress = lambda part: None
) -> Demo:
    """The demo workspace at ``directory``: built, finished or simply found.

    ``advance`` is called with the part's name as work gets done. Raises BadInput for a folder that holds
    something else, Conflict while another process builds it, Unavailable when a part fails.
    """
    root = directory.expanduser().resolve()
    current = state.load(root)
    if current is None or len(current.done) < len(PHASES) or current.root != str(root):
        current = _build(root, current, now, scale, advance)
    return Demo(workspace=root, seconds=current.seconds)


def _build(
    root: Path, current: state.State | None, now: datetime, scale: Scale, advance: Progress
) -> state.State:
    lock = state.lock(root)
    try:
        current = current or state.State(scale=scale.name, now=now, root=str(root))
        state.save(root, current)
        if current.root != str(root):
            relocate.relocate(root)
            current = state.load(root)
        for phase in PHASES:
            if phase.name in current.done:
                continue
            started = time.monotonic()
            state.begin(root, phase.name, phase.outputs)
            _run(root, phase, current, lock, advance)
            current = current.finish(phase.name, time.monotonic() - started)
            state.save(root, current)
            state.end(root, phase.name)
        return current
    finally:
        os.close(lock)


def _run(root: Path, phase: Phase, current: state.State, lock: int, advance: Progress) -> None:
    """Run the parts of a phase; whatever ends it early ends all of them, with their children."""
    parts = {part: _start(root, part, current, lock) for part in phase.parts}
    readers = [
        threading.Thread(target=_follow, args=(part, process, advance), daemon=True)
        for part, process in parts.items()
    ]
    try:
        for reader in readers:
            reader.start()
        waiting = dict(parts)
        while waiting:
            for part, process in list(waiting.items()):
                if process.poll() is None:
                    continue
                del waiting[part]
                if process.returncode:
                    raise _failure(root, part)
            time.sleep(0.05)
    finally:
        for process in parts.values():
            _stop(process)
        for reader in readers:
            reader.join(timeout=5)


def _start(root: Path, part: str, current: state.State, lock: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "core.demo.worker",
        part,
        str(root),
        current.scale,
        current.now.isoformat(),
    ]
    with _log_file(root, part).open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            command,
            env=_environment(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _environment(root: Path) -> dict[str, str]:
    """What the workers see: nothing of the user's MLflow, DVC or git, and one thread each."""
    foreign = ("MLFLOW_", "DVC_", "GIT_", "MODELDESK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join([scripts, kept.get("PATH", os.defpath)]),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "MLFLOW_TRACKING_URI": state.mlflow_store.tracking_uri(root),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "DVC_NO_ANALYTICS": "true",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _follow(part: str, process: subprocess.Popen[str], advance: Progress) -> None:
    for _ in process.stdout:
        advance(part)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _log_file(root: Path, part: str) -> Path:
    return root / state.FOLDER / f"{part}.log"


def _failure(root: Path, part: str) -> Unavailable:
    file = _log_file(root, part)
    lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "no message"
    return Unavailable(
        f"Building the part '{part}' of the demo failed: {last}",
        f"The log is {file}; the same command goes on from the last finished phase.",
    )
