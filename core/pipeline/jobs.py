"""Reproductions in the background: started, watched and cancelled from any process.

A job is a folder under ``.dvc/tmp/modeldesk``: the request, a journal of events, DVC's log and the final
report. A detached runner does the work, so closing the browser or the terminal does not stop it. A file lock
in the git folder allows one job per repository; it goes when the runner goes, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.errors import BadInput, Conflict, NotFound, Unavailable
from core.pipeline.git import find_repository

JOBS = Path(".dvc", "tmp", "modeldesk")
_LOCK_ATTEMPTS = 10
_TAIL_BYTES = 256 * 1024


class JobState(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class StageOutcome(StrEnum):
    """What a job did with a stage."""

    RUNNING = "running"
    RAN = "ran"
    CACHED = "cached"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobStage:
    """A stage that a job has reached; ``seconds`` is None while it runs."""

    name: str
    state: StageOutcome
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A reproduction as its journal tells it."""

    job_id: str
    folder: Path
    command: tuple[str, ...]
    started_at: datetime
    state: JobState
    stages: tuple[JobStage, ...] = ()
    finished_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None

    @property
    def report(self) -> dict[str, Any] | None:
        """The report of a finished job: stages, metric and param changes, git state; None before."""
        file = self.folder / "report.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def start(project: Path, command: Sequence[str], *, actor: str = "") -> Job:
    """Start ``dvc`` with ``command`` (``("repro", ...)``) in the background.

    Raises Conflict while another job runs in the same repository.
    """
    root = project.resolve()
    if not (root / ".dvc").is_dir():
        raise NotFound(f"{root} is not a DVC project.", "Name the folder that holds .dvc.")
    job_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    lock = _take_lock(root, job_id)
    try:
        folder = root / JOBS / job_id
        folder.mkdir(parents=True)
        request = {
            "job_id": job_id,
            "root": str(root),
            "command": list(command),
            "actor": actor,
            "started_at": datetime.now(UTC).isoformat(),
        }
        (folder / "job.json").write_text(json.dumps(request), encoding="utf-8")
        runner = _launch(folder, lock)
        os.pwrite(lock, f"{job_id} {runner}".encode(), 0)
    finally:
        os.close(lock)
    return read_job(root, job_id)


def jobs(project: Path) -> tuple[Job, ...]:
    """All jobs of the project, newest first."""
    base = project.resolve() / JOBS
    folders = sorted((path.parent.name for path in base.glob("*/job.json")), reverse=True)
    return tuple(read_job(project, name) for name in folders)


def read_job(project: Path, job_id: str) -> Job:
    """The job as it stands now; raises NotFound."""
    root = project.resolve()
    folder = root / JOBS / job_id
    if Path(job_id).name != job_id or not (folder / "job.json").is_file():
        raise NotFound(f"There is no job '{job_id}' in {root}.", "'pipeline jobs' lists them.")
    request = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    events, end = _told(folder)
    held = end is None and _is_held(root, job_id)
    if end is None and not held:
        events, end = _told(folder)  # the runner may have written its end and gone since
    return Job(
        job_id=job_id,
        folder=folder,
        command=tuple(request["command"]),
        started_at=datetime.fromisoformat(request["started_at"]),
        state=JobState(end["state"]) if end else JobState.RUNNING if held else JobState.INTERRUPTED,
        stages=tuple(_stages(events)),
        finished_at=datetime.fromisoformat(end["at"]) if end else None,
        exit_code=end["exit_code"] if end else None,
        error=end.get("error") if end else None,
    )


def running(project: Path) -> Job | None:
    """The job that is running in this project, if any."""
    holder = lock_holder(project.resolve())
    if holder is None or not (project.resolve() / JOBS / holder[0]).is_dir():
        return None
    job = read_job(project, holder[0])
    return job if job.state is JobState.RUNNING else None


def cancel(project: Path, job_id: str) -> None:
    """Ask the runner to stop the job: DVC gets an interrupt, 5 s later a stronger signal.

    Raises Conflict when the job is not running any more.
    """
    holder = lock_holder(project.resolve())
    if holder is None or holder[0] != job_id or holder[1] is None:
        raise Conflict(f"The job {job_id} is not running.", "Its report says how it ended.")
    os.kill(holder[1], signal.SIGTERM)


