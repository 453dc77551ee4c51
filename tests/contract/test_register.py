"""Registering a run's model on a real store: once per content, with where it came from, and nothing half-done."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.access import Actor, local_actor
from core.errors import BadInput, NotFound, Refused
from core.registry.finding import best, find
from core.registry.register import SHA256_TAG, register
from core.workspace import Workspace, open_workspace, rehearsing
from tests.model_store import MLMODEL, ModelStore, new_model_store

SETTINGS = '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n'


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    (tmp_path / "modeldesk.toml").write_text(SETTINGS)
    return new_model_store(tmp_path / "mlflow")


@pytest.fixture
def ws(store: ModelStore, tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path)


def logged(store: ModelStore, weights: str, **tags: str) -> str:
    """A run that logged a model; only its MLmodel tells by which run."""
    run_id = store.run(**tags)
    folder = store.folder / "made" / run_id
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL + f"run_id: {run_id}\nutc_time_created: now\n")
    (folder / "weights.bin").write_text(weights)
    store.client.log_artifacts(run_id, str(folder), "model")
    return run_id


def test_the_same_content_is_one_version_whichever_run_logged_it(store: ModelStore, ws: Workspace) -> None:
    me = local_actor(ws.settings)
    tags = {"data_hash": "d41d8cd9", "mlflow_source_git_commit": "1a2b3c4d"}
    first = register(ws, logged(store, "w1", **tags), "risk", me)
    again = register(ws, first.run_id, "risk", me)
    retrained = register(ws, logged(store, "w1"), "risk", me)
    other = register(ws, logged(store, "w2"), "risk", me)
    assert [one.version for one in (first, again, retrained, other)] == [1, 1, 1, 2]
    assert [one.created for one in (first, again, retrained, other)] == [True, False, False, True]
    found = ws.registry.version("risk", 1)
    assert found.tags[SHA256_TAG] == first.sha256 and found.tags["data.hash"] == "d41d8cd9"
    assert found.tags["git.commit"] == "1a2b3c4d" and found.run_id == first.run_id
    told = ws.ledger.records(model="risk", kinds=("version_registered",))
    assert [record.payload["version"] for record in told] == [1, 2]
    assert told[0].payload["sha256"] == first.sha256
    assert [one.entry.version.version for one in find(ws, first.sha256[:8])] == [1]


def test_two_at_once_make_one_version(store: ModelStore, ws: Workspace) -> None:
    run_id, me, made = logged(store, "w"), local_actor(ws.settings), []
    threads = [
        threading.Thread(
            target=lambda: made.append(register(open_workspace(ws.root), run_id, "risk", me).version)
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1, 1, 1] and len(ws.registry.versions("risk")) == 1


def test_an_interrupted_registration_is_finished_by_the_next(
    store: ModelStore, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between MLflow and the ledger: the next attempt finds the version and records it, once."""
    run_id, me = logged(store, "w"), local_actor(ws.settings)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(ws.ledger), "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            register(ws, run_id, "risk", me)
    assert ws.ledger.records() == ()
    assert register(ws, run_id, "risk", me).version == 1
    register(ws, run_id, "risk", me)
    assert len(ws.ledger.records(kinds=("version_registered",))) == 1


def test_a_rehearsal_registers_nothing(store: ModelStore, ws: Workspace) -> None:
    run_id = logged(store, "w")
    with rehearsing(True):
        planned = register(open_workspace(ws.root), run_id, "risk", local_actor(ws.settings))
    assert planned.version is None and "would get a new version" in planned.sentence
    assert ws.registry.models() == () and not ws.settings.path(Path("ledger.db")).exists()


def test_the_model_follows_from_the_experiment_or_must_be_named(store: ModelStore, ws: Workspace) -> None:
    me = local_actor(ws.settings)
    with pytest.raises(BadInput, match="not known"):
        register(ws, logged(store, "w0"), None, me)
    register(ws, logged(store, "w1"), "risk", me)
    assert register(ws, logged(store, "w2"), None, me).model == "risk"
    with pytest.raises(NotFound, match="logged no model"):
        register(ws, store.run(), "risk", me)
    with pytest.raises(NotFound):
        register(ws, "f" * 32, "risk", me)
    with pytest.raises(Refused):
        register(ws, logged(store, "w3"), "risk", Actor("viewer", "V", "oidc"))


def test_find_and_best(store: ModelStore, ws: Workspace) -> None:
    for auroc, data in ((0.8, "aaaa1111"), (0.9, "bbbb2222"), (0.7, "bbbb2222")):
        store.version("risk", {"auroc": auroc}, data_hash=data)
    store.alias("risk", "champion", 2)
    assert [one.entry.version.version for one in best(ws, "auroc")] == [2, 1, 3]
    assert [one.entry.version.version for one in best(ws, "auroc", data="bbbb")] == [2, 3]
    (live,) = find(ws, "champion")
    assert live.live_in == ("production",) and live.because == "alias champion"
    assert [one.because for one in find(ws, "bbbb2222")] == ["data hash"] * 2
    assert find(ws, (live.entry.version.run_id or "")[:8])[0].because == "run id"
    for text in ("zz", "nothing-like-it"):
        with pytest.raises(NotFound, match="Known are"):
            find(ws, text)
    with pytest.raises(BadInput, match="improves"):
        best(ws, "loudness")
    with pytest.raises(NotFound):
        best(ws, "auroc", data="cccc")
