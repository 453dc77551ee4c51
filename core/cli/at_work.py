"""Tells whoever sits at the terminal that a command is at work, until it says something itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any, TextIO

QUIET_S = 2.0
EVERY_S = 1.0


@contextmanager
def shown_at_work() -> Iterator[None]:
    """The seconds so far on stderr, after the first two; nothing where stderr is no terminal."""
    closed = sys.stderr is None or sys.stdout is None  # by whoever started it
    if closed or not sys.stderr.isatty():
        yield
        return
    streams, line = (sys.stdout, sys.stderr), _Line(sys.stderr)
    sys.stdout, sys.stderr = (_Ending(stream, line.end) for stream in streams)  # type: ignore[assignment]
    try:
        yield
    finally:
        line.end()
        sys.stdout, sys.stderr = streams


class _Line:
    """One line of a terminal, drawn over again by a thread until it is ended and wiped."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._drawn = ""
        self._over, self._drawing = Event(), Lock()
        Thread(target=self._draw, daemon=True).start()

    def _draw(self) -> None:
        begun, wait = time.monotonic(), QUIET_S
        while not self._over.wait(wait):
            with self._drawing:
                if not self._over.is_set():
                    self._drawn = f"working, {time.monotonic() - begun:.0f} s"
                    self._write(f"\r{self._drawn}")
            wait = EVERY_S

    def end(self) -> None:
        """Wipe the line; nothing is drawn from now on."""
        with self._drawing:
            if not self._over.is_set() and self._drawn:
                self._write(f"\r{' ' * len(self._drawn)}\r")
            self._over.set()

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()


class _Ending:
    """A stream before whose first word ``end`` is called."""

    def __init__(self, stream: TextIO, end: Callable[[], None]) -> None:
        self._stream, self._end = stream, end

    def write(self, text: str) -> int:
        self._end()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
