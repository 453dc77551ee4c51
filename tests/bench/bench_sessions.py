"""Twenty people on the run table at once against one: how long a search takes on the server, and the memory.

Each session is a WebSocket that speaks Streamlit's own protocol: it opens the Experiments page and then searches
again and again, as a browser does (the search field's fragment first, then the page), with a pause to think between
(seeded, 2 to 6 s), as people do. Seconds from sending a search to the end of the page. About two minutes.
"""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.bench.stores import LARGE, load, require_maker, sqlite_store
from tests.browser.conftest import running

SESSIONS = 20
SEARCHES = 6
THINKING_S = (2.0, 6.0)
REACH = 5
WHOLE = ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY


class Session:
    """One person's browser tab, without the browser."""

    def __init__(self, url: str, seed: int) -> None:
        self.random = random.Random(seed)
        address = f"{url.replace('http', 'ws')}/_stcore/stream"
        self.open = contextlib.ExitStack()
        self.socket: ClientConnection = self.open.enter_context(
            connect(address, subprotocols=["streamlit"], max_size=None, origin=url)
        )
        self.seconds: list[float] = []
        self.error = ""
        self.field = self.fragment = ""
        self.page = ""
        self.table_bytes = 0
        self.ask("")

    def ask(self, text: str) -> None:
        """Run the page with ``text`` in its search field, to the end of the script."""
        message = BackMsg()
        message.rerun_script.query_string = (
            "q=" + text.replace(" ", "%20").replace(">", "%3E") if text else ""
        )
        message.rerun_script.page_name = "experiments"
        message.rerun_script.page_script_hash = self.page
        if self.field:
            message.rerun_script.fragment_id = self.fragment
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.string_value = self.field, text
        self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(self.socket.recv(timeout=120))
            self._note(answer)
            if answer.WhichOneof("type") == "script_finished" and answer.script_finished == WHOLE:
                return

    def _note(self, answer: ForwardMsg) -> None:
        kind = answer.WhichOneof("type")
        if kind == "navigation":
            self.page = answer.navigation.page_script_hash
        elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
            element = answer.delta.new_element
            if element.WhichOneof("type") == "text_input" and element.text_input.label == "Search":
                self.field, self.fragment = element.text_input.id, answer.delta.fragment_id
            elif element.WhichOneof("type") == "dataframe":
                self.table_bytes = len(element.dataframe.arrow_data.data)
            elif element.WhichOneof("type") == "exception":
                self.error = element.exception.message
            elif element.WhichOneof("type") == "alert":
                self.error = element.alert.body

    def work(self) -> None:
        """Search, look, think, and search again."""
        for _ in range(SEARCHES):
            time.sleep(self.random.uniform(*THINKING_S))
            self.table_bytes, start = 0, time.perf_counter()
            self.ask(f"metrics.val_auc > {self.random.uniform(0.5, 0.95):.3f}")
            self.seconds.append(time.perf_counter() - start)
            if not self.table_bytes:
                self.error = "a search showed no table"


def measure(url: str, sessions: int) -> tuple[list[float], list[str]]:
    """Seconds of every search of so many people at once, and what went wrong."""
    people = [Session(url, seed) for seed in range(sessions)]
    threads = [threading.Thread(target=person.work) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [second for person in people for second in person.seconds]
    wrong = [
        person.error or "a search did not end"
        for person in people
        if person.error or len(person.seconds) < SEARCHES
    ]
    for person in people:
        person.open.close()
    return found, wrong


def server(url: str) -> Path:
    """What /proc tells of the server behind ``url``."""
    port = url.rpartition(":")[2]
    for folder in Path("/proc").iterdir():
        try:
            if f"--port\0{port}\0".encode() in (folder / "cmdline").read_bytes():
                return folder
        except OSError:
            continue
    raise RuntimeError(f"no server behind {url}")


def resident_mb(process: Path) -> float:
    """Resident memory."""
    return int((process / "status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def cpu_s(process: Path) -> float:
    """CPU seconds so far."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    if not require_maker():
        return
    uri = sqlite_store(LARGE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "modeldesk.toml").write_text(f'name = "Bench"\n[mlflow]\ntracking_uri = "{uri}"\n')
        with running(folder, folder / "server.log") as url:
            process = server(url)
            measure(url, 1)
            alone, wrong = measure(url, 1)
            before, worked = resident_mb(process), cpu_s(process)
            together, errors = measure(url, SESSIONS)
            per_session = (resident_mb(process) - before) / SESSIONS
            worked = (cpu_s(process) - worked) / (len(together) + SESSIONS)
    one, p95 = statistics.median(alone), statistics.quantiles(together, n=20)[-1]
    print(f"{load()}; store of {LARGE:,} runs, its largest experiment; {SEARCHES} searches a session")
    print(
        "| work | one session, median s | 20 sessions, p95 s | ratio | reach | met |\n|---|---|---|---|---|---|"
    )
    met = "yes" if p95 <= REACH * one and not errors + wrong else "NO"
    print(f"| search on the run table | {one:.3f} | {p95:.3f} | {p95 / one:.1f} | <= {REACH} | {met} |")
    print(
        f"errors: {len(errors + wrong)} {(errors + wrong)[:1]}; memory per session: {per_session:.1f} MB; "
        f"CPU of the server per search: {worked:.3f} s"
    )


if __name__ == "__main__":
    main()
