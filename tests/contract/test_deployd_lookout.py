"""deployd runs ``monitor`` by its schedule, in a process of its own, and survives whatever that does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.deploy import lookout
from core.deploy.lookout import Lookout
from core.settings import Settings
from core.workspace import open_workspace
from tests.deploy_workspace import wait_until
from tests.watched_workspace import build

HANGS = ("-c", "import time; print('at it', flush=True); time.sleep(60)")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build(tmp_path, moved=1.0)
    monkeypatch.setattr(lookout, "FIRST_AFTER_S", 0.0)
    return tmp_path


def settings_of(root: Path, every_h: float = 24) -> Settings:
    found = open_workspace(root).settings
    deploy = found.deploy.model_copy(update={"monitor_every_h": every_h})
    return found.model_copy(update={"deploy": deploy})


def until_said(deployd: Lookout, said: list[str]) -> Callable[[], bool]:
    return lambda: (deployd.tick(), bool(said))[1]


def test_a_look_that_is_due_records_what_it_finds_and_is_not_repeated(root: Path) -> None:
    said: list[str] = []
    first = Lookout(settings_of(root), said.append)
    wait_until(until_said(first, said), 60)
    assert "monitor looked: check failed" in said[0]
    alerts = open_workspace(root).ledger.state().alerts.values()
    assert {alert.event.model for alert in alerts} == {"risk"}
    again = Lookout(settings_of(root), said.append)
    again.tick()
    assert again._process is None, "a restart of deployd repeats nothing"
    yesterday = time.time() - 25 * 3600
    os.utime(again.log, (yesterday, yesterday))
    again.tick()
    assert again._process is not None
    again.stop()


def test_never_when_it_is_off_or_nothing_is_watched(root: Path) -> None:
    off = Lookout(settings_of(root, 0), print)
    unwatched = Lookout(settings_of(root).model_copy(update={"monitors": ()}), print)
    for deployd in (off, unwatched):
        deployd.tick()
        assert deployd._process is None


def test_one_that_takes_too_long_is_ended_and_one_that_fails_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(lookout, "COMMAND", HANGS)
    deployd = Lookout(settings_of(root), said.append)
    deployd.tick()
    process = deployd._process
    wait_until(lambda: deployd.log.read_text() != "")
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == lookout.NICE
    monkeypatch.setattr(lookout, "LONGEST_S", 0.0)
    deployd.tick()
    assert process.poll() is not None and "was ended" in said[-1]
    deployd.log.unlink()
    monkeypatch.setattr(lookout, "LONGEST_S", 60.0)
    monkeypatch.setattr(lookout, "COMMAND", ("-c", "raise SystemExit('no disk')"))
    wait_until(lambda: (deployd.tick(), "no disk" in said[-1])[1])
    assert "monitor failed (1): no disk" in said[-1]
