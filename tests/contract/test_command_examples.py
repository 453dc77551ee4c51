"""Every example that --help shows is run, in one process on one copy of the demo, as written and as JSON.

Writes run with --dry-run, so the order does not matter; JSON is held against the command's published schema.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import click
import jsonschema
import pytest
import typer
from referencing import Registry, Resource

from core.access import demo_actor, local_actor
from core.cli.main import app, main
from core.ledger.alert_events import DriftAlertRaised
from core.ledger.events import RolledBack
from core.registry.approvals import open_request
from core.registry.deputies import name_deputy
from core.registry.freezes import freeze
from core.registry.policy import policy_of, publish
from core.registry.retirement import archive_version
from core.views import save_view
from core.workspace import open_workspace
from tests.conftest import copied
from tests.contract.ledger_store import ANA
from tests.watched_workspace import build

SCHEMAS = Path(__file__).parents[2] / "core" / "cli" / "schemas"
STAYS = {"deployd run": "it runs until it is stopped", "demo traffic": "it needs a model that serves"}
REPORTS = {"report", "weekly", "incident"}
DOCUMENTS = {"card": "HTML by its example", "pipeline report": "a file by its example"}
VERDICTS = {0, 3, 4, 5, 7}
"""What an example may end with: it is no usage error, no infrastructure failure and no broken chain."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    else:
        yield " ".join(path), command


ALL = dict(commands(typer.main.get_command(app)))


def example(name: str) -> str:
    shown = re.findall(r"Example: python -m core (.*)", ALL[name].help or "")[0]
    return re.sub(r" > [\w./~-]+$", "", shown)


def options(name: str) -> set[str]:
    return {option for parameter in ALL[name].params for option in parameter.opts}


@pytest.fixture(scope="module")
def place(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with what the examples name: a schema, policies, a request, an alert, an anchor, a pack."""
    root = copied(demo_workspace, tmp_path_factory.mktemp("examples") / "demo")
    (root / "schema.yaml").write_text(
        "columns: {age: {type: number, min: 0, max: 120}, sex: {type: category}}"
    )
    (root / "quality.yaml").write_text("max_missing: 0.5\nlabel: {column: diagnosis}\n")
    policy = 'tiers: [{name: t, models: ["*"], min_rows: 9000, gates: [{metric: auroc, min: 0.5}]}]\n'
    (root / "policy.yaml").write_text(policy)
    (root / "report.md").write_text("<!-- model-desk:report x -->\n# x\n")
    settings = root / "modeldesk.toml"
    channel = '[[notify.channels]]\nname = "leads"\nurl = "http://127.0.0.1:9/hook"\n'
    settings.write_text(f"{settings.read_text()}\n{channel}")
    for link, target in {
        "train.parquet": "project/data/features/train.parquet",
        "week.parquet": "project/data/features/test.parquet",
        "log": "predictions/diagnosis-risk",
    }.items():
        (root / link).symlink_to(target)
    return root


@pytest.fixture(scope="module")
def words(place: Path) -> Callable[[str], list[str]]:
    """An example's words with the ids of this workspace in place of those that the help made up."""
    ws = open_workspace(place)
    publish(ws, policy_of(ws), local_actor(ws.settings))
    ana = demo_actor(ws.settings, "ana")
    request = open_request(ws, "diagnosis-risk", 9, "production", ana, "better recall")
    at = {"model": "diagnosis-risk", "environment": "production"}
    alert = DriftAlertRaised(**at, alert_id="3f2a91bc07", severity="high", summary="glucose", finding="drift")
    ws.ledger.append(alert, ANA)
    archive_version(ws, "diagnosis-risk", 5, local_actor(ws.settings), "wrong units")
    freeze(ws, "diagnosis-risk", "staging", local_actor(ws.settings), "audit week")
    freeze(ws, "diagnosis-risk", "production", local_actor(ws.settings), "audit week")
    name_deputy(ws, local_actor(ws.settings), "ana", datetime.now(UTC) + timedelta(days=9))
    moved = {"operation_id": "0123456789ab", "from_version": 5, "to_version": 4}
    where = {"model": "biopsy-triage", "environment": "staging", "review_due": datetime.now(UTC)}
    back = RolledBack(**where, **moved)
    ws.ledger.append(back, demo_actor(ws.settings, "dara"))
    save_view(ws, "experiments", "good forests", "experiment=triage", local_actor(ws.settings))
    runs = {version.version: version.run_id or "" for version in ws.registry.versions("diagnosis-risk")}
    ids = {
        "3f2a9c0d1e5b4f6a8b7c9d0e1f2a3b4c": runs[8],
        "run:3f2a": f"run:{runs[9][:12]}",
        "run:9c41": f"run:{runs[7][:12]}",
        "--run 3f2a ": f"--run {runs[9][:12]} ",
        "req-0123456789ab": request.request_id,
        "2026-12-24": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}",
        ".demo": ".",
        "labels/ ": "labels/diagnosis-risk ",
        "log/ ": "log ",
    }

    def found(text: str) -> list[str]:
        for made_up, real in ids.items():
            text = text.replace(made_up, real)
        return shlex.split(text)

    return found


