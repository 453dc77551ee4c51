"""deployd looks for drift by a schedule: ``monitor`` in a process of its own, which can harm no endpoint.

It gets what is left of the processor, is the first to go when memory runs out, and is ended when it takes too long.
When it last ran is told by the time of its log, so that a restart of deployd repeats nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core.deploy import paths, processes
from core.errors import ExitCode

if TYPE_CHECKING:
    from core.settings import Settings

COMMAND = ("-m", "core", "monitor")
FIRST_AFTER_S = 600.0
"""A deployd that never looked has models to start first."""
LONGEST_S = 3600.0
NICE = 15
_LOOKED = (ExitCode.OK, ExitCode.CHECK_FAILED, ExitCode.INCONCLUSIVE)


class Lookout:
    """The schedule and the one process of a deployd."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._begun_at = time.time()
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.log = paths.state_dir(settings) / "logs" / "monitor.log"

    def tick(self) -> None:
        """Start a look that is due, and say how one went."""
        if self._process is not None:
            self._follow(self._process)
        elif self._settings.monitors and self._is_due(time.time()):
            self._process = self._start()

    def stop(self) -> None:
        """End a look under way; the next deployd does not repeat it before its time."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _is_due(self, now: float) -> bool:
        every = self._settings.deploy.monitor_every_h * 3600
        if every == 0:
            return False
        try:
            last = self.log.stat().st_mtime
        except FileNotFoundError:
            return now >= self._begun_at + FIRST_AFTER_S
        return not last <= now < last + every  # after a clock was set back a look of the future is none

    def _start(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._started_at = time.monotonic()
        with self.log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *COMMAND, "--workspace", str(self._settings.root)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).resolve().parents[2],
                start_new_session=True,
            )
        with suppress(OSError):  # it may have ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("900", encoding="ascii")
        return process

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        code = process.poll()
        if code is None:
            if time.monotonic() - self._started_at > LONGEST_S:
                self.stop()
                self._say(
                    f"monitor took more than {LONGEST_S / 3600:g} h and was ended; its log is {self.log}"
                )
            return
        self._process = None
        os.utime(self.log)
        if code in _LOOKED:
            self._say(
                f"monitor looked: {ExitCode(code).name.lower().replace('_', ' ')}; its log is {self.log}"
            )
        else:
            self._say(f"monitor failed ({code}): {processes.tail(self.log)}; its log is {self.log}")
