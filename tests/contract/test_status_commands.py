"""status, history, as-of, reconcile, freeze and audit as other programs call them: processes, JSON, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.ledger.events import Commented
from core.ledger.store import Ledger
from core.workspace import Workspace, open_workspace
from tests.contract.ledger_store import ANA, Store
from tests.model_store import ModelStore, new_model_store

ROOT = Path(__file__).parents[2]
ODD = Commented(model="risk", request_id="r", reason='Grüße "quoted"\nnext line \u2028 | 病院')
SETTINGS = '[mlflow]\ntracking_uri = "{uri}"\n[ledger]\nurl = "sqlite:///ledger.db"\n'


@dataclass(frozen=True)
class Desk:
    """A workspace folder, and the command line on it."""

    folder: Path
    store: ModelStore

    @property
    def ws(self) -> Workspace:
        return open_workspace(self.folder)

    @property
    def ledger(self) -> Store:
        url = f"sqlite:///{self.folder}/ledger.db"
        return Store(Ledger(url), url)

    def run(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run(self.folder, *command, code=code)

    def json(self, *command: str, schema: str = "", code: int = 0) -> dict[str, Any]:
        return read(self.folder, *command, schema=schema, code=code)


def run(folder: Path, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "core", *command, "--workspace", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def read(folder: Path, *command: str, schema: str = "", code: int = 0) -> dict[str, Any]:
    document = json.loads(run(folder, *command, "--output", "json", code=code).stdout)
    assert next(iter(document)) == "schema_version"
    if schema:
        text = (ROOT / "core" / "cli" / "schemas" / f"{schema}.json").read_text(encoding="utf-8")
        jsonschema.validate(document, json.loads(text))
    return document


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """``risk`` with three versions: v1 then v2 promoted to production, each through the desk."""
    store = new_model_store(tmp_path / "mlflow")
    for _ in range(3):
        store.version("risk")
    (tmp_path / "modeldesk.toml").write_text(SETTINGS.format(uri=store.uri), encoding="utf-8")
    for version in (1, 2):
        words = ["promote", "risk", "--version", str(version), "--reason", f"try {version}"]
        done = CliRunner().invoke(app, [*words, "--workspace", str(tmp_path)])
        assert done.exit_code == 0, done.output
    return Desk(tmp_path, store)


def now() -> str:
    time.sleep(0.002)
    return datetime.now(UTC).isoformat()


def test_status_of_the_demo_fits_its_schema_and_the_ledger(demo_workspace: Path) -> None:
    endpoints = read(demo_workspace, "status", schema="status")["endpoints"]
    state = open_workspace(demo_workspace).ledger.state()
    assert {item["model"] for item in endpoints} >= {"diagnosis-risk", "biopsy-triage", "readmission-30d"}
    for item in endpoints:
        live = state.live(item["model"], item["environment"])
        assert (item["live"]["version"], item["live"]["by"]) == (live.version, live.by.printed_name)
        assert item["live"]["version"] == item["registry_says"] and item["in_sync"] is True
    one = read(demo_workspace, "status", "diagnosis-risk", schema="status")["endpoints"]
    assert one == [item for item in endpoints if item["model"] == "diagnosis-risk"]


def test_status_names_the_previous_version_and_freezes(desk: Desk) -> None:
    desk.run("freeze", "set", "risk", "--reason", "audit week")
    (item,) = desk.json("status", "risk", schema="status")["endpoints"]
    assert item["live"]["version"] == 2 and item["previous"] == {"version": 1, "warm": False}
    assert item["frozen"] is True
    refused = desk.run("promote", "risk", "--version", "3", "--reason", "now", code=6)
    assert "audit week" in refused.stderr and refused.stdout == ""
    assert desk.json("freeze", "lift", "risk", "--reason", "over")["frozen"] is False
    assert desk.json("status")["endpoints"][0]["frozen"] is False
    desk.run("freeze", "lift", "risk", "--reason", "twice", code=7)
    desk.run("freeze", "set", "risk", code=2)


def test_status_without_mlflow_is_the_ledgers_last_word(desk: Desk) -> None:
    (desk.folder / "mlflow" / "mlflow.db").rename(desk.folder / "away.db")
    done = desk.run("status", "--output", "json")
    (item,) = json.loads(done.stdout)["endpoints"]
    assert (item["live"]["version"], item["registry_says"], item["in_sync"]) == (2, None, None)
    assert "does not exist" in done.stderr and "ledger last recorded" in done.stderr
    assert desk.json("as-of", now(), "risk")["environment"]["production"]["version"] == 2
    desk.run("status", "never-heard-of", code=1)
    desk.run("reconcile", code=1)


def test_as_of_around_a_promotion_and_a_rollback(desk: Desk) -> None:
    promoted = now()
    desk.run("rollback", "risk", "--reason", "worse")
    after = now()
    first = desk.ws.ledger.records(model="risk", kinds=("promoted",))[0].at

    def live(at: str) -> int | None:
        document = desk.json("as-of", at, "risk", schema="as-of")
        found = document["environment"]["production"]
        return found and found["version"]

    assert live("2001-01-01") is None
    assert live(first.isoformat()) == 1
    assert live(promoted) == 2
    assert live(after) == 1
    assert live(f"{first:%Y-%m-%d}") in (1, 2)
    assert live("2199-12-31") == 1
    desk.run("as-of", "yesterday", "risk", code=2)
    desk.run("as-of", "2026-01-01", "nobody", code=2)


def test_as_of_a_bare_date_is_the_end_of_that_day(demo_workspace: Path) -> None:
    moves = open_workspace(demo_workspace).ledger.records(model="diagnosis-risk", kinds=("promoted",))
    first = next(record for record in moves if record.environment == "production")
    for text, served in (
        (f"{first.at:%Y-%m-%d}", True),
        (f"{first.at:%Y-%m-%d}T23:59:59", True),
        (f"{first.at:%Y-%m-%d}T00:00:00Z", False),
    ):
        document = read(demo_workspace, "as-of", text, "diagnosis-risk", schema="as-of")
        assert (document["environment"]["production"] is not None) is served, text


def test_history_tells_every_move_in_order(desk: Desk) -> None:
    desk.run("rollback", "risk", "--reason", "worse")
    events = desk.json("history", "risk", schema="history")["events"]
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    moves = [event for event in events if event["kind"] in ("promoted", "rolled_back")]
    assert [(event["from_version"], event["to_version"]) for event in moves] == [(None, 1), (1, 2), (2, 1)]
    assert [event["reason"] for event in moves] == ["try 1", "try 2", "worse"]
    assert all(event["operation_id"] and event["actor"] and event["at"] for event in moves)
    desk.run("history", "nobody", code=2)


def test_an_alias_moved_behind_the_desks_back_is_out_of_sync_until_repaired(desk: Desk) -> None:
    assert desk.json("reconcile", schema="reconcile")["items"][0]["in_sync"] is True
    desk.store.client.set_registered_model_alias("risk", "champion", 3)
    (item,) = desk.json("reconcile", schema="reconcile", code=9)["items"]
    assert (item["ledger"], item["alias"], item["in_sync"]) == (2, 3, False)
    desk.run("reconcile", code=9)
    assert len(desk.ws.ledger.records(kinds=("alias_moved_outside",))) == 1
    before = desk.ws.ledger.head()
    planned = desk.run("reconcile", "--repair", "risk", "--reason", "by hand", "--dry-run", code=9)
    assert "from v3 to v2" in planned.stderr and desk.ws.ledger.head() == before
    desk.run("reconcile", "--repair", "risk", code=2)
    (item,) = desk.json("reconcile", "--repair", "risk", "--reason", "by hand")["items"]
    assert (item["ledger"], item["alias"]) == (2, 2)
    assert int(desk.store.client.get_model_version_by_alias("risk", "champion").version) == 2


def test_a_move_from_outside_can_be_accepted(desk: Desk) -> None:
    desk.store.client.set_registered_model_alias("risk", "champion", 3)
    desk.run("reconcile", "--accept", "risk", "--repair", "risk", "--reason", "both", code=2)
    (item,) = desk.json("reconcile", "--accept", "risk", "--reason", "agreed by phone")["items"]
    assert (item["ledger"], item["alias"], item["in_sync"]) == (3, 3, True)
    last = desk.ws.ledger.records()[-1]
    assert (last.kind, last.payload["accepted"], last.reason) == ("alias_reconciled", True, "agreed by phone")


def test_verify_finds_one_changed_byte(desk: Desk) -> None:
    sound = desk.json("audit", "verify", schema="audit-verify")
    assert sound["ok"] is True and sound["head"] == desk.ws.ledger.head().hash
    desk.ledger.tamper("UPDATE ledger_events SET payload = replace(payload, 'try 1', 'try 9') WHERE seq = 2")
    found = desk.json("audit", "verify", schema="audit-verify", code=8)
    assert found["ok"] is False
    assert [(problem["seq"], problem["kind"]) for problem in found["problems"]] == [(2, "changed")]


def test_a_cut_tail_shows_with_an_anchor_and_only_then(desk: Desk, tmp_path: Path) -> None:
    anchor = tmp_path / "elsewhere.json"
    written = desk.json("audit", "anchor", "--out", str(anchor))
    desk.json("audit", "verify", "--anchor", str(anchor), schema="audit-verify")
    desk.ledger.tamper(f"DELETE FROM ledger_events WHERE seq = {written['events']}")
    assert desk.json("audit", "verify")["ok"] is True
    cut = desk.json("audit", "verify", "--anchor", str(anchor), schema="audit-verify", code=8)
    assert [problem["kind"] for problem in cut["problems"]] == ["cut tail"]
    anchor.write_text("{}")
    desk.run("audit", "verify", "--anchor", str(anchor), code=2)


def test_an_export_can_be_checked_without_the_ledger(desk: Desk, tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "audit.jsonl", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (ledger := desk.ledger.ledger).append(ODD, ANA)
    head = ledger.head()
    assert desk.json("audit", "export", "--out", str(file))["events"] == head.events
    assert ledger.records()[-1].kind == "export_made"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, head.events + 1))
    assert read(elsewhere, "audit", "verify", "--export", str(file))["head"] == head.hash
    file.write_text("\n".join([*lines[:1], *lines[2:]]) + "\n", encoding="utf-8")
    found = read(elsewhere, "audit", "verify", "--export", str(file), schema="audit-verify", code=8)
    assert found["problems"][0]["kind"] == "removed"
    file.write_text(lines[0] + "\nnonsense\n", encoding="utf-8")
    assert "line 2" in run(elsewhere, "audit", "verify", "--export", str(file), code=2).stderr
    desk.run("audit", "export", "--out", str(tmp_path / "no" / "folder"), code=2)


def test_the_tables_are_tables(desk: Desk) -> None:
    for command in (["status"], ["history", "risk"], ["as-of", "2199-01-01", "risk"], ["reconcile"]):
        text = desk.run(*command, "--output", "markdown").stdout.splitlines()
        assert text[0].startswith("| ") and set(text[1]) == set("| -") and len(text) > 2, command
