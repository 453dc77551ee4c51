"""Workspaces that really serve: a small MLflow store with good and bad versions, made once and copied."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import pickle
import shutil
import time
import warnings
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from core.workspace import Workspace, open_workspace

MODEL = "biopsy"
GOOD = (1, 2, 3)
NO_SIGNATURE, PICKLED, NEW_COLUMN, HANGS, EATS_MEMORY, RUNS_CODE, FAILS = 4, 5, 6, 7, 8, 9, 10
RUNS_CODE_MARK = "modeldesk-code-ran"
CACHE = Path(__file__).parents[1] / ".cache"


@cache
def _store() -> Path:
    """An MLflow store with ten versions of one model, each broken in its own way from the fourth on.

    Made once for each state of this file and of the requirements; workers and later runs share it.
    """
    requirements = CACHE.parent / "requirements.txt"
    digest = hashlib.sha256(Path(__file__).read_bytes() + requirements.read_bytes()).hexdigest()[:12]
    CACHE.mkdir(exist_ok=True)
    folder = CACHE.resolve() / f"deploy-store-{digest}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _fill(folder)
            (folder / "made").touch()
    return folder


def _fill(folder: Path) -> None:
    import mlflow
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db", f"sqlite:///{folder}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("biopsy", artifact_location=(folder / "artifacts").as_uri())
    data = load_breast_cancer(as_frame=True)
    narrow, wide, label = data.data.iloc[:, :4], data.data.iloc[:, :5], data.target
    common = {"name": "model", "registered_model_name": MODEL, "pip_requirements": ["scikit-learn"]}

    def log(model: object, example: object, **options: object) -> None:
        with mlflow.start_run(experiment_id=experiment):
            mlflow.sklearn.log_model(model, **common, input_example=example, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for strength in (1.0, 0.01, 10.0):
            log(LogisticRegression(C=strength, max_iter=300).fit(narrow, label), narrow.head(3))
        log(LogisticRegression(max_iter=300).fit(narrow, label), None)
        forest = RandomForestClassifier(3, random_state=0).fit(narrow, label)
        log(forest, narrow.head(3), serialization_format="cloudpickle")
        log(LogisticRegression(max_iter=300).fit(wide, label), wide.head(3))
        for wild in (_hanging(), _eating_memory()):
            with mlflow.start_run(experiment_id=experiment):
                mlflow.pyfunc.log_model(python_model=wild, signature=_signature(narrow), **common)
        plain = LogisticRegression(max_iter=300).fit(narrow, label)
        log(plain, narrow.head(3), serialization_format="pickle")
        with mlflow.start_run(experiment_id=experiment):
            mlflow.pyfunc.log_model(python_model=_failing(), signature=_signature(narrow), **common)
    _poison(client)
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def make_workspace(root: Path, engine: str = "embedded") -> Workspace:
    """A fresh workspace at ``root`` on its own copy of the store."""
    shutil.copytree(_store(), root / "mlflow", dirs_exist_ok=True)
    _move_artifacts(root / "mlflow" / "mlflow.db", _store(), root / "mlflow")
    (root / "modeldesk.toml").write_text(
        '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n'
        f'[deploy]\nengine = "{engine}"\nbake_s = 0\n[ledger]\nurl = "sqlite:///ledger.db"\n'
    )
    return open_workspace(root)


def stop_all(ws: Workspace) -> None:
    """End every process that the workspace's deployments started."""
    desk = ws.deployments
    for endpoint in desk.store.endpoints():
        for slot in endpoint.slots:
            desk.engine.stop(endpoint, slot)
    desk.engine.stop_router()
    shutil.rmtree(desk.engine.folder, ignore_errors=True)


def wait_until(condition: object, seconds: float = 20.0) -> None:
    """Look until ``condition()`` holds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _hanging() -> object:
    import mlflow.pyfunc

    class Hangs(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            import time

            time.sleep(60)

    return Hangs()


def _eating_memory() -> object:
    import mlflow.pyfunc

    class Eats(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            eaten = []
            while True:
                eaten.append(bytearray(64 << 20))

    return Eats()


class _Leaves:
    """Unpickling it leaves a file behind."""

    def __reduce__(self):
        return Path.write_text, (Path(gettempdir()) / RUNS_CODE_MARK, "ran")


def _poison(client: Any) -> None:
    """Put a pickle that runs code at load in place of that version's."""
    source = client.get_model_version(MODEL, str(RUNS_CODE)).source
    folder = Path(client.get_logged_model(source.rsplit("/", 1)[1]).artifact_location.removeprefix("file://"))
    (folder / "model.pkl").write_bytes(pickle.dumps(_Leaves()))


def _failing() -> object:
    import mlflow.pyfunc

    class FailsOnLargeValues(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            if model_input.iloc[:, 0].max() > 1000:
                raise RuntimeError("a bug in the model")
            return [0] * len(model_input)

    return FailsOnLargeValues()


def _signature(frame: object) -> object:
    from mlflow.models import infer_signature

    return infer_signature(frame)


def _move_artifacts(database: Path, before: Path, after: Path) -> None:
    import sqlite3

    old, new = before.as_uri(), after.as_uri()
    with sqlite3.connect(database) as connection:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
            ("model_versions", "storage_location"),
        ):
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
    connection.close()
