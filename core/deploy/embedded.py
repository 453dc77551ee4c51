"""The engine for one machine: HAProxy in front, one MLflow scoring server per slot on a Unix socket."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.deploy import haproxy, haproxy_runtime, paths, processes, scoring, served_files, served_log
from core.deploy.types import (
    Answer,
    Artifact,
    Endpoint,
    EndpointKey,
    Process,
    Request,
    Slot,
    SlotName,
    SlotTraffic,
)
from core.errors import Conflict, Unavailable
from core.settings import Settings

SERVER = "core.deploy.mlflow_server:app"
PING_S = 2.0
ROUTER_START_S = 5.0
HUNG_ROUTER_S = 0.5
"""A router that does not answer has nothing to finish."""
# What a scoring server needs to run; no credential and no tracking URI is handed on.
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
KEPT_PREFIXES = ("OPENBLAS_", "OMP_", "MKL_")


class EmbeddedEngine:
    """Serves on this machine. Stateless: everything it is told comes from the deployment store."""

    name = "embedded"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._memory_mb = settings.deploy.memory_mb
        self._logs = paths.state_dir(settings) / "logs"
        self._admin = self.folder / haproxy.ADMIN_SOCKET
        self._config = self.folder / "haproxy.cfg"

    @property
    def folder(self) -> Path:
        """The 0700 folder of sockets and configuration; made again when a cleaner of temporary files took it."""
        return paths.run_dir(self._settings)

    def start(self, endpoint: Endpoint, name: SlotName, version: int, artifact: Artifact) -> Process:
        """A scoring server for ``artifact``; it answers after some seconds, see :meth:`alive`."""
        where = self._socket(endpoint, name)
        for stray in processes.with_argument(str(where)):
            processes.stop(stray)
        where.unlink(missing_ok=True)
        command = [sys.executable, "-m", "uvicorn", "--uds", str(where), "--log-level", "warning"]
        command += ["--no-access-log", SERVER]
        environment = self._environment() | {
            "__pyfunc_model_path__": str(artifact.directory),
            "MODELDESK_VERSION": str(version),
            "MODELDESK_SHA256": artifact.sha256,
            "MODELDESK_MEMORY_MB": str(self._memory_mb),
            "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "20",
        }
        if log := served_files.config_for(self._settings, endpoint.key, name):
            environment[served_log.VARIABLE] = log.text()
        with paths.on_disk():
            return processes.spawn(
                command, log=self.log_of(endpoint, name), environment=environment, cwd=_code_root()
            )

    def alive(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when the process lives and its socket says the version that the slot should hold."""
        if not processes.alive(slot.process):
            return False
        try:
            answer = scoring.over_socket(self._socket(endpoint, slot.name), None, PING_S)
        except Unavailable:
            return False
        return answer.status == 200 and answer.version == slot.version

    def ended(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when the slot's process is gone."""
        return not processes.alive(slot.process)

    def score(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """One request to the slot itself."""
        return scoring.over_socket(self._socket(endpoint, slot), payload, timeout_s)

    def probabilities(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """What the slot's classifier says of each class."""
        return scoring.over_socket(self._socket(endpoint, slot), payload, timeout_s, "/probabilities")

    def ask(self, endpoint: Endpoint, payload: Any, timeout_s: float) -> Answer:
        """One request through the router."""
        own = {scoring.MARK: haproxy.own_word(self.folder)}
        return scoring.over_loopback(endpoint.port, payload, timeout_s, own)

    def stop(self, endpoint: Endpoint, slot: Slot) -> None:
        """End the slot's process and remove its socket."""
        processes.stop(slot.process)
        self._socket(endpoint, slot.name).unlink(missing_ok=True)

    def drop_strays(self, endpoints: tuple[Endpoint, ...], busy: Callable[[], frozenset[EndpointKey]]) -> int:
        """End scoring servers of slots that are not recorded: whoever started them died before saying so."""
        strays = []
        for endpoint in endpoints:
            for name in SlotName:
                slot = endpoint.slot(name)
                found = processes.with_argument(str(self._socket(endpoint, name)))
                strays += [(endpoint.key, p) for p in found if slot is None or slot.process != p]
        ended = [process for key, process in strays if key not in busy()] if strays else []
        for process in ended:
            processes.stop(process)
        return len(ended)

    def log_of(self, endpoint: Endpoint, name: SlotName) -> Path:
        """The file that holds what the slot's server printed."""
        return self._logs / f"{paths.endpoint_id(endpoint.key)}-{name}.log"

    def last_words(self, endpoint: Endpoint, name: SlotName) -> str:
        """The last line of the slot's log."""
        return processes.tail(self.log_of(endpoint, name)) or "its log is empty"

    def observe(self, endpoint: Endpoint) -> Mapping[SlotName, SlotTraffic]:
        """The router's counters for the endpoint's slots; raises Unavailable."""
        return haproxy_runtime.slots(self._admin, f"e{paths.endpoint_id(endpoint.key)}")

    def recent(self) -> tuple[Request, ...]:
        """Recent requests to all endpoints; raises Unavailable."""
        return haproxy_runtime.recent(self._admin)

    def set_weights(self, endpoint: Endpoint) -> None:
        """Switch traffic; takes about a millisecond. Raises Unavailable when the router is down."""
        haproxy_runtime.change(self._admin, haproxy.runtime_commands(endpoint))

    def write_config(self, endpoints: tuple[Endpoint, ...]) -> bool:
        """The desired state on disk, whole or not at all; True when it differs from what was there."""
        text = haproxy.render(endpoints, self.folder, haproxy.own_word(self.folder))
        if self._config.is_file() and self._config.read_text(encoding="utf-8") == text:
            return False
        draft = self._config.with_suffix(f".{uuid.uuid4().hex[:8]}.tmp")
        with paths.on_disk(), draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._config)
        return True

    def apply(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Write the configuration and bring the router to it: started, reloaded or told, as needed."""
        with paths.on_disk(), self._router_lock():
            before = self._listeners()
            self.write_config(endpoints)
            if not self.router_alive():
                self._start_router(endpoints)
            elif before != self._listeners():
                self._reload_router(endpoints)
            else:
                for endpoint in endpoints:
                    self.set_weights(endpoint)

    def router_alive(self) -> bool:
        """True when a router answers on the administration socket."""
        try:
            return haproxy_runtime.pid(self._admin) > 0
        except Unavailable:
            return False

    def stop_router(self) -> None:
        """End the router; every endpoint of this workspace stops answering."""
        process = self._router_process()
        processes.stop(process)
        self._admin.unlink(missing_ok=True)

    def _start_router(self, endpoints: tuple[Endpoint, ...]) -> None:
        processes.stop(self._router_process(), HUNG_ROUTER_S)
        for stray in processes.with_argument(str(self._config)):
            processes.stop(stray, HUNG_ROUTER_S)  # a worker that hangs outlives its master and keeps the port
        for endpoint in endpoints:
            _check_port_free(endpoint)
        command = [str(haproxy.binary()), "-W", "-db", "-f", str(self._config)]
        log = self._logs / "router.log"
        process = processes.spawn(command, log=log, environment=self._environment(), cwd=self.folder)
        (self.folder / "router.pid").write_text(f"{process.pid} {process.create_time!r}", encoding="utf-8")
        self._wait_router(process, log, old_worker=None)

    def _reload_router(self, endpoints: tuple[Endpoint, ...]) -> None:
        process = self._router_process()
        if process is None or not processes.alive(process):
            self._start_router(endpoints)
            return
        worker = haproxy_runtime.pid(self._admin)
        os.kill(process.pid, signal.SIGUSR2)
        self._wait_router(process, self._logs / "router.log", old_worker=worker)

    def _wait_router(self, process: Process, log: Path, *, old_worker: int | None) -> None:
        deadline = time.monotonic() + ROUTER_START_S
        while time.monotonic() < deadline and processes.alive(process):
            try:
                if haproxy_runtime.pid(self._admin) != old_worker:
                    return
            except Unavailable:
                pass
            time.sleep(0.01)
        raise Unavailable(f"The router did not start: {processes.tail(log)}", f"Its log is {log}.")

    def _router_process(self) -> Process | None:
        try:
            pid, birth = (self.folder / "router.pid").read_text(encoding="utf-8").split()
            recorded = Process(pid=int(pid), create_time=float(birth))
            return recorded if processes.alive(recorded) else self._answering_router()
        except (OSError, ValueError):
            return self._answering_router()

    def _answering_router(self) -> Process | None:
        """The parent of the worker that answers: whoever started it died before writing its pid."""
        try:
            return processes.parent_of(haproxy_runtime.pid(self._admin))
        except Unavailable:
            return None

    def _listeners(self) -> tuple[str, ...]:
        try:
            lines = self._config.read_text(encoding="utf-8").splitlines()
        except OSError:
            return ()
        return tuple(line for line in lines if " bind " in line)

    def _socket(self, endpoint: Endpoint, slot: SlotName) -> Path:
        return paths.slot_socket(self.folder, endpoint.key, slot)

    def _environment(self) -> dict[str, str]:
        """Nothing that could be a credential; the home folder, where such files lie, is not handed on either."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        kept |= {name: value for name, value in os.environ.items() if name.startswith(KEPT_PREFIXES)}
        return kept | {"HOME": str(self.folder), "PYTHONPATH": str(_code_root()), "PYTHONUNBUFFERED": "1"}

    @contextmanager
    def _router_lock(self) -> Iterator[None]:
        with (self.folder / "router.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _code_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _check_port_free(endpoint: Endpoint) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", endpoint.port))
        except OSError as error:
            raise Conflict(
                f"Port {endpoint.port} of {endpoint.key} is taken by another program.",
                "Free it, or name another under deploy.ports in modeldesk.toml.",
            ) from error
