"""What a registry promises, read straight from MLflow's database and over HTTP from a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core import outages
from core.errors import BadInput, BadSettings, Conflict, NotFound, Refused, Unavailable
from core.registry.mlflow_rest import RestRegistry
from core.registry.types import AliasMove
from core.settings import MlflowSection, Settings
from core.workspace import Workspace
from tests.contract.experiments_store import mlflow_server
from tests.model_store import ModelStore, new_model_store

ODD = "ward '7' \"🫀\" 100%"


def fill(store: ModelStore) -> None:
    for _ in range(3):
        store.version("risk")
    store.version(ODD)
    store.alias("risk", "champion", 2)
    store.alias("risk", "previous", 2)
    store.client.delete_model_version("risk", "1")
    store.client.copy_model_version("models:/risk/3", "risk-prod")
    store.client.set_model_version_tag("risk", "3", "note", "retrained")
    store.client.create_registered_model("empty", description="not yet")
    store.client.register_prompt("greeting", "Hello {{name}}")


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> ModelStore:
    store = new_model_store(tmp_path_factory.mktemp("store"))
    fill(store)
    return store


@pytest.fixture(scope="module")
def server(filled) -> Iterator[str]:
    with mlflow_server(filled.uri, filled.folder) as url:
        yield url


def workspace(uri: str | None, folder: Path) -> Workspace:
    ledger = {"url": f"sqlite:///{folder}/ledger.db"}
    return Workspace(
        Settings(
            root=folder,
            mlflow=MlflowSection(tracking_uri=uri, timeout_s=2),
            ledger=ledger,
            stages={"staging": "Staging"},
        )
    )


@pytest.fixture(params=["database", pytest.param("server", marks=pytest.mark.slow)])
def registry(request, filled, tmp_path):
    uri = filled.uri if request.param == "database" else request.getfixturevalue("server")
    return workspace(uri, tmp_path).registry


def test_models_come_with_aliases_and_without_prompts(registry):
    models = {model.name: model for model in registry.models()}
    assert sorted(models) == sorted([ODD, "empty", "risk", "risk-prod"])
    risk = models["risk"]
    assert (risk.versions_count, risk.latest_version) == (2, 3)
    assert risk.aliases == {"champion": 2, "previous": 2}
    assert risk.created_at is not None and risk.created_at.tzinfo is not None
    assert (models["empty"].versions_count, models["empty"].latest_version) == (0, None)
    assert models["empty"].description == "not yet"
    assert registry.model("risk") == risk


def test_versions_are_numbers_newest_first_with_their_aliases(registry):
    newest, older = registry.versions("risk")
    assert (newest.version, older.version) == (3, 2)
    assert older.aliases == ("champion", "previous")
    assert newest.tags == {"note": "retrained"}
    assert newest.run_id and len(newest.run_id) == 32
    assert (newest.stage, newest.description, newest.status) == ("", "", "READY")
    assert registry.version("risk", 3) == newest
    assert registry.by_alias("risk", "champion") == older
    assert registry.aliased("champion") == (older,)
    assert registry.aliased("nobody") == ()
    assert len(registry.versions()) == 4
    assert registry.versions("empty") == ()


def test_a_copied_version_keeps_its_run_and_files(registry):
    (copied,) = registry.versions("risk-prod")
    assert copied.source == "models:/risk/3"
    assert copied.run_id == registry.version("risk", 3).run_id
    assert registry.artifact_uri("risk-prod", 1) == registry.artifact_uri("risk", 3)


def test_odd_names_are_only_names(registry):
    (version,) = registry.versions(ODD)
    assert version.model == ODD
    assert registry.model(ODD).versions_count == 1


def test_the_signature_is_read_from_the_file(registry):
    signature = registry.signature("risk", 2)
    assert [(item.name, item.type, item.required) for item in signature.inputs] == [
        ("age", "double", True),
        ("sex", "string", True),
    ]
    assert signature.outputs[0].type == "long"
    assert signature.flavors == ("python_function", "sklearn")


def test_what_does_not_exist_is_said_with_what_does(registry):
    with pytest.raises(NotFound, match=r"no registered model 'risc'.* risk"):
        registry.model("risc")
    with pytest.raises(NotFound, match="no registered model 'risc'"):
        registry.versions("risc")
    with pytest.raises(NotFound, match=r"no version 1\b.*newest: 3, 2"):
        registry.version("risk", 1)
    with pytest.raises(NotFound, match=r"no alias 'live'.*champion \(v2\)"):
        registry.by_alias("risk", "live")


def test_an_alias_moves_only_from_what_was_seen(registry):
    with pytest.raises(Conflict, match="v2 by now, not nothing"):
        registry.set_alias("risk", "champion", 3, expected=None)
    assert registry.set_alias("risk", "champion", 3, 2) == AliasMove("risk", "champion", 2, 3)
    assert registry.model("risk").aliases["champion"] == 3
    registry.set_alias("risk", "champion", 2, expected=3)
    with pytest.raises(NotFound):
        registry.set_alias("risk", "champion", 99, expected=2)


def test_a_deprecated_stage_is_written_and_read(registry):
    for stage in ("Staging", "Archived", "None"):
        registry.set_stage("risk", 3, stage)
        assert registry.version("risk", 3).stage == stage.replace("None", "")


@pytest.mark.parametrize("alias", ["latest", "v2", "a b", "", "x" * 256])
def test_an_alias_that_mlflow_refuses_is_refused_before(registry, alias):
    with pytest.raises(BadInput, match="cannot be an alias"):
        registry.set_alias("risk", alias, 3, expected=None)


def test_a_store_that_is_absent_is_not_created(tmp_path):
    with pytest.raises(Unavailable, match="does not exist"):
        _ = workspace(f"sqlite:///{tmp_path}/typo.db", tmp_path).registry
    assert not (tmp_path / "typo.db").exists()


def test_an_older_store_is_readable_but_never_migrated(tmp_path):
    store = new_model_store(tmp_path / "store")
    store.version("risk")
    import sqlite3

    with sqlite3.connect(tmp_path / "store" / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'da6fb0208061'")
    registry = workspace(store.uri, tmp_path).registry
    assert registry.model("risk").versions_count == 1
    with pytest.raises(Refused, match="migrate it silently"):
        registry.set_alias("risk", "champion", 1, expected=None)


def test_a_server_that_never_answers_is_said_within_seconds(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer in time"):
            workspace(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path).registry.models()
    assert time.monotonic() - started < 5


def test_a_server_that_is_silent_is_waited_for_once_and_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Deploy page asks it three times: the proof of a rollback that took 25 ms stood there 12 s later."""
    asked = 0

    def ask() -> int:
        nonlocal asked
        with pytest.raises(Unavailable, match="did not answer in time"):
            registry.models()
        with suppress(BlockingIOError):
            silent.accept()[0].close()
            asked += 1
        return asked

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.setblocking(False)
        registry = RestRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)
        assert [ask() for _ in range(5)] == [1] * 5
        monkeypatch.setattr(outages, "SILENT_FOR_S", 0.0)
        assert ask() == 2


@pytest.mark.parametrize(("uri", "error"), [(None, "No MLflow store"), ("./mlruns", "neither a database")])
def test_a_registry_that_cannot_be_is_explained(tmp_path, monkeypatch, uri, error):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(BadSettings, match=error):
        _ = workspace(uri, tmp_path).registry
