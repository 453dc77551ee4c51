"""What goes on beside the pages: serving, messages, and reading ahead for the first visitor.

The serving side is started after the first page when nobody runs it, and ended with the dashboard.

With ``deploy.engine`` set, ``python -m dashboard`` starts deployd unless one runs already; a second one ends by
itself, so nothing has to be asked first. What was started here ends here: Ctrl-C stops deployd, models and
router, and leaves alone what served before.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.access import local_actor
from core.errors import ModelDeskError
from core.settings import Settings
from core.workspace import open_workspace

log = logging.getLogger("modeldesk")

first_page_drawn = threading.Event()
"""Set when the first page is complete: loading models must not slow it down."""

FIRST_PAGE_S = 15.0
GOODBYE_S = 30.0
ALREADY = 7  # deployd's exit code when another one runs


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """deployd beside the dashboard while the block runs; nothing without an engine."""
    if settings.deploy.engine == "none":
        yield
        return
    beside = _Beside(settings.root)
    beside.start()
    try:
        yield
    finally:
        beside.end()


class _Beside:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._log = root / ".modeldesk" / "logs" / "deployd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()

    def start(self) -> None:
        """Start deployd after the first page, at the latest after some seconds."""
        threading.Thread(target=self._start_later, name="deployd", daemon=True).start()

    def end(self) -> None:
        """End what was started, and say what goes on."""
        self._ending.set()
        first_page_drawn.set()
        process = self._process
        if process is None:
            return
        if process.poll() == ALREADY:
            print(
                "The endpoints go on serving: deployd ran before. "
                f"`python -m core deployd shutdown --workspace {self._root}` ends them.",
                flush=True,
            )
            return
        print("Stopping the endpoints that were started with the dashboard ...", flush=True)
        process.terminate()
        try:
            process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            print(f"deployd did not end; its log is {self._log}.", flush=True)

    def _start_later(self) -> None:
        first_page_drawn.wait(FIRST_PAGE_S)
        if self._ending.is_set():
            return
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "core", "deployd", "run", "--stop-endpoints"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workspace", str(self._root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[1],
                start_new_session=True,  # Ctrl-C reaches the dashboard alone, which then ends it in order
            )


@asynccontextmanager
async def reading_ahead(_app: object) -> AsyncIterator[None]:
    """Loads what the first page needs while its visitor's browser still loads the front end."""
    threading.Thread(target=_read_ahead, name="reading ahead", daemon=True).start()
    yield


def _read_ahead() -> None:
    from core.attention import overview
    from dashboard import services
    from dashboard.parts import identity  # noqa: F401 -- with what it loads

    try:
        ws = services.workspace()
        overview(ws, local_actor(ws.settings), datetime.now(UTC))
    except ModelDeskError:
        return  # the page says it, with the way out


@contextmanager
def telling(settings: Settings, every_s: float = 30.0) -> Iterator[None]:
    """Messages are made and sent while the block runs; nothing without a channel."""
    if not settings.notify.channels:
        yield
        return
    ending = threading.Event()
    thread = threading.Thread(target=_tell, args=(settings.root, ending, every_s), name="notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()


def _tell(root: Path, ending: threading.Event, every_s: float) -> None:
    first_page_drawn.wait(FIRST_PAGE_S)
    while not ending.is_set():
        try:
            outbox = open_workspace(root).outbox
            now = datetime.now(UTC)
            outbox.fill(now)
            outbox.deliver(now)
        except ModelDeskError as error:
            log.warning("notifications: %s", error.what)
        ending.wait(every_s)
