"""Gates with three outcomes on real runs, the policy file that holds them, and the command for CI jobs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.cli.gate import MARKER
from core.cli.main import app
from core.errors import BadSettings
from core.registry.gates import Verdict, evaluate_version, overall
from core.registry.policy import Gate, Tier, parse_policy
from core.settings import MlflowSection, Settings
from core.workspace import Workspace
from tests.model_store import ModelStore, new_model_store


@pytest.fixture
def store(tmp_path) -> ModelStore:
    return new_model_store(tmp_path / "mlflow")


@pytest.fixture
def ws(tmp_path, store) -> Workspace:
    return Workspace(Settings(root=tmp_path, mlflow=MlflowSection(tracking_uri=store.uri)))


def tier(*gates: Gate, **more: object) -> Tier:
    return Tier(name="high", models=("risk",), gates=gates, **more)


def verdicts(ws: Workspace, which: Tier, version: int, champion: int | None = None) -> list[tuple[str, str]]:
    results = evaluate_version(ws, which, "risk", version, champion)
    return [(str(result.verdict), result.reason) for result in results]


def scored(store: ModelStore, noise: float, rows: int = 400, seed: int = 1, **tags: str) -> int:
    """A version whose run logged per-row scores, and the accuracy and AUROC that they give."""
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(7)
    label = draw.integers(0, 2, rows)
    score = 1 / (1 + np.exp(-(2 * label - 1 + noise * np.random.default_rng(seed).normal(size=rows))))
    table = pd.DataFrame(
        {
            "row_id": [f"r{n}" for n in range(rows)],
            "label": label,
            "prediction": (score > 0.5).astype(int),
            "score": score,
        }
    )
    metrics = {
        "auroc": float(roc_auc_score(label, score)),
        "accuracy": float((table["prediction"] == label).mean()),
    }
    version = store.version("risk", metrics, **tags)
    run = store.client.get_run(store.client.get_model_version("risk", str(version)).run_id)
    file = Path(run.info.artifact_uri.removeprefix("file://")) / "evaluation" / "scores.parquet"
    file.parent.mkdir(parents=True)
    table.to_parquet(file)
    return version


def test_absolute_gates(ws, store):
    version = store.version("risk", {"auroc": 0.8, "log_loss": 0.5, "brier": float("nan")})
    which = tier(
        Gate(metric="auroc", min=0.8),
        Gate(metric="auroc", min=0.81),
        Gate(metric="log_loss", max=0.4),
        Gate(metric="brier", max=0.4),
        Gate(metric="recall", min=0.1),
    )
    found = verdicts(ws, which, version)
    assert [verdict for verdict, _ in found] == ["PASS", "FAIL", "FAIL", "INCONCLUSIVE", "INCONCLUSIVE"]
    assert "not a finite number" in found[3][1] and "has no recall" in found[4][1]


def test_against_the_champion_with_rows(ws, store):
    champion, better, same, worse = (
        scored(store, 1.5, seed=2),
        scored(store, 0.5),
        scored(store, 1.5, seed=3),
        scored(store, 6),
    )
    which = tier(Gate(metric="auroc", against="champion"))
    (good,), (open_,), (bad,) = (verdicts(ws, which, version, champion) for version in (better, same, worse))
    assert (good[0], open_[0], bad[0]) == ("PASS", "INCONCLUSIVE", "FAIL")
    assert "95 % interval" in good[1] and "n = 400" in good[1]
    wide = tier(Gate(metric="auroc", against="champion", margin=0.3))
    assert verdicts(ws, wide, same, champion)[0][0] == "PASS"


def test_against_the_champion_without_rows(ws, store):
    champion, worse = store.version("risk", {"auroc": 0.8, "odd": 1}), store.version("risk", {"auroc": 0.79})
    odd = store.version("risk", {"auroc": 0.9, "odd": 2})
    which = tier(Gate(metric="auroc", against="champion"))
    verdict, reason = verdicts(ws, which, worse, champion)[0]
    assert verdict == "FAIL" and "logged values alone, without an interval: -0.01" in reason
    margin = tier(Gate(metric="auroc", against="champion", margin=0.01))
    assert verdicts(ws, margin, worse, champion)[0][0] == "PASS"
    assert verdicts(ws, which, worse, None)[0][0] == "INCONCLUSIVE"
    unknown = tier(Gate(metric="odd", against="champion"))
    assert verdicts(ws, unknown, odd, champion)[0] == (
        "INCONCLUSIVE",
        "which way odd improves is not known: declare it in metric_directions",
    )


def test_too_few_rows_and_size(ws, store):
    version, bare = scored(store, 1.0, rows=60), store.version("risk")
    assert [word for word, _ in verdicts(ws, tier(min_rows=60, size_mb=1), version)] == ["PASS", "PASS"]
    assert verdicts(ws, tier(min_rows=61), version)[0] == ("INCONCLUSIVE", "60 test rows, 61 are needed")
    assert verdicts(ws, tier(min_rows=1), bare)[0][0] == "INCONCLUSIVE"
    assert verdicts(ws, tier(size_mb=1e-6), version)[0][0] == "FAIL"


def test_nothing_evaluated_is_no_pass():
    assert overall(()) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tiers:\n  - name: a\n    models: [x]\n    expire_days: 3\n",
            "line 4: 'tiers[0].expire_days' is not",
        ),
        ("tiers:\n  - name: a\n    models: [x]\n    needs: two\n", "line 4: 'tiers[0].needs' is wrong"),
        ("tiers:\n  - name: a\n    needs: 1\n", "line 2: 'tiers[0].models' is wrong: Field required"),
        (
            "tiers:\n  - name: a\n    models: [x]\n    gates:\n      - metric: auroc\n        mim: 0.8\n",
            "line 6: 'tiers[0].gates[0].mim' is not a known key",
        ),
        (
            "tiers:\n  - name: a\n    models: [x]\n    gates:\n      - {metric: auroc}\n",
            "line 5: 'tiers[0].gates[0]' is wrong: a gate has either min",
        ),
        (
            "tiers:\n  - name: a\n    models: [x]\n    gates:\n      - {metric: auroc, min: .nan}\n",
            "line 5: 'tiers[0].gates[0].min' is wrong",
        ),
        ("tiers: []\n", "line 1: 'tiers' is wrong"),
        ("tiers:\n  - name: a\n  name: b\n", "line 3"),
        ("name: a\nname: b\n", "line 2"),
        ("- a\n", "line 1"),
        ("", "line 1"),
        ("a: [", "line"),
    ],
)
def test_a_typo_is_named_with_line_and_key(text, said):
    with pytest.raises(BadSettings) as error:
        parse_policy(text.encode(), "policy.yaml")
    assert f"policy.yaml, {said}" in error.value.what


def test_the_command(tmp_path, store):
    champion, good, bad = (store.version("risk", {"auroc": value}) for value in (0.8, 0.85, 0.7))
    store.alias("risk", "champion", champion)
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "tiers:\n  - name: high\n    models: [risk]\n    gates:\n      - {metric: auroc, against: champion}\n"
    )
    (tmp_path / "modeldesk.toml").write_text(f'[mlflow]\ntracking_uri = "{store.uri}"\n')

    def gate(*words: str):
        fixed = ["--against", "champion", "--policy", str(policy), "--workspace", str(tmp_path)]
        return CliRunner().invoke(app, ["gate", *words, *fixed])

    good_run = store.client.get_model_version("risk", str(good)).run_id
    result = gate("--run", good_run, "--output", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["verdict"]) == (0, "PASS")
    assert list(document["gates"][0]) == ["name", "verdict", "value", "threshold", "reason"]
    assert (document["gates"][0]["value"], document["gates"][0]["threshold"]) == (0.85, 0.8)
    result = gate("--version", f"risk/{bad}", "--output", "markdown")
    assert result.exit_code == 3 and MARKER in result.stdout and "**FAIL**" in result.stdout
    policy.write_text(policy.read_text().replace("auroc", "recall"))
    assert gate("--version", f"risk/{good}").exit_code == 4
