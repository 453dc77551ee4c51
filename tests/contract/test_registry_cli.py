"""The registry's commands: exit codes, JSON by the published schemas, and stdout that is data alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli.main import main
from tests.model_store import ModelStore, new_model_store

SCHEMAS = Path(__file__).parents[2] / "core" / "cli" / "schemas"


@pytest.fixture
def folder(tmp_path) -> Path:
    store = new_model_store(tmp_path / "mlflow")
    for _ in range(3):
        store.version("risk")
    (tmp_path / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n')
    return tmp_path


@pytest.fixture
def run(folder, capsys, monkeypatch):
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["core", *words, "--workspace", str(folder)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def run_json(run):
    def run_json(schema: str, *words: str) -> tuple[int, dict]:
        import jsonschema

        code, out, _ = run(*words, "--output", "json")
        document = json.loads(out)
        jsonschema.validate(document, json.loads((SCHEMAS / f"{schema}.json").read_text()))
        return code, document

    return run_json


def test_promote_status_history_and_as_of_tell_the_same(run, run_json):
    code, done = run_json("deploy", "promote", "risk", "--version", "1", "--reason", "first")
    assert (code, done["from_version"], done["to_version"], done["verified"]) == (0, None, 1, True)
    run("promote", "risk", "--version", "2", "--reason", "better")
    code, seen = run_json("status", "status", "risk")
    (endpoint,) = seen["endpoints"]
    assert (endpoint["live"]["version"], endpoint["registry_says"], endpoint["in_sync"]) == (2, 2, True)
    assert endpoint["previous"] == {"version": 1, "warm": False}
    _, told = run_json("history", "history", "risk")
    assert [event["kind"] for event in told["events"]].count("promoted") == 2
    _, then = run_json("as-of", "as-of", "2999-01-01", "risk")
    assert then["environment"]["production"]["version"] == 2
    _, then = run_json("as-of", "as-of", "2001-01-01", "risk")
    nothing = then["environment"]["production"]
    assert nothing is None or nothing["version"] is None


def test_a_dry_run_changes_nothing_and_a_repeated_key_acts_once(run, run_json):
    assert run("promote", "risk", "--version", "1", "--dry-run")[0] == 0
    assert run_json("status", "status")[1]["endpoints"] == []
    words = ("promote", "risk", "--version", "1", "--idempotency-key", "job-7")
    first = run_json("deploy", *words)[1]
    again = run_json("deploy", *words)[1]
    assert again["repeated"] and again["operation_id"] == first["operation_id"]


def test_the_state_has_changed_is_7_and_a_freeze_is_6(run):
    run("promote", "risk", "--version", "1")
    run("promote", "risk", "--version", "2")
    code, out, err = run("promote", "risk", "--version", "3", "--expect-current", "1")
    assert (code, out) == (7, "") and "v2 by now" in err
    assert run("rollback", "risk", "--reason", "drift")[0] == 0
    code, out, err = run("promote", "risk", "--version", "3")
    assert (code, out) == (6, "") and "frozen" in err and "drift" in err
    assert run("freeze", "lift", "risk", "--reason", "fixed")[0] == 0
    assert run("freeze", "lift", "risk", "--reason", "fixed")[0] == 7
    assert run("promote", "risk", "--version", "3")[0] == 0
    assert run("freeze", "set", "risk", "--reason", "audit week")[0] == 0
    assert run("promote", "risk", "--version", "1")[0] == 6


def test_reconcile_is_9_until_repaired_or_accepted(run, run_json, folder):
    store = ModelStore(folder / "mlflow")
    run("promote", "risk", "--version", "1")
    assert run_json("reconcile", "reconcile")[0] == 0
    store.alias("risk", "champion", 3)
    code, seen = run_json("reconcile", "reconcile")
    assert code == 9
    (item,) = seen["items"]
    assert (item["ledger"], item["alias"], item["in_sync"]) == (1, 3, False)
    run("reconcile")
    _, told = run_json("history", "history", "risk")
    outside = [event for event in told["events"] if event["kind"] == "alias_moved_outside"]
    assert [event["actor_id"] for event in outside] == ["unknown"]
    assert run("reconcile", "--repair", "risk")[0] == 2
    assert run("reconcile", "--repair", "risk", "--reason", "by hand")[0] == 0
    assert _aliases(store)["champion"] == 1
    store.alias("risk", "champion", 2)
    assert run("reconcile", "--accept", "risk", "--reason", "meant so")[0] == 0
    assert run_json("status", "status")[1]["endpoints"][0]["live"]["version"] == 2


def _aliases(store: ModelStore) -> dict[str, int]:
    return {name: int(version) for name, version in store.client.get_registered_model("risk").aliases.items()}


def test_audit_verify_is_8_when_one_byte_changed(run, run_json, folder):
    run("promote", "risk", "--version", "1")
    anchor = str(folder / "anchor.json")
    assert run("audit", "anchor", "--out", anchor)[0] == 0
    code, found = run_json("audit-verify", "audit", "verify", "--anchor", anchor)
    assert (code, found["ok"], found["events"], found["problems"]) == (0, True, 2, [])
    import sqlite3

    with sqlite3.connect(folder / "ledger.db") as connection:
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute("UPDATE ledger_events SET payload = replace(payload, 'champion', 'Champion')")
    code, found = run_json("audit-verify", "audit", "verify", "--anchor", anchor)
    assert (code, found["ok"]) == (8, False)
    assert [problem["seq"] for problem in found["problems"]] == [1, 2]
    assert run("audit", "verify", "--anchor", str(folder / "modeldesk.toml"))[0] == 2


def test_an_export_is_itself_recorded(run):
    run("promote", "risk", "--version", "1")
    _, out, _ = run("audit", "export", "--output", "json")
    assert [event["kind"] for event in json.loads(out)["events"]] == ["operation_started", "promoted"]
    _, out, _ = run("audit", "export", "--output", "json")
    assert json.loads(out)["events"][-1]["kind"] == "export_made"


def test_lists_and_unknown_names(run):
    code, out, _ = run("registry", "list", "--output", "json")
    assert json.loads(out)["models"] == [{"name": "risk", "versions": 3, "latest": 3, "aliases": {}}]
    code, out, _ = run("registry", "versions", "risk", "--output", "json")
    assert [item["version"] for item in json.loads(out)["versions"]] == [3, 2, 1]
    for words in (("registry", "versions", "risc"), ("history", "risc"), ("as-of", "2026-01-01", "risc")):
        code, out, err = run(*words)
        assert (code, out) == (2, "") and "risc" in err
    assert run("as-of", "yesterday", "risk")[0] == 2


def test_a_version_is_archived_and_restored(run, run_json):
    code, done = run_json(
        "registry-archive", "registry", "archive", "risk", "--version", "3", "--reason", "old"
    )
    assert (code, done["archived"]) == (0, True)
    _, seen = run_json("registry-versions", "registry", "versions", "risk")
    assert [item["archived"] for item in seen["versions"]] == [True, False, False]
    assert "ARCHIVED" in run("registry", "versions", "risk")[1]
    code, _, err = run("promote", "risk", "--version", "3", "--reason", "better")
    assert code == 6 and "registry restore risk --version 3" in err
    code, _, err = run("registry", "restore", "risk", "--version", "3", "--reason", "why not", "--dry-run")
    assert code == 0 and "nothing was recorded" in err
    code, done = run_json(
        "registry-restore", "registry", "restore", "risk", "--version", "3", "--reason", "ok"
    )
    assert (code, done["archived"]) == (0, False)
    run("promote", "risk", "--version", "3", "--reason", "better")
    assert run("registry", "archive", "risk", "--version", "3", "--reason", "old")[0] == 6
