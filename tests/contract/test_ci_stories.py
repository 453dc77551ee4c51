"""The stories of a CI job, as processes with their exit codes, on a real store; and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from core.cli.main import main
from core.workspace import open_workspace
from tests.model_store import MLMODEL, ModelStore, new_model_store

ROOT = Path(__file__).parents[2]
POLICY = """
name: release
tiers:
  - name: high
    models: ["*"]
    gates: [{metric: auroc, min: 0.8}, {metric: brier, max: 0.3}]
"""
SETTINGS = 'policy = "policy.yaml"\n[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    root = tmp_path_factory.mktemp("stories")
    (root / "modeldesk.toml").write_text(SETTINGS)
    (root / "policy.yaml").write_text(POLICY)
    store = new_model_store(root / "mlflow")
    store.version("risk", {"auroc": 0.85, "brier": 0.2})
    store.alias("risk", "champion", 1)
    return store


def desk(store: ModelStore, *words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core", *words, "--workspace", str(store.folder.parent)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ | variables
    )
    assert done.returncode == code, f"{done.returncode}: {done.stderr}"
    return done


def read(store: ModelStore, *words: str, code: int = 0) -> dict:
    return json.loads(desk(store, *words, "--output", "json", code=code).stdout)


@pytest.fixture
def here(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    """The program as :func:`desk` has it, in this process: for what another process has shown before."""

    def here(*words: str, code: int = 0) -> tuple[str, str]:
        place = () if "--workspace" in words else ("--workspace", str(store.folder.parent))
        monkeypatch.setattr("sys.argv", ["core", *words, *place])
        capsys.readouterr()
        with suppress(SystemExit) if code == 0 else pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        assert code == 0 or end.value.code == code, f"{end.value.code}: {told.err}"
        return told.out, told.err

    return here


def logged(store: ModelStore, weights: str, **metrics: float) -> str:
    run_id = store.run(metrics=metrics)
    folder = store.folder / "made" / run_id
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "weights.bin").write_text(weights)
    store.client.log_artifacts(run_id, str(folder), "model")
    return run_id


def test_c1_a_schema_break_is_3_and_tells_no_value(store: ModelStore, tmp_path: Path) -> None:
    data, schema = tmp_path / "patients.csv", tmp_path / "schema.yaml"
    data.write_text("age,sex\n" + "50,F\n" * 30 + "CANARY-71,F\n" * 12)
    schema.write_text("columns: {age: {type: integer, max: 120}, sex: {type: category, values: [F, M]}}")
    run = store.run()
    done = desk(store, "validate-data", str(data), "--schema", str(schema), "--run", run, code=3)
    assert "age" in done.stdout and "whole numbers" in done.stdout and "12" in done.stdout
    assert "CANARY" not in done.stdout + done.stderr
    kept = open_workspace(store.folder.parent).runs.artifact(run, "checks/data-validation.json")
    assert json.loads(kept)["verdict"] == "FAIL" and b"CANARY" not in kept
    schema.write_text("columns:\n  age: {type: integer}\n  sex: {typ: text}\n")
    broken = desk(store, "validate-data", str(data), "--schema", str(schema), code=2)
    assert "line 3" in broken.stderr and "columns.sex" in broken.stderr


def test_c2_and_c3_a_candidate_is_told_with_a_marker_and_a_missing_metric_is_4(
    store: ModelStore, here: Callable[..., tuple[str, str]]
) -> None:
    good, lacking = logged(store, "g", auroc=0.9, brier=0.1), logged(store, "l", auroc=0.9)
    told = desk(store, "report", "--run", good, "--model", "risk")
    assert told.stdout.startswith("<!-- model-desk:report risk -->") and "+0.05" in told.stdout
    assert '"PASS"' in here("gate", "--run", good, "--model", "risk", "--output", "json")[0]
    assert read(store, "gate", "--run", lacking, "--model", "risk", code=4)["verdict"] == "INCONCLUSIVE"
    poor = store.run(metrics={"auroc": 0.5, "brier": 0.1})
    assert read(store, "gate", "--run", poor, "--model", "risk", code=3)["verdict"] == "FAIL"


def test_c4_to_c8_register_ask_wait_release_and_back(
    store: ModelStore, here: Callable[..., tuple[str, str]]
) -> None:
    run = logged(store, "w1", auroc=0.91, brier=0.11)
    first = read(store, "register", "--run", run, "--model", "risk", "--idempotency-key", "job-1")
    again = read(store, "register", "--run", run, "--model", "risk", "--idempotency-key", "job-1")
    assert (first["version"], first["created"]) == (again["version"], True) and not again["created"]
    number = str(first["version"])
    refused = desk(store, "promote", "risk", "--version", number, code=5)
    assert "nobody has requested" in refused.stderr
    asked = read(store, "request-approval", "risk", "--version", number, "--reason", "better")
    repeated, _ = here("request-approval", "risk", "--version", number, "--reason", "better")
    assert asked["request_id"] in repeated and asked["request_id"] in asked["url"]
    _, pending = here("promote", "risk", "--version", number, code=5)
    assert asked["request_id"] in pending and "/request?id=" in pending
    planned, refused_too = here("promote", "risk", "--version", number, "--dry-run", code=5)
    assert "v" + number in planned and asked["request_id"] in refused_too, "a dry run ends as the act would"
    held = desk(store, "deploy", "risk", "--version", number, code=5)
    assert asked["url"] in held.stderr and held.stdout == ""
    started = time.monotonic()
    waited = read(store, "approval", "wait", f"risk/{number}", "--timeout", "0.5", "--every", "0.1", code=5)
    assert waited["state"] == "open" and time.monotonic() - started < 60
    policy = store.folder.parent / "policy.yaml"
    policy.write_text(POLICY.replace("0.8", "0.79"))
    assert "stale" in here("promote", "risk", "--version", number, code=5)[1]
    _, stale = here("deploy", "risk", "--version", number, code=5)
    assert "stale" in stale and "policy" in stale
    policy.unlink()
    settings = store.folder.parent / "modeldesk.toml"
    settings.write_text(SETTINGS.replace('policy = "policy.yaml"\n', ""))
    desk(store, "promote", "risk", "--version", number, "--expect-current", "9", code=7)
    assert store.client.get_model_version_by_alias("risk", "champion").version == 1
    desk(store, "promote", "risk", "--version", number, "--expect-current", "1")
    here("promote", "risk", "--version", "999", code=2)


def test_an_interrupted_write_leaves_nothing_half_done(store: ModelStore) -> None:
    """SIGINT at several moments of a promotion: the ledger's chain holds, and the same key finishes it."""
    root = store.folder.parent
    (root / "modeldesk.toml").write_text(SETTINGS.replace('policy = "policy.yaml"\n', ""))
    number = str(store.version("other", {"auroc": 0.9}))
    words = ["promote", "other", "--version", number, "--idempotency-key", "k", "--workspace", str(root)]
    for delay in (0.4, 0.9):
        process = subprocess.Popen(
            [sys.executable, "-m", "core", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    done = read(store, "promote", "other", "--version", number, "--idempotency-key", "k")
    assert done["verified"] and store.client.get_model_version_by_alias("other", "champion")
    ledger = open_workspace(root).ledger
    assert ledger.verify().ok and not ledger.state().unfinished
    assert len(ledger.records(model="other", kinds=("promoted",))) == 1


def test_without_configuration_each_command_says_what_to_do(tmp_path: Path) -> None:
    for words in (["registry", "list"], ["gate", "--run", "abcd"]):
        command = [sys.executable, "-m", "core", *words, "--workspace", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 2 and "modeldesk.toml" in done.stderr and not done.stdout
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_mlflow_that_is_down_or_silent_is_1_within_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (tmp_path / "modeldesk.toml").write_text(
            f'[mlflow]\ntracking_uri = "http://127.0.0.1:{port}"\ntimeout_s = 1\n'
        )
        for words in (["registry", "list"], ["register", "--run", "a" * 32, "--model", "m"]):
            started = time.monotonic()
            command = [sys.executable, "-m", "core", *words, "--workspace", str(tmp_path)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 1 and " answer" in done.stderr, done.stderr
            assert time.monotonic() - started < 15, (
                words
            )  # the machine may be busy; the waiting itself is 1 s


def test_a_closed_pipe_is_silent(store: ModelStore) -> None:
    line = (
        f"{sys.executable} -m core history risk --workspace {store.folder.parent} --output json | head -c 1"
    )
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "{" and "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_what_a_job_asks_again_and_again_loads_no_tables(store: ModelStore) -> None:
    """Loading pandas and Arrow costs as much as all the rest of these commands."""
    for words, code in ((["approval", "check", "risk/1"], 5), (["status"], 0)):
        command = [sys.executable, "-X", "importtime", "-m", "core", *words]
        place = ["--workspace", str(store.folder.parent)]
        done = subprocess.run([*command, *place], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stderr[-500:]
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "sqlalchemy" in loaded and not loaded & {"pandas", "pyarrow", "mlflow", "scipy"}


def test_a_full_disk_under_stdout_is_one_sentence(store: ModelStore) -> None:
    line = f"{sys.executable} -m core status --workspace {store.folder.parent} > /dev/full"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_an_error_of_ours_tells_where_and_no_data(
    here: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("CANARY-71")

    monkeypatch.setattr("core.registry.catalogue.as_of", broken)
    out, err = here("as-of", "2026-03-03", "risk", code=1)
    assert out == "" and "Unexpected ValueError at test_ci_stories.py" in err and "CANARY" not in err
    monkeypatch.setenv("MODELDESK_TRACEBACK", "1")
    assert "CANARY" in here("as-of", "2026-03-03", "risk", code=1)[1]


def test_a_folder_that_is_not_there_is_said_and_not_made(
    here: Callable[..., tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MLflow named by the environment a mistyped workspace would begin a ledger of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    gone = tmp_path / "gone"
    for words in (
        ("promote", "risk", "--version", "1", "--workspace", str(gone)),
        ("weekly", "--format", "json", "--out", str(gone / "week.json")),
        ("evidence", "export", "risk", "1", "--out", str(gone / "pack.zip")),
    ):
        assert str(gone) in here(*words, code=2)[1]
    monkeypatch.setattr("sys.argv", ["core", "ci", "init", str(gone), "--model", "m", "--data", "d.csv"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 and not gone.exists()


def test_no_colour_ever_reaches_a_pipe(store: ModelStore) -> None:
    done = desk(store, "registry", "list", NO_COLOR="1")
    assert "\x1b[" not in done.stdout + done.stderr


def test_the_shell_completes_the_installed_program(tmp_path: Path) -> None:
    """What the script that pip writes for ``modeldesk`` does, asked as bash asks it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["modeldesk"].partition(":")
    program = tmp_path / "modeldesk"
    program.write_text(f"from {module} import {function}\n{function}()\n")
    asked = {"_MODELDESK_COMPLETE": "complete_bash", "COMP_WORDS": "modeldesk approval wi", "COMP_CWORD": "2"}
    command = [sys.executable, str(program)]
    environment = os.environ | asked | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["withdraw"], done.stderr
