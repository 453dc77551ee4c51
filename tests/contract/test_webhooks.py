"""MLflow's webhooks in, and Apprise out: a real signature, a real mail server, a page that shows what happened."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from core.access import Actor
from core.errors import Unavailable
from core.ledger.events import ChangesRequested, FreezeSet, RequestOpened
from core.notify.channels import send
from core.notify.incoming import Doorkeeper, signature
from core.notify.outbox import Outbox
from core.registry.promotion import carry_out, plan_promotion
from core.settings import ChannelSection, NotifySection
from core.workspace import Workspace, open_workspace
from dashboard import background, webhooks
from tests.contract.ledger_store import ANA
from tests.contract.test_notify import Receiver
from tests.model_store import ModelStore, new_model_store

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SETTINGS = """
[mlflow]
tracking_uri = "sqlite:///mlflow/mlflow.db"
webhook_secret_variable = "HOOK_SECRET"
"""
LEAD = Actor("bo", "Bo Lind", "local")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    store = new_model_store(tmp_path / "mlflow")
    for _ in range(2):
        store.version("risk")
    (tmp_path / "modeldesk.toml").write_text(SETTINGS)
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    monkeypatch.setattr(webhooks, "_door", Doorkeeper())
    ws = open_workspace(tmp_path)
    carry_out(ws, plan_promotion(ws, "risk", 1, "production", None), Actor("root", "R", "local"), "first")
    return store


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Route("/h", webhooks.mlflow_webhook, methods=["POST"])]))


def headers(
    body: bytes, delivery: str = "d1", at: datetime | None = None, secret: str = "s3cret"
) -> dict[str, str]:
    """As MLflow itself signs, by MLflow's own function."""
    from mlflow.webhooks.delivery import _generate_hmac_signature

    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    return {
        "X-MLflow-Signature": _generate_hmac_signature(secret, delivery, stamp, body.decode()),
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": stamp,
    }


def test_a_signed_knock_makes_the_desk_look_for_itself(store: ModelStore, client: TestClient) -> None:
    body = (
        b'{"entity": "model_version_alias", "data": {"name": "risk", "alias": "champion", "version": "99"}}'
    )
    assert client.post("/h", content=body, headers=headers(body)).json()["moved_outside"] == 0
    store.alias("risk", "champion", 2)
    answer = client.post("/h", content=body, headers=headers(body, "d2"))
    assert (answer.status_code, answer.json()["moved_outside"]) == (200, 1)
    ledger = open_workspace(store.folder.parent).ledger
    (record,) = ledger.records(kinds=("alias_moved_outside",))
    assert record.payload["to_version"] == 2, "the state was read; what the body says is believed in nothing"
    assert client.post("/h", content=body, headers=headers(body, "d2")).json() == {"status": "known already"}