@pytest.fixture
def run(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple]:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.argv", ["core", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


CACHES = {"profiles", "reports"}
"""Folders of .modeldesk in which a monitor keeps by its content what it read."""


class Stores:
    """What a command could have changed in a workspace: its files, and each commit to one of its databases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.databases: dict[Path, sqlite3.Connection] = {}

    def seen(self) -> dict[str, object]:
        # SQLite's own side files come and go with its readers: what was committed shows in the data version.
        files = {
            str(file.relative_to(self.root)): (file.lstat().st_size, file.lstat().st_mtime_ns)
            for file in self.root.rglob("*")
            if ".db" not in file.suffix and not file.is_dir() and not CACHES & {*file.parts}
        }
        for file in self.root.rglob("*.db"):
            if file not in self.databases:
                self.databases[file] = sqlite3.connect(file)
        commits = {
            str(file): connection.execute("PRAGMA data_version").fetchone()
            for file, connection in self.databases.items()
        }
        return files | commits


@pytest.fixture(scope="module")
def stores(place: Path, words: Callable[[str], list[str]]) -> Iterator[Stores]:
    found = Stores(place.parent)
    yield found
    for connection in found.databases.values():
        connection.close()


@pytest.mark.parametrize("name", [name for name in ALL if name not in STAYS])
def test_the_example_runs(
    name: str, place: Path, words: Callable[[str], list[str]], run: Callable[..., tuple], stores: Stores
) -> None:
    arguments = words(example(name))
    if name == "views save":
        arguments = [word.replace("good forests", "other forests") for word in arguments]
    arguments += ["--workspace", _small(place)] if name == "monitor" else []
    arguments += ["--dry-run"] if "--dry-run" in options(name) else []
    arguments += ["--timeout", "0"] if name == "approval wait" else []
    _prepare(name, run)
    before = stores.seen()
    code, out, err = run(*arguments)
    if "--dry-run" in arguments:
        assert stores.seen() == before, f"{name} --dry-run wrote something"
    assert code in VERDICTS or (name, code) in EXPECTED, f"{code}: {err}"
    if name in REPORTS:
        plain = [*arguments[: arguments.index("--format")], "--format", "json"]
        validate(name, json.loads(run(*plain)[1]))
    if "--output" not in options(name) or name in DOCUMENTS:
        return
    if "json" not in arguments:
        code, out, err = run(*arguments, "--output", "json")
    if out.strip():
        document = json.loads(out)
        assert next(iter(document)) == "schema_version", name
        validate(name, document)
    else:
        assert (name, code) in EXPECTED, f"{name} printed nothing ({code}): {err}"


EXPECTED = {
    ("reconcile", 9): "a dry run leaves what is out of sync",
    ("deploy", 6): "this copy's production is frozen, and a dry run ends as the act would",
    ("promote", 6): "the same",
    ("drift kind reset", 7): "nobody said what kind a column is here",
    ("deployd adopt", 6): "this copy has no serving engine",
    ("pipeline cancel", 2): "no job runs here",
    ("approval override", 2): "the gate that the help names passed",
    ("drill", 2): "nothing serves in this copy's staging",
    ("trial start", 2): "this copy has no serving engine; test_trials.py runs the trials",
    ("trial status", 2): "this copy never had a trial",
    ("trial advance", 2): "this copy never had a trial",
    ("trial pause", 2): "this copy never had a trial",
    ("trial resume", 2): "this copy never had a trial",
    ("trial abort", 2): "this copy never had a trial",
    ("trial finish", 2): "this copy never had a trial",
    ("trial shadow", 2): "nothing of this copy was served",
}


def _small(place: Path) -> str:
    """A watched model with six days instead of the demo's six weeks."""
    folder = place.parent / "watched"
    if not folder.exists():
        folder.mkdir()
        build(folder, moved=0.0)
    return str(folder)


