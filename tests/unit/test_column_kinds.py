"""What people say of a column's kind: recorded, carried out, taken back; and what a wrong one costs."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from core.access import Actor, local_actor
from core.cli.drift import app
from core.drift.column_kinds import said_kinds, set_kind
from core.drift.monitor import Status, monitor_report
from core.drift.types import ColumnKind, Verdict
from core.drift.watched import column_kinds, open_watched
from core.errors import BadInput, Conflict, NotFound, Refused
from core.ledger.alert_events import ColumnKindSet
from core.workspace import open_workspace
from tests.watched_workspace import build


@pytest.fixture
def ws(tmp_path):
    build(tmp_path, moved=1)
    return open_workspace(tmp_path)


def say(ws, column: str, kind: ColumnKind | None, expected: ColumnKind | None = None):
    return set_kind(ws, "risk", column, kind, local_actor(ws.settings), "a code", expected=expected)


def test_a_kind_is_recorded_every_window_is_judged_anew_and_the_reverse_brings_all_back(ws):
    before = monitor_report(ws, "risk")
    assert (before.status, before.drift.column("age").test) == (Status.DRIFT, "ks")
    say(ws, "age", ColumnKind.IDENTIFIER)
    after = monitor_report(ws, "risk")
    assert after.drift.column("age").verdict is Verdict.NOT_TESTED
    assert after.status is Status.OK
    decided = column_kinds(open_watched(ws, "risk"))
    assert decided["age"].decided_by == "a person"
    assert decided["age"].said.reason == "a code"
    assert decided["age"].said.by == local_actor(ws.settings).printed_name
    assert decided["site"].decided_by == "the rules"
    say(ws, "age", None, ColumnKind.IDENTIFIER)
    assert monitor_report(ws, "risk").drift == before.drift
    kinds = ws.ledger.records(kinds=(ColumnKindSet.kind,))
    assert [(one.payload["before"], one.payload["treated_as"]) for one in kinds] == [
        ("", "identifier"), ("identifier", ""),
    ]  # fmt: skip


def test_the_record_goes_before_the_policy_file(ws):
    (ws.root / "drift-policy.toml").write_text('[kinds]\nage = "text"\nsite = "identifier"\n')
    say(ws, "age", ColumnKind.NUMERIC)
    decided = {
        name: (one.kind, one.decided_by) for name, one in column_kinds(open_watched(ws, "risk")).items()
    }
    assert decided == {"age": ("numeric", "a person"), "site": ("identifier", "drift-policy.toml")}
    assert monitor_report(ws, "risk").drift.column("age").verdict is Verdict.DRIFT


def test_what_is_refused(ws):
    me = local_actor(ws.settings)
    with pytest.raises(NotFound, match="no column 'agee'"):
        say(ws, "agee", ColumnKind.TEXT)
    with pytest.raises(NotFound, match="No monitor"):
        set_kind(ws, "other", "age", ColumnKind.TEXT, me, "x")
    with pytest.raises(BadInput, match="constant"):
        say(ws, "age", ColumnKind.CONSTANT)
    with pytest.raises(BadInput, match="Say why"):
        set_kind(ws, "risk", "age", ColumnKind.TEXT, me, " ")
    with pytest.raises(Refused):
        set_kind(ws, "risk", "age", ColumnKind.TEXT, Actor("eve", source="oidc"), "x")
    say(ws, "age", ColumnKind.TEXT)
    with pytest.raises(Conflict, match="changed meanwhile"):
        say(ws, "age", ColumnKind.IDENTIFIER)
    with pytest.raises(Conflict, match="already text"):
        say(ws, "age", ColumnKind.TEXT, ColumnKind.TEXT)
    with pytest.raises(Conflict, match="as it is"):
        say(ws, "site", None)
    assert list(said_kinds(ws, "risk", "production")) == ["age"]


@pytest.mark.parametrize("kind", ["numeric", "datetime", "boolean", "categorical", "text", "identifier"])
@pytest.mark.parametrize("column", ["age", "site", "when"])
def test_a_wrong_kind_costs_no_other_column(ws, column, kind):
    for file in (ws.root / "train.parquet", *(ws.root / "predictions").glob("*.parquet")):
        table = pd.read_parquet(file)
        table.assign(when=pd.Timestamp("2026-01-01")).to_parquet(file)
    (ws.root / "drift-policy.toml").write_text(f'[kinds]\n{column} = "{kind}"\n')
    report = monitor_report(ws, "risk").drift
    assert report.column(column).reason
    others = {name: report.column(name).verdict for name in ("age", "site") if name != column}
    assert others == {name: {"age": Verdict.DRIFT, "site": Verdict.OK}[name] for name in others}


def test_the_commands(ws):
    def run(*given: str) -> tuple[int, dict]:
        result = CliRunner().invoke(app, ["kind", *given, "--workspace", str(ws.root), "--output", "json"])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout)

    assert run("set", "risk", "age", "text", "--reason", "words")[1]["treated_as"] == "text"
    rows = {row["column"]: row for row in run("list", "risk")[1]["columns"]}
    assert (rows["age"]["kind"], rows["age"]["reason"], rows["site"]["decided_by"]) == (
        "text",
        "words",
        "the rules",
    )
    run("reset", "risk", "age", "--reason", "numbers", "--dry-run")
    assert run("list", "risk")[1]["columns"][0]["kind"] == "text"
    assert run("reset", "risk", "age", "--reason", "numbers")[1]["treated_as"] is None
    assert run("list", "risk")[1]["columns"][0]["kind"] == "numeric"
    with pytest.raises(BadInput, match="'number' is no kind"):
        run("set", "risk", "age", "number", "--reason", "x")
