"""Processes that outlive the command that started them, known by pid and birth time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.deploy.types import Process

PATIENCE_S = 5.0


def spawn(command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path) -> Process:
    """Start ``command`` in its own session with stdout and stderr appended to ``log``."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as stream:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    return Process(pid=child.pid, create_time=_birth(child.pid) or 0.0)


def ask_apart(module: str, directory: Path, deadline_s: float, given: bytes = b"") -> bytes:
    """What ``python -m MODULE DIRECTORY`` prints, given ``given``: no credentials, no home, one thread for numbers.

    The module sets its own limits. Raises SubprocessError when it fails or takes longer.
    """
    root = Path(__file__).resolve().parents[2]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", module, str(directory)],
        input=given, capture_output=True, timeout=deadline_s, cwd=root, env=environment, check=True,
    )  # fmt: skip
    return done.stdout


def this_process() -> Process:
    """The process that asks."""
    return Process(pid=os.getpid(), create_time=_birth(os.getpid()) or 0.0)


def alive(process: Process | None) -> bool:
    """True when that very process still runs (a zombie does not)."""
    if process is None:
        return False
    with suppress(OSError):
        os.waitpid(process.pid, os.WNOHANG)  # collects it, should it be our own child that ended
    birth = _birth(process.pid)
    return birth is not None and abs(birth - process.create_time) < 0.011


def age_s(process: Process) -> float:
    """Seconds since it was started; on Linux a changed wall clock makes it neither older nor younger."""
    from_boot = Path("/proc/self/stat").exists()
    return (time.clock_gettime(time.CLOCK_BOOTTIME) if from_boot else time.time()) - process.create_time


def with_argument(argument: str) -> tuple[Process, ...]:
    """Processes of this user that were started with ``argument``, a path that nobody else would name.

    Without /proc (macOS) none is found.
    """
    wanted = os.fsencode(argument)
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in file.read_bytes().split(b"\0") and file.stat().st_uid == os.getuid():
                found.append(int(file.parent.name))
    return tuple(Process(pid=pid, create_time=birth) for pid in found if (birth := _birth(pid)) is not None)


def parent_of(pid: int) -> Process | None:
    """The process that started ``pid``; None when that cannot be told."""
    fields = _stat(pid)
    birth = _birth(int(fields[1])) if fields else None
    return Process(pid=int(fields[1]), create_time=birth) if birth is not None else None


def stop(process: Process | None, patience_s: float = PATIENCE_S) -> None:
    """End the process: SIGTERM, ``patience_s`` seconds, SIGKILL.

    A scoring server that hangs in predict ignores SIGTERM, so the kill is part of the normal road.
    """
    for step in (signal.SIGTERM, signal.SIGKILL):
        if process is None or not alive(process):
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, step)
        _wait_gone(process, patience_s)


def tail(log: Path, lines: int = 1) -> str:
    """The last lines of a process's log, for an error message; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 8192))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def _wait_gone(process: Process, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)


def _birth(pid: int) -> float | None:
    """Seconds from boot to the start of a living process; None for none and for zombies.

    Linux counts from boot, so that a changed wall clock makes no process a stranger; elsewhere psutil's
    creation time is taken.
    """
    if not Path("/proc/self/stat").exists():
        return _birth_elsewhere(pid)
    fields = _stat(pid)
    return int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields and fields[0] not in "ZX" else None


def _stat(pid: int) -> list[str]:
    """What /proc says of a process after its name, beginning with its state; empty when it says nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _birth_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else found.create_time()
    except psutil.NoSuchProcess:
        return None
