"""Ports for servers that tests start, and waiting until what was started answers."""

from __future__ import annotations

import random
import socket
import time
import urllib.error
import urllib.request

_CHOICE = random.SystemRandom()


def free_port() -> int:
    """A free loopback port below those that outgoing connections take, so that none of them gets it first."""
    while True:
        port = _CHOICE.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def answers(url: str) -> bool:
    """Whether ``url`` is answered with 200 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_for(url: str, within: float = 180) -> None:
    """Return once ``url`` is answered with 200; a TimeoutError after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not answer within {within:.0f} s")
        time.sleep(0.1)