def wait(
    project: Path,
    job_id: str,
    *,
    poll_s: float = 0.2,
    timeout_s: float | None = None,
    watch: Callable[[Job], object] = lambda job: None,
) -> Job:
    """The job once it is finished, told to ``watch`` at each look; raises Unavailable after ``timeout_s``."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        job = read_job(project, job_id)
        watch(job)
        if job.state is not JobState.RUNNING:
            return job
        if deadline is not None and time.monotonic() > deadline:
            raise Unavailable(f"The job {job_id} is still running.", "It goes on; look again later.")
        time.sleep(poll_s)


def log_tail(project: Path, job_id: str, lines: int = 200) -> str:
    """The last ``lines`` lines that DVC and the stages printed (of the last 256 KiB)."""
    file = read_job(project, job_id).folder / "log.txt"
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:])


def repro_command(
    names: Sequence[str], known: Sequence[str], *, force: bool = False, downstream: bool = False
) -> tuple[str, ...]:
    """``dvc repro`` for the named stages (all without names); raises BadInput for a name DVC does not know."""
    for name in names:
        if name not in known:
            raise BadInput(f"There is no stage '{name}'.", _similar(name, known))
    if downstream and not names:
        raise BadInput("--downstream needs a stage to start from.", "Name one or more stages.")
    flags = [flag for flag, wanted in (("--force", force), ("--downstream", downstream)) if wanted]
    return ("repro", *flags, "--", *names)


def _similar(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 3)
    return f"Did you mean {', '.join(close)}?" if close else "'pipeline status' lists the stages."


def lock_holder(root: Path) -> tuple[str, int | None] | None:
    """(job id, runner's process id) of the job that holds the repository's lock; None when it is free."""
    file = _lock_file(root)
    if not file.is_file():
        return None
    descriptor = os.open(file, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        job_id, _, pid = file.read_text(encoding="utf-8").partition(" ")
        return job_id, int(pid) if pid.strip().isdigit() else None
    finally:
        os.close(descriptor)
    return None


def _take_lock(root: Path, job_id: str) -> int:
    file = _lock_file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    if not _locked(descriptor):
        os.close(descriptor)
        holder = file.read_text(encoding="utf-8").partition(" ")[0]
        raise Conflict(
            f"Another job ({holder}) is running in this repository.", "Wait for it, or cancel it first."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, job_id.encode(), 0)
    return descriptor


def _locked(descriptor: int) -> bool:
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Someone may only be looking whether it is held, which takes microseconds.
            time.sleep(0.02)
        else:
            return True
    return False


def _lock_file(root: Path) -> Path:
    repository = find_repository(root)
    return repository.git_dir / "modeldesk-job.lock" if repository else root / JOBS / "lock"


def _launch(folder: Path, lock: int) -> int:
    top = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(top), os.environ.get("PYTHONPATH", "")])}
    with (folder / "runner.err").open("wb") as errors:
        runner = subprocess.Popen(
            [sys.executable, "-m", "core.pipeline.job_runner", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            # Held, not used: the lock is free again when the runner is gone.
            pass_fds=(lock,),
            env=environment,
        )
    return runner.pid


def _is_held(root: Path, job_id: str) -> bool:
    holder = lock_holder(root)
    return holder is not None and holder[0] == job_id


def _told(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """All events of the journal, and the one that says how the job ended."""
    events = list(_events(folder))
    return events, next((event for event in events if event["event"] == "finished"), None)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    file = folder / "journal.jsonl"
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.endswith("}"):
            yield json.loads(line)


def _stages(events: Sequence[dict[str, Any]]) -> Iterator[JobStage]:
    found: dict[str, JobStage] = {}
    for event in events:
        if event["event"] == "stage":
            found[event["name"]] = JobStage(event["name"], StageOutcome(event["state"]), event.get("seconds"))
    yield from found.values()