def _prepare(name: str, run: Callable[..., tuple]) -> None:
    """Files that an example reads and another one writes."""
    if name == "audit verify":
        run("audit", "anchor", "--out", "anchor.json")
    if name == "evidence verify":
        run("evidence", "export", "diagnosis-risk", "8", "--out", "evidence.zip")


class Silent:
    """An MLflow server that takes every connection and never says a word; ``asked`` counts them."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self._taken: list[socket.socket] = []

    @property
    def asked(self) -> int:
        self.socket.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                self._taken.append(self.socket.accept()[0])
        return len(self._taken)

    def close(self) -> None:
        for one in (self.socket, *self._taken):
            one.close()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    server = Silent()
    monkeypatch.setenv("MODELDESK_MLFLOW__TRACKING_URI", server.url)
    monkeypatch.setenv("MODELDESK_MLFLOW__TIMEOUT_S", "0.05")
    yield server
    server.close()


KNOWN_WITHOUT_MLFLOW = {"status", "weekly", "freeze set", "monitor", "approval comment"}
"""What the ledger and the logs can answer or take: it does not fail because MLflow is silent."""

ASK_MLFLOW = {
    "runs search", "runs show", "runs export", "compare", "gate", "report", "register", "find", "promote", "deploy",
    "rollback", "request-approval", "approve", "approval check", "approval wait", "approval list",
    "approval request-changes", "approval override", "reconcile", "card", "registry list", "registry versions",
    "registry archive", "registry delete", "lineage upstream", "lineage downstream", "lineage impact",
    "lineage origin", "lineage path", "lineage diff", "lineage export", "lineage hash", "audit access",
    "audit inventory", "evidence export",
}  # fmt: skip

READ_FILES = {"validate-data", "check-quality", "drift check", "performance check", "evidence verify"}
"""These take seconds over the files that they are given, and ask no MLflow about them."""


@pytest.mark.parametrize("name", [name for name in ALL if name not in STAYS.keys() | READ_FILES])
def test_with_mlflow_silent_a_command_ends_after_one_timeout(
    name: str, place: Path, words: Callable[[str], list[str]], run: Callable[..., tuple], silent: Silent
) -> None:
    """One connection, so one timeout of some seconds, then exit code 1 and a sentence; or it needs no MLflow."""
    arguments = words(example(name))
    arguments += ["--workspace", _small(place)] if name == "monitor" else []
    arguments += ["--dry-run"] if "--dry-run" in options(name) else []
    arguments += ["--timeout", "0"] if name == "approval wait" else []
    code, _, err = run(*arguments)
    assert silent.asked <= 1, f"{silent.asked} timeouts, one after the other"
    if name in ASK_MLFLOW:
        assert (code, silent.asked) == (1, 1) and " answer" in err and "Traceback" not in err, err
    elif name in KNOWN_WITHOUT_MLFLOW:
        assert (code, silent.asked) == (0, 1), err
    else:
        assert silent.asked == 0, f"{name} asks MLflow: say what it does when that is silent"


@cache
def schemas() -> Registry:
    found = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in SCHEMAS.glob("*.json")}
    return Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in found.items())


def validate(name: str, document: dict) -> None:
    schema = schemas().contents(f"{name.replace(' ', '-')}.json")
    jsonschema.Draft202012Validator(schema, registry=schemas()).validate(document)


def test_every_command_with_json_has_a_published_schema() -> None:
    lacking = [
        name
        for name in ALL
        if "--output" in options(name) and not (SCHEMAS / f"{name.replace(' ', '-')}.json").is_file()
    ]
    assert lacking == []


READS = {
    "compare", "find", "gate", "report", "weekly", "incident", "status", "history", "as-of", "card", "drift check",
    "performance check", "approval check", "approval wait", "audit verify", "evidence verify", "deployd unit",
    "audit access", "audit coverage", "audit inventory",
}  # fmt: skip
READING = {
    "list",
    "status",
    "show",
    "search",
    "export",
    "validate",
    "metrics",
    "jobs",
    "report",
    "history",
    "versions",
}
OTHERWISE = {
    "deployd run": "it carries out what was decided before",
    "demo traffic": "it asks a model, it changes nothing",
    "lineage hash": "it fills a cache",
}


def test_every_write_can_be_rehearsed() -> None:
    """A command without --dry-run is one that only reads, or says here why it has none."""
    lacking = [
        name
        for name in ALL
        if "--dry-run" not in options(name) and name not in READS and name not in OTHERWISE
        and not (name.split()[-1] in READING or name.startswith("lineage "))
    ]  # fmt: skip
    assert lacking == []