def test_a_stranger_an_old_letter_and_a_flood_stay_outside(
    store: ModelStore, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, old = b"{}", datetime.now(UTC) - timedelta(minutes=6)
    assert client.post("/h", content=body).status_code == 401
    assert client.post("/h", content=body, headers=headers(body, secret="other")).status_code == 401
    assert client.post("/h", content=b"{ }", headers=headers(body)).status_code == 401
    assert client.post("/h", content=body, headers=headers(body, at=old)).status_code == 401
    assert client.post("/h", content=b"x" * 300_000, headers=headers(body)).status_code == 413
    assert "s3cret" not in client.post("/h", content=body).text
    (store.folder / "mlflow.db").rename(store.folder / "away.db")
    assert client.post("/h", content=body, headers=headers(body, "d9")).status_code == 503
    monkeypatch.delenv("HOOK_SECRET")
    assert client.post("/h", content=body, headers=headers(body)).status_code == 404
    assert signature("k", "d", "1", b"x").startswith("v1,")


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server of a few lines, to receive what Apprise really sends."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.letters: list[str] = []


class _Mail(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.wfile.write(b"220 desk\r\n")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                letter = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    letter.append(part.decode())
                self.server.letters.append("".join(letter))
            elif line.startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    server = Mailbox()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


MESSAGE = {
    "id": "1",
    "kind": "test",
    "model": "risk",
    "title": "risk rolled back",
    "body": "By Bo.",
    "link": "http://d/x",
}


def test_apprise_sends_a_real_letter_and_says_when_it_cannot(mailbox: Mailbox) -> None:
    port = mailbox.server_address[1]
    url = (
        f"mailto://127.0.0.1:{port}/?from=desk@clinic.example&to=ana@clinic.example&mode=insecure&format=text"
    )
    send(ChannelSection(name="mail", url=url), MESSAGE)
    (letter,) = mailbox.letters
    assert "Subject: risk rolled back" in letter and "http://d/x" in letter
    mailbox.shutdown()
    mailbox.server_close()
    with pytest.raises(Unavailable, match="mail"):
        send(ChannelSection(name="mail", url=url), MESSAGE)


def test_apprise_speaks_http_too(receiver: Receiver) -> None:
    port = receiver.server_address[1]
    send(ChannelSection(name="j", url=f"json://127.0.0.1:{port}/x"), MESSAGE)
    assert json.loads(receiver.got[0][1])["title"] == "risk rolled back"
    receiver.codes = [500]
    with pytest.raises(Unavailable):
        send(ChannelSection(name="j", url=f"json://127.0.0.1:{port}/x"), MESSAGE)


def test_a_requester_hears_of_the_answer_with_a_link_to_the_request(
    tmp_path: Path, receiver: Receiver
) -> None:
    ws = open_workspace(tmp_path)
    channels = tuple(ChannelSection(name=name, url=receiver.url, people=(name,)) for name in ("ana", "chen"))
    outbox = Outbox(ws.ledger, NotifySection(base_url="https://desk.example", channels=channels))
    place = {"model": "risk", "environment": "production", "request_id": "req-1"}
    opened = RequestOpened(
        **place, version=2, run_id=None, run_author="", digest="d", evidence={}, policy_version=None, tier="",
        needs=1, champion=1, expires_at=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    ws.ledger.append(opened, ANA)
    ws.ledger.append(ChangesRequested(**place, reason="add the subgroup of women over 80"), LEAD)
    now = datetime.now(UTC)
    outbox.fill(now)
    outbox.deliver(now + timedelta(seconds=1))
    told = [json.loads(body) for _, body in receiver.got]
    assert {one["kind"] for one in told} == {"request_opened", "changes_requested"}
    answer = next(one for one in told if one["kind"] == "changes_requested")
    assert answer["link"] == "https://desk.example/request?id=req-1" and "women over 80" in answer["body"]
    assert {item.channel for item in outbox.history()} == {"ana"}


def test_the_dashboard_sends_by_itself(tmp_path: Path, receiver: Receiver) -> None:
    channel = f'[[notify.channels]]\nname = "leads"\nurl = "{receiver.url}"\n'
    (tmp_path / "modeldesk.toml").write_text(channel)
    ws = open_workspace(tmp_path)
    ws.ledger.append(FreezeSet(model="risk", reason="audit"), ANA)
    background.first_page_drawn.set()
    with background.telling(ws.settings, every_s=0.05):
        _until(lambda: [item.state for item in ws.outbox.history()] == ["sent"])
    assert len(receiver.got) == 1


def _until(holds, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def page(ws: Workspace) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("app_pages/notifications.py")
    return app.run()


def test_the_page_shows_what_arrived_and_sends(store: ModelStore, receiver: Receiver) -> None:
    folder = store.folder.parent
    empty = page(open_workspace(folder))
    assert "Nobody is told" in "\n".join(item.value for item in empty.markdown)
    channel = f'[[notify.channels]]\nname = "leads"\nurl = "{receiver.url}"\n'
    (folder / "modeldesk.toml").write_text(SETTINGS + channel)
    app = page(open_workspace(folder))
    assert not app.exception
    receiver.codes = [500]
    button(app, "Send what is due").click().run()
    assert not app.exception
    (row,) = app.dataframe[0].value.to_dict("records")
    assert "WAITING" in row["State"] and "500" in row["Why not"] and row["Tries"] == 1
    assert "risk v1 promoted" in row["What"]
    button(app, "Send a test message").click().run()
    assert "taken" in app.success[0].value and not app.exception


def button(app: AppTest, label: str):
    return next(item for item in app.button if item.label == label)
