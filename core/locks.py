"""A lock between processes on one machine, held through a file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict, Unavailable

_PAUSE_S = 0.02


@contextmanager
def file_lock(file: Path, wait_s: float) -> Iterator[None]:
    """Hold ``file`` alone; the system lets go when the process ends.

    Raises Conflict after ``wait_s``, and Unavailable where no file can be written (a read-only disk).
    """
    descriptor = _opened(file)
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


def _opened(file: Path) -> int:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Unavailable(
            f"{file.parent} cannot be written: {error.strerror}.",
            "Nothing was changed. Check the disk and the folder's permissions; reading still works.",
        ) from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
