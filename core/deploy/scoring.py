"""A small HTTP client for scoring servers, over Unix sockets and loopback; stdlib alone, so it loads fast."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

from core.deploy.types import Answer
from core.errors import Unavailable

# What the desk asks itself is no patient's request: the prediction log leaves it out.
MARK = "X-Model-Desk"
CHECK = {MARK: "check"}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def over_socket(path: Path, payload: Any, timeout_s: float, route: str | None = None) -> Answer:
    """One request to the server on a Unix socket; raises Unavailable when it does not answer in time."""
    return _ask(_UnixConnection(path, timeout_s), payload, route or _route(payload), timeout_s)


def over_loopback(port: int, payload: Any, timeout_s: float, headers: dict[str, str] | None = None) -> Answer:
    """One request to the router's port, as a client makes it; raises Unavailable."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    return _ask(connection, payload, _route(payload), timeout_s, headers)


def _route(payload: Any) -> str:
    return "/pulse" if payload is None else "/invocations"


def _ask(
    connection: http.client.HTTPConnection,
    payload: Any,
    route: str,
    timeout_s: float,
    headers: dict[str, str] | None = None,
) -> Answer:
    begin = time.perf_counter()
    try:
        if payload is None:
            connection.request("GET", route, headers=CHECK | (headers or {}))
        else:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            connection.request(
                "POST", route, body, {"Content-Type": "application/json"} | CHECK | (headers or {})
            )
        response = connection.getresponse()
        raw = response.read()
        version = response.headers.get("X-Model-Version", "")
        status = response.status
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"No answer from the scoring server within {timeout_s:g} s ({type(error).__name__}).",
            "Its log is in the workspace's .modeldesk/logs.",
        ) from error
    finally:
        connection.close()
    seconds = time.perf_counter() - begin
    number = int(version) if version.isdigit() else None
    return Answer(status=status, body=_json(raw), seconds=seconds, version=number)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
