"""Reading what untagged runs logged, in a thread: one at a time per workspace, watched from any tab."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from dashboard.services.frame import workspace
from dashboard.services.graph import forget_graph

if TYPE_CHECKING:
    from core.workspace import Workspace


@dataclass
class Reading:
    """How far it is, in runs; ``unread`` artifacts could not be had, ``error`` says what ended it early."""

    thread: threading.Thread
    done: int = 0
    total: int = 0
    unread: int = 0
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.thread.is_alive()


_readings: dict[Path, Reading] = {}
_guard = threading.Lock()


def reading() -> Reading | None:
    """The workspace's latest reading, None when nobody has asked for one."""
    return _readings.get(workspace().root)


def start_reading() -> None:
    """Read and hash the artifacts, unless that goes on already; the graph is joined anew at the end."""
    ws = workspace()
    with _guard:
        known = _readings.get(ws.root)
        if known is None or not known.running:
            thread = threading.Thread(target=_read, args=(ws,), name="lineage-hash", daemon=True)
            _readings[ws.root] = Reading(thread)
            thread.start()


def _read(ws: Workspace) -> None:
    from core.lineage.artifacts import candidates, hash_artifacts

    told = _readings[ws.root]

    def progress(done: int, total: int) -> None:
        told.done, told.total = done, total

    try:
        told.unread = hash_artifacts(ws, candidates(ws.runs.search().runs()), progress).unread
    except ModelDeskError as error:
        told.error = f"{error.what} {error.way_out}".strip()
    forget_graph()
