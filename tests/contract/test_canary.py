"""A value that occurs once, in one patient's row, appears nowhere: pages, commands, exports, logs and errors (G18).

It is planted in the DVC data, the prediction log, the labels, per-row scores, tables and examples that runs stored.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.access import demo_actor
from core.cli.main import app as commands
from core.evidence.pack import make_pack
from core.registry import approvals
from core.workspace import Workspace, open_workspace
from tests.conftest import copied

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
WORD, NUMBER = "Quokkabird-7301", 918273.645546
SIGNS = (WORD.encode(), b"918273.6", b"918,273", np.float64(NUMBER).tobytes())
"""The word, the number as text, and the number as it travels in a table's bytes."""
MODEL, VERSION = "diagnosis-risk", 9


def with_row(table: pd.DataFrame) -> pd.DataFrame:
    """The table with one more row that holds the canary in every column of text and of numbers."""
    row = table.iloc[[-1]].copy()
    for name in table.columns:
        if pd.api.types.is_float_dtype(table[name]):
            row[name] = NUMBER
        elif not pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_datetime64_any_dtype(
            table[name]
        ):
            row[name] = WORD
    return pd.concat([table, row], ignore_index=True)


def plant_table(file: Path) -> None:
    if file.suffix == ".csv":
        with_row(pd.read_csv(file)).to_csv(file, index=False)
    else:
        file.chmod(0o644)
        with_row(pd.read_parquet(file)).to_parquet(file)


