"""``python -m core compare`` on a real MLflow store and a real git repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import validate
from mlflow import MlflowClient

from core.cli.main import main
from tests.contract.compare_store import ROWS, Store, build

SCHEMA = json.loads((Path(__file__).parents[2] / "core/cli/schemas/compare.json").read_text())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build(tmp_path_factory.mktemp("compare") / "workspace")


@pytest.fixture
def ask(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command in process: (exit code, JSON or None, stderr)."""

    def run(*words: str, root: Path = store.root) -> tuple[int, dict, str]:
        argv = ["core", "compare", *words, "--workspace", str(root), "--output", "json"]
        monkeypatch.setattr("sys.argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(out) if out else {}, err

    return run


def verdict(found: dict, candidate: str, metric: str) -> dict:
    return next(v for v in found["verdicts"] if (v["candidate"], v["metric"]) == (candidate, metric))


def test_two_runs_show_what_differs_and_which_is_better(store: Store, ask) -> None:
    first, second = f"run:{store.runs['champion']}", f"run:{store.runs['better']}"
    code, found, _ = ask(first, second)
    assert code == 0
    validate(found, SCHEMA)
    assert found["schema_version"] == 1
    assert found["baseline"] == first
    assert "risk v1 is in production" in found["baseline_reason"]
    assert found["differing"]["params"] == {"depth": ["3", "9"]}
    assert found["differing"]["metrics"]["train_seconds"] == [3.0, 9.0]
    assert found["identical"] == 3  # kind, the commit, the data hash
    judged = verdict(found, second, "accuracy")
    assert judged["verdict"] == "better"
    assert judged["n"] == ROWS
    assert 0 < judged["low"] < judged["difference"] < judged["high"]
    alone = verdict(found, second, "train_seconds")
    assert (alone["verdict"], alone["reason"]) == ("not distinguishable", "one run each, no per-row scores")


def test_production_is_put_before_the_references_when_it_is_none_of_them(store: Store, ask) -> None:
    ref = f"run:{store.runs['twin']}"
    code, found, _ = ask(ref)
    assert code == 0
    assert [item["ref"] for item in found["items"]] == ["alias:risk@champion", ref]
    assert [item["baseline"] for item in found["items"]] == [True, False]
    assert found["differing"]["params"] == {"depth": ["3", "4"]}
    assert verdict(found, ref, "accuracy")["verdict"] == "not distinguishable"


def test_versions_aliases_and_short_ids_name_the_same(store: Store, ask) -> None:
    code, found, _ = ask("version:risk/1", "version:risk/2", f"run:{store.runs['twin'][:12]}")
    assert code == 0
    assert found["baseline"] == "version:risk/1"
    assert [item["run_id"] for item in found["items"]] == [
        store.runs[n] for n in ("champion", "better", "twin")
    ]
    assert found["items"][1]["name"] == "risk v2"
    assert verdict(found, "version:risk/2", "accuracy")["verdict"] == "better"


def test_a_chosen_baseline_wins(store: Store, ask) -> None:
    base = f"run:{store.runs['better']}"
    code, found, _ = ask("alias:risk@champion", base, "--baseline", base)
    assert (code, found["baseline"], found["baseline_reason"]) == (0, base, "chosen")
    assert verdict(found, "alias:risk@champion", "accuracy")["verdict"] == "worse"


@pytest.mark.parametrize(
    ("name", "reason"), [("other-split", "another split"), ("other-data", "different data hash")]
)
def test_other_rows_or_data_are_not_comparable_and_warned_of(
    store: Store, ask, name: str, reason: str
) -> None:
    ref = f"run:{store.runs[name]}"
    code, found, err = ask("alias:risk@champion", ref)
    assert code == 0
    judged = verdict(found, ref, "accuracy")
    assert judged["verdict"] == "not comparable"
    assert reason in judged["reason"]
    assert found["warnings"]
    assert "warning:" in err


def test_seeds_decide_where_no_rows_were_logged(store: Store, ask) -> None:
    refs = [f"run:{store.runs[f'sweep-{depth}-{seed}']}" for depth in (1, 2) for seed in range(5)]
    code, found, _ = ask(*refs)
    assert code == 0
    assert found["baseline"] == refs[0]
    assert "first reference" in found["baseline_reason"]
    judged = verdict(found, refs[5], "cost")
    assert (judged["verdict"], judged["n"]) == ("better", 10)
    assert "Welch" in judged["method"]
    assert found["differing"]["params"]["seed"] == ["0", "1", "2", "3", "4"] * 2
    assert "not a finite number" in verdict(found, refs[5], "odd")["reason"]
    assert "odd" not in found["differing"]["metrics"]  # NaN everywhere is the same everywhere


def test_revisions_bring_dvc_params_and_metrics(store: Store, ask) -> None:
    old, new = store.commits
    code, found, _ = ask(f"rev:{old}", "rev:main")
    assert code == 0
    assert found["differing"]["params"] == {"train.depth": [3, 5]}
    assert found["differing"]["metrics"] == {"auroc": [0.81, 0.84]}
    assert found["differing"]["code"]["git commit"] == [old, new]
    judged = verdict(found, "rev:main", "auroc")
    assert judged["verdict"] == "not distinguishable"
    assert "one result" in judged["reason"]


@pytest.mark.parametrize(
    "wrong",
    ["run:" + "0" * 32, "run:0000", "version:risk/99", "version:none/1", "alias:risk@none", "alias:none@champion",
     "rev:nowhere", "banana"],
)  # fmt: skip
def test_an_unknown_reference_is_exit_2_in_a_sentence(ask, wrong: str) -> None:
    code, found, err = ask("alias:risk@champion", wrong)
    assert (code, found) == (2, {})
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_one_thing_alone_is_exit_2(ask) -> None:
    code, _, err = ask("alias:risk@champion")
    assert code == 2
    assert "second reference" in err


def test_a_run_deleted_after_it_was_chosen_is_said(store: Store, ask, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    copy = tmp_path / "copy"
    shutil.copytree(store.root, copy)
    MlflowClient(f"sqlite:///{copy / 'mlflow.db'}").delete_run(store.runs["twin"])
    code, found, _ = ask("alias:risk@champion", f"run:{store.runs['twin']}", root=copy)
    assert code == 0
    assert "twin (deleted)" in found["warnings"][-1]


def test_row_scores_that_cannot_be_read_count_as_absent(store: Store, ask) -> None:
    run_id = store.runs["better"]
    (file,) = (store.root / "artifacts").rglob(f"{run_id}/artifacts/evaluation/scores.parquet")
    kept = file.read_bytes()
    try:
        file.write_bytes(b"not parquet")
        code, found, _ = ask("alias:risk@champion", f"run:{run_id}")
    finally:
        file.write_bytes(kept)
    assert code == 0
    assert "no per-row scores" in verdict(found, f"run:{run_id}", "accuracy")["reason"]


def test_how_busy_the_machine_was_stands_with_the_environment(store: Store, ask) -> None:
    client = MlflowClient(f"sqlite:///{store.root / 'mlflow.db'}")
    experiment = client.create_experiment("busy", (store.root / "artifacts" / "busy").as_uri())
    refs = []
    for load in (12.5, 80.0):
        run_id = client.create_run(experiment).info.run_id
        client.log_metric(run_id, "system/cpu_utilization_percentage", load)
        refs.append(f"run:{run_id}")
    code, found, _ = ask(*refs)
    assert code == 0 and found["verdicts"] == []
    differing = {part: rows for part, rows in found["differing"].items() if rows}
    assert differing == {"environment": {"system/cpu_utilization_percentage": ["12.5", "80"]}}
