"""A lock between processes on one machine, held through a file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict

_PAUSE_S = 0.02


@contextmanager
def file_lock(file: Path, wait_s: float) -> Iterator[None]:
    """Hold ``file`` alone; the system lets go when the process ends. Raises Conflict after ``wait_s``."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + wait_s
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Someone else has been changing the same thing for over {wait_s:g} s.",
                    "Nothing was changed; try again in a moment.",
                )
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
