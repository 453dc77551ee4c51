"""A command at work says so on a terminal, until it says something itself; elsewhere it adds nothing."""

from __future__ import annotations

import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import pytest

from core.cli import at_work
from core.cli.at_work import shown_at_work


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Makes stderr a terminal; gives back what it shows up to what is waited for, a pattern."""
    monkeypatch.setattr(at_work, "QUIET_S", 0.0)
    monkeypatch.setattr(at_work, "EVERY_S", 0.01)
    reader, writer = pty.openpty()
    shown = ""

    def until(words: str) -> str:
        nonlocal shown
        while not re.search(words, shown):
            shown += os.read(reader, 1024).decode()
        return shown

    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        yield until


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_line_is_drawn_until_the_command_speaks(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    with terminal(monkeypatch) as shown_up_to:
        before = sys.stdout, sys.stderr
        with shown_at_work():
            shown_up_to("working.*\rworking.* s")
            print("its own words", file=getattr(sys, stream))
            print("the end", file=sys.stderr)
        own = "its own words\r\n" if stream == "stderr" else ""
        assert re.search(rf"working, \d+ s\r +\r{own}the end\r\n$", shown_up_to("the end\r\n"))
        assert (sys.stdout, sys.stderr) == before


def test_an_error_finds_the_line_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as shown_up_to:
        with pytest.raises(ValueError, match="bad"), shown_at_work():
            shown_up_to("working")
            raise ValueError("bad")
        print("error", file=sys.stderr)
        assert re.search(r" s\r +\rerror", shown_up_to("error\r\n"))


def test_a_log_that_is_no_terminal_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log := StringIO())
    with shown_at_work():
        assert sys.stderr is log
    assert log.getvalue() == ""


def test_a_stream_that_was_closed_before_the_start_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with shown_at_work():
        assert sys.stderr is None
