"""``pipeline ...`` on the command line: JSON that fits the published schemas, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pipeline_project import ENVIRONMENT, PIPELINE, trained, write

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "core" / "cli" / "schemas"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        return trained(tmp_path_factory.mktemp("command") / "project")


def pipeline(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "core", "pipeline", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def data(*arguments: str, schema: str | None = None, code: int = 0) -> dict[str, Any]:
    found = json.loads(pipeline(*arguments, "--output", "json", code=code).stdout)
    assert next(iter(found)) == "schema_version"
    if schema and (file := SCHEMAS / f"pipeline-{schema}.json").is_file():
        import jsonschema

        jsonschema.validate(found, json.loads(file.read_text(encoding="utf-8")))
    return found


def test_status(project: Path) -> None:
    found = data("status", "--project", str(project), schema="status")
    assert {stage["name"]: stage["state"] for stage in found["stages"]} == dict.fromkeys(
        ("prepare", "split", "train", "raw.csv.dvc"), "up-to-date"
    )
    assert ["raw.csv.dvc", "prepare"] in found["edges"]
    assert found["findings"] == []
    at_commit = data("status", "--project", str(project), "--rev", "HEAD", schema="status")
    assert at_commit["revision"] and at_commit["edges"] == found["edges"]


def test_validate_ends_with_3_when_it_cannot_run(project: Path, tmp_path: Path) -> None:
    assert data("validate", "--project", str(project), schema="validate")["ok"] is True
    write(tmp_path, {"dvc.yaml": "stages:\n  a: {cmd: x, deps: [gone.csv], params: [nope]}\n"})
    found = data("validate", "--project", str(tmp_path), schema="validate", code=3)
    assert found["ok"] is False
    assert any("gone.csv" in finding["message"] and finding["line"] == 2 for finding in found["findings"])
    assert "Nothing was run" in pipeline("repro", "--project", str(tmp_path), code=3).stderr


def test_repro_reports_what_ran_and_fails_with_3(project: Path) -> None:
    found = data("repro", "train", "--force", "--project", str(project), schema="repro")
    assert {stage["name"]: stage["state"] for stage in found["stages"]}["train"] == "ran"
    assert data("jobs", "--project", str(project))["jobs"][0]["job_id"] == found["job_id"]
    pipeline("cancel", found["job_id"], "--project", str(project), code=7)
    write(project, {"dvc.yaml": PIPELINE.replace("cat parts", "false && cat parts")})
    said = pipeline("repro", "--project", str(project), "--output", "json", code=3)
    failed = json.loads(said.stdout)
    assert failed["stages"][-1] == {**failed["stages"][-1], "name": "train", "state": "failed"}
    assert "\ntrain: failed" in said.stderr
    write(project, {"dvc.yaml": PIPELINE})


def test_metrics_and_report(project: Path, tmp_path: Path) -> None:
    found = data("metrics", "HEAD", ".", "--project", str(project))
    assert found["revisions"][0]["values"]["metrics.json"]["auroc"] == 0.9
    page = tmp_path / "report.html"
    pipeline("report", "--project", str(project), "--out", str(page))
    assert "&gt; clean.csv" in page.read_text(encoding="utf-8")
    assert "| train |" in pipeline("report", "--project", str(project), "--no-files").stdout
    assert {"ok", "findings"} <= data("report", "--project", str(project)).keys()


def test_wrong_use_is_2(project: Path, tmp_path: Path) -> None:
    pipeline("status", "--project", str(tmp_path / "absent"), code=2)
    pipeline("status", "--project", str(project), "--rev", "nope", code=2)
    pipeline("repro", "trian", "--project", str(project), code=2)
    pipeline("report", "--project", str(project), "--out", "report.pdf", code=2)
    pipeline("status", "--workspace", str(tmp_path), code=2)