@pytest.fixture(scope="module")
def planted(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of our own with the canary in it; an open request shows evidence too."""
    root = copied(demo_workspace, tmp_path_factory.mktemp("canary") / "demo")
    files = [*(root / "project" / "data").rglob("*.csv"), *(root / "project" / "data").rglob("*.parquet")]
    assert len(files) >= 3
    days = [sorted((root / kind / MODEL).glob("*.parquet"))[-1] for kind in ("predictions", "labels")]
    for file in (*files, *days):
        if file.is_symlink():
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        plant_table(file)
    ws = open_workspace(root)
    run_id = ws.registry.version(MODEL, VERSION).run_id
    stored = root / "mlflow" / "artifacts"
    (evaluation,) = stored.rglob(f"{run_id}/artifacts/evaluation")
    plant_table(evaluation / "scores.parquet")
    rows = [{"patient_id": WORD, "age": NUMBER, "sex": WORD}] * 3
    pd.DataFrame(rows).to_csv(evaluation / "failures.csv", index=False)
    (evaluation / "failures.json").write_text(json.dumps(rows))
    (evaluation / "failures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = ws.registry.folder(MODEL, VERSION)
    assert model is not None
    for name in ("input_example.json", "serving_input_example.json"):
        (model / name).write_text(json.dumps({"columns": ["age", "sex"], "data": [[NUMBER, WORD]]}))
    return root


@pytest.fixture(scope="module")
def ws(planted: Path) -> Workspace:
    return open_workspace(planted)


def leaks(content: bytes) -> list[bytes]:
    return [sign for sign in SIGNS if sign in content]


def sent(app: AppTest) -> bytes:
    """Every byte that the page sent to the browser."""

    def walk(block: object) -> Iterator[bytes]:
        for child in getattr(block, "children", {}).values():
            if hasattr(child, "children"):
                yield from walk(child)
            elif (proto := getattr(child, "proto", None)) is not None:
                yield proto.SerializeToString()

    return b"".join(walk(app._tree))


def pages(ws: Workspace) -> dict[str, tuple[str, dict[str, str]]]:
    run_id = str(ws.registry.version(MODEL, VERSION).run_id)
    version = {"model": MODEL, "version": str(VERSION)}
    found = {
        name: (name, {})
        for name in (
            "overview",
            "experiments",
            "pipeline",
            "registry",
            "requests",
            "deploy",
            "audit",
            "lineage",
        )
    }
    found |= {
        "compare": ("compare", {"runs": f"version:{MODEL}/{VERSION}", "baseline": f"version:{MODEL}/8"}),
        "lineage of the data": ("lineage", {"find": "data/raw/patients.csv", "impact": "true"}),
        "drift": ("drift", {"model": MODEL}),
        "drift of a column": ("drift", {"model": MODEL, "column": "sex"}),
        "version": ("version", version),
        "run": ("run", {"run": run_id}),
        "request": ("request", {"id": next(reversed(tuple(ws.ledger.state().requests)))}),
    }
    for artifact in ws.runs.artifacts(run_id, "evaluation"):
        found[artifact.path] = ("run", {"run": run_id, "artifact": artifact.path})
    return found


def test_no_page_shows_it(planted: Path, ws: Workspace, monkeypatch, caplog) -> None:
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(planted))
    found: dict[str, object] = {}
    for title, (page, query) in pages(ws).items():
        app = AppTest.from_file(str(APP), default_timeout=180).switch_page(f"app_pages/{page}.py")
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        content = sent(app)
        assert len(content) > 500, title
        if leaks(content) or app.exception:
            found[title] = leaks(content) or [item.value for item in app.exception]
    assert found == {}
    assert leaks(caplog.text.encode()) == []


@pytest.fixture
def run(planted: Path) -> Callable[..., bytes]:
    """Everything that a command says: output, log and error."""

    def run(*words: str) -> bytes:
        done = CliRunner().invoke(commands, [*words, "--workspace", str(planted)])
        return done.output_bytes + done.stderr_bytes + str(done.exception or "").encode()

    return run


def test_no_command_says_it(planted: Path, ws: Workspace, run: Callable[..., bytes], tmp_path: Path) -> None:
    run_id = str(ws.registry.version(MODEL, VERSION).run_id)
    project, subject = planted / "project", f"version:{MODEL}/{VERSION}"
    said = {
        words: run(*words, "--output", "json")
        for words in (
            ("status",), ("history", MODEL), ("monitor",), ("runs", "search"), ("runs", "show", run_id),
            ("compare", subject, f"version:{MODEL}/8"), ("registry", "versions", MODEL),
            ("lineage", "origin", MODEL, str(VERSION)), ("pipeline", "status", "--project", str(project)),
            ("audit", "export"), ("audit", "access"), ("card", MODEL, str(VERSION)), ("weekly",), ("incident", MODEL),
        )
    }  # fmt: skip
    said["card html",] = run("card", MODEL, str(VERSION), "--output", "html")
    assert {words: leaks(text) for words, text in said.items() if leaks(text)} == {}
    assert sum(len(text) > 200 for text in said.values()) >= 10, "most of them had something to say"


def test_no_check_of_data_quotes_it_not_even_when_it_fails(planted: Path, tmp_path: Path) -> None:
    raw = planted / "project" / "data" / "raw" / "patients.csv"
    log = planted / "predictions" / MODEL
    broken = tmp_path / "broken.csv"
    broken.write_text(raw.read_text()[-3000:] + f'"{WORD},{NUMBER}\n{WORD}\n')
    schema, quality = tmp_path / "schema.yaml", tmp_path / "quality.yaml"
    schema.write_text(
        "name: patients\ncolumns:\n  age: {type: number, min: 18, max: 110}\n  sex: {type: category, values: [a]}\n"
        '  site: {type: text, pattern: "x+"}\n  bmi: {type: date}\n'
    )
    quality.write_text("min_rows: 5\nmax_duplicates: 0\nkey: [patient_id]\n")
    newest = str(sorted(log.glob("*.parquet"))[-1])
    for words in (
        ("validate-data", str(raw), "--schema", str(schema)),
        ("validate-data", str(broken), "--schema", str(schema)),
        ("validate-data", str(raw), "--infer"),
        ("check-quality", str(raw), "--policy", str(quality)),
        ("drift", "check", "--reference", str(raw), "--current", newest),
        ("drift", "check", "--reference", str(raw), "--current", str(broken)),
        ("performance", "check", "--predictions", newest, "--window", "day"),
        ("performance", "check", "--predictions", str(broken), "--window", "day"),
    ):
        done = CliRunner().invoke(
            commands, [*words, "--output", "json"] if "--infer" not in words else list(words)
        )
        said = done.output_bytes + done.stderr_bytes + str(done.exception or "").encode()
        assert said.strip(), words
        assert leaks(said) == [], words


def test_no_evidence_pack_holds_it(planted: Path, ws: Workspace, tmp_path: Path) -> None:
    approvals.open_request(ws, MODEL, VERSION, "production", demo_actor(ws.settings, "ana"), "more sites")
    made = make_pack(ws, MODEL, VERSION)
    assert leaks(made.content) == []
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert b"req-" in archive.read("evidence.json")
    for file in planted.rglob("*.db*"):
        if file.is_file() and "mlflow" not in file.parts:
            assert leaks(file.read_bytes()) == [], file
