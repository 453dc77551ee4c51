"""A small load generator in a process of its own: raw sockets under asyncio, kept alive, bounded in time.

``python tests/bench/load.py --port 18080 --seconds 5 --rate 200 --body request.json`` sends at a fixed rate, late
or not (the time a request waits for its turn counts); without ``--rate`` each client sends as soon as it was
answered. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Load:
    """Clients with a connection each, and what they saw."""

    def __init__(self, options: argparse.Namespace) -> None:
        body = Path(options.body).read_bytes()
        head = f"POST /invocations HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
        self.request = f"{head}Content-Type: application/json\r\n\r\n".encode() + body
        self.options = options
        self.milliseconds: list[float] = []
        self.seen: Counter[str] = Counter()
        self.first_seen: dict[str, float] = {}
        self.lost: list[float] = []

    async def run(self) -> dict[str, object]:
        """Send until the time is over."""
        self.begin = time.perf_counter()
        self.begin_epoch = time.time()
        queue: asyncio.Queue[float | None] = asyncio.Queue()
        clients = [asyncio.create_task(self._client(queue)) for _ in range(self.options.clients)]
        if self.options.rate:
            await self._schedule(queue)
        await asyncio.wait_for(asyncio.gather(*clients), self.options.seconds + 60)
        taken = time.perf_counter() - self.begin
        times = sorted(self.milliseconds)
        return {
            "answered": len(times),
            "lost": len(self.lost),
            "lost_at": [round(at, 3) for at in self.lost[:20]],
            "per_s": len(times) / taken,
            "p50_ms": times[len(times) // 2] if times else None,
            "p99_ms": times[int(len(times) * 0.99)] if times else None,
            "versions": dict(self.seen),
            "first_seen_s": self.first_seen,
            "begin_epoch": self.begin_epoch,
        }

    async def _schedule(self, queue: asyncio.Queue[float | None]) -> None:
        for number in range(int(self.options.rate * self.options.seconds)):
            due = self.begin + number / self.options.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            queue.put_nowait(due)
        for _ in range(self.options.clients):
            queue.put_nowait(None)

    async def _client(self, queue: asyncio.Queue[float | None]) -> None:
        connection: Connection | None = None
        while True:
            if self.options.rate:
                due = await queue.get()
                if due is None:
                    break
            else:
                due = time.perf_counter()
                if due - self.begin > self.options.seconds:
                    break
            connection = await self._one(due, connection)
        if connection is not None:
            connection[1].close()

    async def _one(self, due: float, connection: Connection | None) -> Connection | None:
        try:
            if connection is None:
                connection = await self._connect()
            status, version, closes = await asyncio.wait_for(self._exchange(connection), 30)
        except (OSError, EOFError, ValueError, TimeoutError):
            self.lost.append(time.perf_counter() - self.begin)
            return None
        now = time.perf_counter()
        if status != 200:
            self.lost.append(now - self.begin)
        else:
            self.milliseconds.append((now - due) * 1000)
            self.seen[version] += 1
            self.first_seen.setdefault(version, now - self.begin)
        return None if closes else connection

    async def _connect(self) -> Connection:
        if self.options.socket:
            return await asyncio.open_unix_connection(self.options.socket)
        return await asyncio.open_connection("127.0.0.1", self.options.port)

    async def _exchange(self, connection: Connection) -> tuple[int, str, bool]:
        reader, writer = connection
        writer.write(self.request)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        await reader.readexactly(int(headers["content-length"]))
        closes = headers.get("connection") == "close"
        return int(lines[0].split()[1]), headers.get("x-model-version", ""), closes


def main() -> None:
    """Parse, send, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--socket")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--body", required=True)
    print(json.dumps(asyncio.run(Load(parser.parse_args()).run())))


if __name__ == "__main__":
    main()
