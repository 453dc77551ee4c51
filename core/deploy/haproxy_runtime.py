"""Talking to a running router over its Unix socket: commands, counters and the ring of recent requests."""

from __future__ import annotations

import csv
import socket
from collections.abc import Iterable
from pathlib import Path

from core.deploy.haproxy import RING
from core.deploy.types import Request, SlotName, SlotTraffic
from core.errors import Unavailable


def command(path: Path, text: str, timeout_s: float = 2.0) -> str:
    """The router's answer to one or more commands joined by ``;``; raises Unavailable."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(text.encode() + b"\n")
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
    except OSError as error:
        raise Unavailable(
            f"The router does not answer on its socket ({error.strerror or type(error).__name__}).",
            "`python -m core deployd run` starts it again from the recorded state.",
        ) from error
    return b"".join(parts).decode("utf-8", "replace")


def change(path: Path, commands: Iterable[str]) -> None:
    """Run commands that answer nothing when they succeed; raises Unavailable with the router's complaint."""
    answer = command(path, "; ".join(commands)).strip()
    if answer:
        raise Unavailable(f"The router refused a change: {answer.splitlines()[0]}.", "See the router's log.")


def pid(path: Path) -> int:
    """The process id of the worker that answers on the socket."""
    for line in command(path, "show info").splitlines():
        if line.startswith("Pid: "):
            return int(line[5:])
    raise Unavailable("The router answered without its process id.", "Start deployd again.")


def slots(path: Path, backend: str) -> dict[SlotName, SlotTraffic]:
    """The router's counters for the slots of one endpoint's backend."""
    text = command(path, f"show stat {backend} 4 -1").lstrip("# ")
    rows = csv.DictReader(text.splitlines())
    names = set(SlotName)
    return {SlotName(row["svname"]): _traffic(row) for row in rows if row.get("svname") in names}


def recent(path: Path) -> tuple[Request, ...]:
    """The last ten thousand or so requests to all endpoints, oldest first, without what was asked."""
    found = []
    for line in command(path, f"show events {RING}").splitlines():
        fields = line.rpartition(">")[2].split()
        if len(fields) == 5 and fields[1][:1] in "ep":
            found.append(
                Request(
                    at=float(fields[0]),
                    backend=fields[1],
                    server=fields[2],
                    status=int(fields[3]),
                    milliseconds=int(fields[4]),
                )
            )
    return tuple(found)


def _traffic(row: dict[str, str]) -> SlotTraffic:
    def number(column: str) -> int:
        return int(row.get(column) or 0)

    return SlotTraffic(
        up=row["status"].startswith(("UP", "no check")),
        weight=number("weight"),
        requests=number("stot"),
        status_2xx=number("hrsp_2xx"),
        status_4xx=number("hrsp_4xx"),
        status_5xx=number("hrsp_5xx"),
        connection_errors=number("econ") + number("eresp"),
        failed_checks=number("chkfail"),
    )
