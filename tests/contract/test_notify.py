"""Notifications against a real receiver on loopback: retries, signatures, duplicates, quiet hours."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.access import Actor
from core.ledger.events import Commented, FreezeSet, RolledBack
from core.notify import channels
from core.notify.channels import SIGNATURE_HEADER
from core.notify.outbox import Outbox, after_quiet_hours
from core.settings import ChannelSection, NotifySection
from core.workspace import open_workspace

ACTOR = Actor(name="ana", display_name="Ana Silva", source="local", demo=False)


class Receiver(ThreadingHTTPServer):
    """A webhook receiver that answers with the codes it is given, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes: list[int] = []
        self.delay_s = 0.0
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        time.sleep(self.server.delay_s)
        self.send_response(self.server.codes.pop(0) if self.server.codes else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def outbox_of(folder: Path, *subscribed: ChannelSection) -> Outbox:
    ledger = open_workspace(folder).ledger
    return Outbox(ledger, NotifySection(base_url="https://desk.example/", channels=subscribed))


def rolled_back(model: str = "diagnosis-risk") -> RolledBack:
    return RolledBack(
        model=model,
        environment="production",
        reason="drift",
        operation_id="op1",
        from_version=8,
        to_version=7,
    )


def test_a_receiver_that_fails_twice_gets_the_message_once(tmp_path: Path, receiver: Receiver) -> None:
    receiver.codes = [500, 503]
    outbox = outbox_of(tmp_path, ChannelSection(name="leads", url=receiver.url))
    open_workspace(tmp_path).ledger.append(rolled_back(), ACTOR)
    now = datetime.now(UTC)
    assert outbox.fill(now) == 1
    states = []
    for minutes in (0, 0, 1, 6):
        states += [(d.state, d.attempts) for d in outbox.deliver(now + timedelta(minutes=minutes, seconds=1))]
    assert states == [("waiting", 1), ("waiting", 2), ("sent", 3)]
    message = json.loads(receiver.got[-1][1])
    assert message["title"] == "diagnosis-risk rolled back to v7 in production"
    assert message["link"] == "https://desk.example/deploy?model=diagnosis-risk"
    assert "Ana Silva" in message["body"] and "drift" in message["body"]
    assert {item.state for item in outbox.history()} == {"sent"}


def test_a_message_is_given_up_after_the_last_retry(tmp_path: Path, receiver: Receiver) -> None:
    receiver.codes = [500] * 20
    outbox = outbox_of(tmp_path, ChannelSection(name="leads", url=receiver.url))
    open_workspace(tmp_path).ledger.append(rolled_back(), ACTOR)
    now = datetime.now(UTC)
    outbox.fill(now)
    for day in range(10):
        outbox.deliver(now + timedelta(days=day))
    (item,) = outbox.history()
    assert (item.state, item.attempts) == ("failed", 6)
    assert "500" in item.error


def test_the_body_is_signed(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SECRET", "s3cret")
    outbox = outbox_of(tmp_path, ChannelSection(name="l", url=receiver.url, secret_variable="DESK_SECRET"))
    open_workspace(tmp_path).ledger.append(rolled_back(), ACTOR)
    now = datetime.now(UTC)
    outbox.fill(now)
    outbox.deliver(now + timedelta(seconds=1))
    headers, body = receiver.got[0]
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER] == f"sha256={expected}"


def test_filling_again_tells_nobody_twice_and_other_kinds_nobody_at_all(
    tmp_path: Path, receiver: Receiver
) -> None:
    outbox = outbox_of(tmp_path, ChannelSection(name="leads", url=receiver.url, kinds=("rolled_*",)))
    ledger = open_workspace(tmp_path).ledger
    now = datetime.now(UTC)
    ledger.append(rolled_back(), ACTOR)
    ledger.append(FreezeSet(model="diagnosis-risk", reason="rollback"), ACTOR)
    ledger.append(Commented(model="diagnosis-risk", request_id="r1", reason="hello"), ACTOR)
    assert outbox.fill(now) == 1
    assert outbox.fill(now) == 0
    assert [item.kind for item in outbox.history()] == ["rolled_back"]


def test_a_channel_for_other_models_stays_silent(tmp_path: Path, receiver: Receiver) -> None:
    outbox = outbox_of(tmp_path, ChannelSection(name="triage", url=receiver.url, models="triage-*"))
    open_workspace(tmp_path).ledger.append(rolled_back(), ACTOR)
    assert outbox.fill(datetime.now(UTC)) == 0


def test_a_receiver_that_hangs_costs_a_bounded_time(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT_S", 0.3)
    receiver.delay_s = 1.0
    outbox = outbox_of(tmp_path, ChannelSection(name="leads", url=receiver.url))
    open_workspace(tmp_path).ledger.append(rolled_back(), ACTOR)
    now = datetime.now(UTC)
    outbox.fill(now)
    started = time.monotonic()
    (item,) = outbox.deliver(now + timedelta(seconds=1))
    assert time.monotonic() - started < 0.9
    assert item.state == "waiting" and "did not answer" in item.error


@pytest.mark.parametrize(
    ("at", "quiet", "due"),
    [
        ("2026-03-03T23:30", "22:00-06:00", "2026-03-04T06:00"),
        ("2026-03-03T05:59", "22:00-06:00", "2026-03-03T06:00"),
        ("2026-03-03T12:00", "22:00-06:00", "2026-03-03T12:00"),
        ("2026-03-03T12:30", "12:00-13:00", "2026-03-03T13:00"),
        ("2026-03-03T23:30", None, "2026-03-03T23:30"),
    ],
)
def test_quiet_hours(at: str, quiet: str | None, due: str) -> None:
    assert after_quiet_hours(_utc(at), quiet) == _utc(due)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
