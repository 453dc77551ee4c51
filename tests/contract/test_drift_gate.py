"""Gates on drift: training data out of a DVC cache, the prediction log, and what the monitor says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.registry.gates import evaluate_version
from core.registry.policy import Tier
from core.workspace import Workspace, open_workspace
from tests.model_store import ModelStore, new_model_store
from tests.watched_workspace import build, rows

ALL = ("training-data", "live-traffic", "monitor")


def kept(root: Path, shift: float, count: int = 1500, seed: int = 4) -> str:
    """Training data in the cache of a DVC project; its hash."""
    made = root / "made.parquet"
    rows(np.random.default_rng(seed), count, shift).drop(columns="score").to_parquet(made)
    digest = hashlib.md5(made.read_bytes()).hexdigest()
    stored = root / "project" / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    stored.parent.mkdir(parents=True, exist_ok=True)
    made.rename(stored)
    return digest


def watched(root: Path, *, moved: float = 0, monitor: bool = True) -> tuple[Workspace, ModelStore]:
    """A model whose traffic of the last days may have moved; its monitor's reference is ``train.parquet``."""
    build(root, moved=moved)
    (root / "project").mkdir()
    store = new_model_store(root / "mlflow")
    file = root / "modeldesk.toml"
    text = file.read_text(encoding="utf-8").replace("sqlite:///mlflow.db", store.uri)
    text = text.replace("[[monitors]]", '[dvc]\nprojects = ["project"]\n[[monitors]]')
    file.write_text(text if monitor else text.split("[[monitors]]")[0], encoding="utf-8")
    return open_workspace(root), store


def said(
    ws: Workspace, version: int, champion: int | None = None, kinds: tuple[str, ...] = ALL
) -> dict[str, tuple[str, str]]:
    tier = Tier.model_validate({"name": "high", "models": ["risk"], "drift": kinds})
    found = evaluate_version(ws, tier, "risk", version, champion)
    return dict(zip(kinds, ((str(gate.verdict), gate.reason) for gate in found), strict=True))


def test_a_candidate_of_the_same_patients_passes(tmp_path: Path) -> None:
    ws, store = watched(tmp_path)
    live, same = kept(tmp_path, 0), kept(tmp_path, 0, seed=5)
    champion, candidate, again = (store.version("risk", data_hash=digest) for digest in (live, same, live))
    found = said(ws, candidate, champion)
    assert [found[kind][0] for kind in ALL] == ["PASS", "PASS", "PASS"]
    assert found["training-data"][1].startswith("against the data of v1: none of 2 tested columns drifted")
    assert found["live-traffic"][1].startswith("against the requests of 2026-01-06: none of 2")
    assert found["monitor"][1].startswith("OK in 2026-01-06")
    assert said(ws, again, champion)["training-data"] == ("PASS", "trained on the data of v1")


def test_drift_fails_and_a_model_retrained_on_new_patients_fits_them(tmp_path: Path) -> None:
    ws, store = watched(tmp_path, moved=1)
    champion, retrained = (store.version("risk", data_hash=kept(tmp_path, shift)) for shift in (0, 1))
    old = said(ws, champion, champion)
    assert old["live-traffic"][0] == "FAIL" and "drifted: age" in old["live-traffic"][1]
    assert old["monitor"][0] == "FAIL" and old["monitor"][1].startswith("DRIFT in 2026-01-06")
    new = said(ws, retrained, champion)
    assert new["live-traffic"][0] == "PASS"
    assert (
        new["training-data"][0] == "FAIL" and "1 of 2 tested columns drifted: age" in new["training-data"][1]
    )


def test_without_a_live_version_the_monitors_reference_counts(tmp_path: Path) -> None:
    ws, store = watched(tmp_path)
    first = store.version("risk", data_hash=kept(tmp_path, 1))
    verdict, reason = said(ws, first)["training-data"]
    assert verdict == "FAIL" and reason.startswith("against the monitor's reference: 1 of 2")
    nameless = store.version("risk")
    assert said(ws, first, nameless)["training-data"][1].startswith("against the monitor's reference")


@pytest.mark.parametrize("digest", ["", "f" * 32, "../../../ledger.db", "*" * 32])
def test_data_that_cannot_be_found_is_inconclusive(tmp_path: Path, digest: str) -> None:
    ws, store = watched(tmp_path)
    version = store.version("risk", **({"data_hash": digest} if digest else {}))
    found = said(ws, version)
    for kind in ("training-data", "live-traffic"):
        verdict, reason = found[kind]
        assert verdict == "INCONCLUSIVE"
        assert ("No DVC cache holds" if digest == "f" * 32 else "does not name its training data") in reason


def test_without_a_monitor_nothing_passes_silently(tmp_path: Path) -> None:
    ws, store = watched(tmp_path, monitor=False)
    version = store.version("risk", data_hash=kept(tmp_path, 0))
    found = said(ws, version)
    assert {verdict for verdict, _ in found.values()} == {"INCONCLUSIVE"}
    assert found["training-data"][1].endswith("nothing to compare with, and no monitor has a reference")
    assert "No monitor watches 'risk'" in found["live-traffic"][1]
    assert "NOT MONITORED: no [[monitors]] section" in found["monitor"][1]


def test_a_damaged_file_and_a_few_rows_are_inconclusive(tmp_path: Path) -> None:
    ws, store = watched(tmp_path)
    few, damaged = kept(tmp_path, 0, count=8), kept(tmp_path, 0, seed=6)
    file = tmp_path / "project" / ".dvc" / "cache" / "files" / "md5" / damaged[:2] / damaged[2:]
    file.write_bytes(file.read_bytes()[:200])
    short, broken = (store.version("risk", data_hash=digest) for digest in (few, damaged))
    verdict, reason = said(ws, short)["training-data"]
    assert verdict == "INCONCLUSIVE" and reason.endswith("(2,000 and <11 rows)") and "8" not in reason
    assert said(ws, broken)["training-data"][0] == "INCONCLUSIVE"


def test_the_command_says_it_and_fails(tmp_path: Path) -> None:
    _, store = watched(tmp_path, moved=1)
    version = store.version("risk", data_hash=kept(tmp_path, 0))
    policy = tmp_path / "policy.yaml"
    policy.write_text("tiers:\n  - name: high\n    models: [risk]\n    drift: [live-traffic]\n")
    command = ["gate", "--version", f"risk/{version}", "--policy", str(policy), "--workspace", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--output", "markdown"])
    assert result.exit_code == 3 and "drift of live traffic" in result.stdout and "age" in result.stdout
