"""The detached process behind a job: runs ``dvc``, follows its output, writes journal, log and report.

Run as ``python -m core.pipeline.job_runner FOLDER`` by :func:`core.pipeline.jobs.start`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import ModelDeskError
from core.pipeline.git import find_repository, run
from core.pipeline.jobs import JobState, StageOutcome
from core.pipeline.measures import Measures, differences, read_metrics, read_params
from core.pipeline.read import read_pipeline

_RUNNING = re.compile(r"Running stage '(?P<name>.+)':")
_UNCHANGED = re.compile(r"(?:Stage )?'(?P<name>.+)' didn't change, skipping")
_CACHED = re.compile(r"Stage '(?P<name>.+)' is cached - skipping run, checking out outputs")
_FAILED = re.compile(r"ERROR: failed to reproduce '(?P<name>[^']+)'")
_KILL_AFTER_S = 5.0


class Follower:
    """Turns DVC's output into events of known stages; stages' own output passes by."""

    def __init__(self, names: Iterable[str], journal: Any, clock: Any = time.monotonic) -> None:
        self._names = frozenset(names)
        self._journal = journal
        self._clock = clock
        self._current: tuple[str, float] | None = None

    def line(self, text: str) -> None:
        """Look at one line of DVC's output."""
        for pattern, outcome in (
            (_RUNNING, StageOutcome.RUNNING),
            (_CACHED, StageOutcome.CACHED),
            (_UNCHANGED, StageOutcome.UNCHANGED),
            (_FAILED, StageOutcome.FAILED),
        ):
            match = pattern.match(text.strip())
            if match and match["name"] in self._names:
                self._reached(match["name"], outcome)
                return

    def _reached(self, name: str, outcome: StageOutcome) -> None:
        if outcome is StageOutcome.FAILED and self._current and self._current[0] == name:
            self.end(StageOutcome.FAILED)
            return
        self.end(StageOutcome.RAN)
        if outcome is StageOutcome.RUNNING:
            self._current = (name, self._clock())
            self._journal("stage", name=name, state=outcome)
        else:
            self._journal("stage", name=name, state=outcome, seconds=0.0)

    def end(self, outcome: StageOutcome) -> None:
        """The running stage, if any, has come to its end."""
        if self._current:
            name, since = self._current
            self._current = None
            self._journal("stage", name=name, state=outcome, seconds=round(self._clock() - since, 3))


def main(folder: Path) -> int:
    """Carry the job out; the exit code is DVC's."""
    request = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    stop = _Stop()
    root = Path(request["root"])
    events: list[dict[str, Any]] = []
    with (folder / "journal.jsonl").open("a", encoding="utf-8") as journal:

        def note(event: str, **fields: Any) -> None:
            entry = {"at": datetime.now(UTC).isoformat(), "event": event, **fields}
            events.append(entry)
            journal.write(json.dumps(entry) + "\n")
            journal.flush()

        before = _measured(root)
        git_before = _git_state(root)
        code = _run(root, request["command"], folder / "log.txt", note, stop)
        state = JobState.CANCELLED if stop.wanted else JobState.FAILED if code else JobState.SUCCEEDED
        report = _report(request, state, code, events, before, _measured(root))
        report["git"] = {"before": git_before, "after": _git_state(root)}
        (folder / "report.json").write_text(json.dumps(report, default=str), encoding="utf-8")
        note("finished", state=state, exit_code=code, error=_error(folder / "log.txt") if code else None)
    return code


def _run(root: Path, command: list[str], log: Path, note: Any, stop: _Stop) -> int:
    names = _names(root)
    note("started", command=command)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", *command],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    )
    stop.found(process.pid)
    follower = Follower(names, note)
    if process.stdout is not None:
        _follow(process.stdout, log, follower)
    code = process.wait()
    signal.setitimer(signal.ITIMER_REAL, 0)
    follower.end(StageOutcome.FAILED if code else StageOutcome.RAN)
    return code


def _follow(stream: BinaryIO, log: Path, follower: Follower) -> None:
    with log.open("wb") as copy:
        for line in stream:
            copy.write(line)
            copy.flush()
            follower.line(line.decode("utf-8", "replace"))


class _Stop:
    """Passes a cancellation on to DVC and its stages: first an interrupt, then SIGTERM, then SIGKILL."""

    def __init__(self) -> None:
        self._group: int | None = None
        self._signals = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
        self.wanted = False
        signal.signal(signal.SIGTERM, self.asked)
        signal.signal(signal.SIGALRM, self.insist)

    def found(self, group: int) -> None:
        self._group = group
        if self.wanted:
            self.insist()

    def asked(self, *_: object) -> None:
        self.wanted = True
        self.insist()

    def insist(self, *_: object) -> None:
        if not self._signals or self._group is None:
            return
        try:
            os.killpg(self._group, self._signals.pop(0))
        except ProcessLookupError:
            return
        signal.setitimer(signal.ITIMER_REAL, _KILL_AFTER_S)


def _names(root: Path) -> tuple[str, ...]:
    try:
        return tuple(stage.name for stage in read_pipeline(root).stages)
    except ModelDeskError:
        return ()


def _measured(root: Path) -> tuple[Measures | None, Measures | None]:
    try:
        return read_metrics(root)[0], read_params(root)[0]
    except ModelDeskError:
        return None, None


def _report(
    request: dict[str, Any],
    state: JobState,
    code: int,
    events: list[dict[str, Any]],
    before: tuple[Measures | None, Measures | None],
    after: tuple[Measures | None, Measures | None],
) -> dict[str, Any]:
    stages = {event["name"]: event for event in events if event["event"] == "stage"}
    return {
        "job_id": request["job_id"],
        "command": ["dvc", *request["command"]],
        "actor": request["actor"],
        "started_at": request["started_at"],
        "finished_at": datetime.now(UTC).isoformat(),
        "state": state,
        "exit_code": code,
        "stages": [
            {"name": name, "state": event["state"], "seconds": event.get("seconds")}
            for name, event in stages.items()
        ],
        "metric_changes": _changes(before[0], after[0]),
        "params": after[1].values if after[1] else {},
    }


def _changes(before: Measures | None, after: Measures | None) -> list[dict[str, Any]]:
    if before is None or after is None:
        return []
    return [
        {
            "file": one.file,
            "key": one.key,
            "before": one.values[0],
            "after": one.values[1],
            "delta": one.delta,
        }
        for one in differences((before, after))
    ]


def _git_state(root: Path) -> dict[str, Any] | None:
    repository = find_repository(root)
    if repository is None:
        return None
    try:
        head = run(root, "rev-parse", "HEAD").strip()
    except ModelDeskError:
        head = None
    return {"commit": head, "dirty": bool(run(root, "status", "--porcelain", "--untracked-files=no").strip())}


def _error(log: Path) -> str | None:
    lines = log.read_bytes().decode("utf-8", "replace").splitlines() if log.is_file() else []
    return next((line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")), None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
