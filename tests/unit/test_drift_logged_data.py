"""A reference that is a data set of MLflow: found by name and digest, its file at hand, its content the logged one."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from core.cli.drift import app
from core.drift.logged_data import logged_file, said_source
from core.drift.monitor import Status, monitor_report
from core.errors import BadSettings, IntegrityFailure, NotFound
from core.workspace import open_workspace
from tests.model_store import new_model_store
from tests.watched_workspace import build


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A watched workspace whose training data one run logged by MLflow's digest, and others in other ways."""
    import mlflow.data
    from mlflow.data.http_dataset_source import HTTPDatasetSource
    from mlflow.entities import Dataset, DatasetInput

    root = tmp_path_factory.mktemp("logged") / "workspace"
    root.mkdir()
    build(root, moved=1)
    train = pd.read_parquet(root / "train.parquet")
    store = new_model_store(root)
    client, runs = store.client, {}

    def log(name: str, source: object, digest: str | None = None, artifact: str = "") -> None:
        run_id = runs[name] = store.run()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            known = mlflow.data.from_pandas(
                train, source=source, name=name, digest=digest
            )._to_mlflow_entity()
        if artifact:
            client.log_artifact(run_id, str(root / "train.parquet"), "data")
            uri = json.dumps({"uri": artifact.format(run_id=run_id)})
            known = Dataset(known.name, known.digest, "artifact", uri, known.schema, known.profile)
        client.log_inputs(run_id, [DatasetInput(known, [])])

    log("train", "train.parquet")
    log("kept by dvc", "gone.parquet", hashlib.md5((root / "train.parquet").read_bytes()).hexdigest())
    log("artifact", None, artifact="runs:/{run_id}/data/train.parquet")
    log("on the server", None, artifact="mlflow-artifacts:/1/{run_id}/artifacts/data/train.parquet")
    log("code", None)
    log("web", HTTPDatasetSource("https://mira:secret@data.example.org/train.csv?token=hidden"))
    log("twice", "train.parquet", "aaaa1111")
    log("twice", "train.parquet", "bbbb2222")
    digest = hashlib.md5((root / "train.parquet").read_bytes()).hexdigest()
    stored = root / "project" / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    stored.parent.mkdir(parents=True)
    shutil.copy(root / "train.parquet", stored)
    text = (root / "modeldesk.toml").read_text(encoding="utf-8")
    text = text.replace("[[monitors]]", '[dvc]\nprojects = ["project"]\n[[monitors]]')
    (root / "modeldesk.toml").write_text(text, encoding="utf-8")
    (root / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "workspace"))


def refer(root: Path, reference: str):
    file = root / "modeldesk.toml"
    text = file.read_text(encoding="utf-8").replace('"train.parquet"', json.dumps(reference))
    file.write_text(text, encoding="utf-8")
    return monitor_report(open_workspace(root), "risk")


def test_the_monitor_compares_with_what_the_run_logged(root):
    run_id = json.loads((root / "runs.json").read_text())["train"]
    expected = monitor_report(open_workspace(root), "risk").drift
    for reference in (
        "mlflow:train",
        f"mlflow:runs/{run_id}",
        "mlflow:artifact",
        "mlflow:on the server",
        "mlflow:kept by dvc",
    ):
        copy = Path(shutil.copytree(root, root.parent / reference.replace("/", " ")))
        found = refer(copy, reference)
        assert found.status is Status.DRIFT, (reference, found.reason)
        assert found.drift.columns == expected.columns


def test_a_changed_file_is_told_and_not_compared_with(root):
    pd.read_parquet(root / "train.parquet").head(1999).to_parquet(root / "train.parquet")
    found = refer(root, "mlflow:train")
    assert found.status is Status.INCONCLUSIVE
    assert "train.parquet no longer holds the data set 'train@" in found.reason
    with pytest.raises(IntegrityFailure):
        logged_file(open_workspace(root), "train")


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ("nothing", NotFound, "No run logged the data set 'nothing'"),
        ("train@ffff", NotFound, "No run logged"),
        ("it's", NotFound, "No run logged the data set 'it's'"),
        ("runs/0123", NotFound, "0123"),
        ("twice", BadSettings, "fits 2 data sets: twice@"),
        ("code", NotFound, "was logged without a source"),
        ("web", NotFound, "was read from https://data.example.org/train.csv, which is not at hand"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_plain_sentence(made, wanted, error, words):
    with pytest.raises(error) as raised:
        logged_file(open_workspace(made), wanted)
    assert words in raised.value.what
    assert "secret" not in str(raised.value) and "hidden" not in str(raised.value)


def test_a_source_on_a_file_system_that_is_gone(root):
    (root / "train.parquet").unlink()
    found = refer(root, "mlflow:train")
    assert "'train@" in found.reason and "was read from train.parquet, which is not at hand" in found.reason


def test_the_command_takes_the_same_names(made):
    moved = made / "predictions" / "2026-01-06.parquet"
    for reference in (
        "mlflow:train",
        f"dvc:{hashlib.md5((made / 'train.parquet').read_bytes()).hexdigest()}",
    ):
        given = [
            "check",
            "--reference",
            reference,
            "--current",
            str(moved),
            "--columns",
            "age",
            "--workspace",
            str(made),
        ]
        result = CliRunner().invoke(app, [*given, "--output", "json"])
        assert result.exit_code == 3, result.output
        assert json.loads(result.stdout)["rows"]["reference"] == 2000


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{"uri": "data/train.parquet"}', "data/train.parquet"),
        ('{"uri": "file:///data/my%20train.parquet"}', "/data/my train.parquet"),
        ('{"url": "s3://bucket/train.parquet"}', "s3://bucket/train.parquet"),
        ('{"path": "owner/data", "split": "train"}', "owner/data"),
        ('{"tags": {"mlflow.user": "mira"}}', ""),
        ("", ""),
        ("[1]", ""),
    ],
)  # fmt: skip
def test_a_source_in_words(source, said):
    assert said_source(source) == said
