"""A real MLflow store with registered models, made once and copied: creating MLflow's schema takes seconds."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

MLMODEL = """flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {pickled_model: model.skops}
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}, {"type": "string", "name": "sex"}]'
  outputs: '[{"type": "long", "required": true}]'
  params: null
"""


@dataclass(frozen=True)
class ModelStore:
    """The store under a folder, and the few writes that tests need."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def client(self):
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def run(self, experiment: str = "risk", metrics: dict[str, float] | None = None, **tags: str) -> str:
        """A finished run with metrics and tags (an underscore in a tag's name becomes a dot)."""
        found = self.client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else self._experiment(experiment)
        named = {key.replace("_", "."): value for key, value in tags.items()}
        run = self.client.create_run(experiment_id, tags={"mlflow.user": "rina"} | named)
        for name, value in (metrics or {"auroc": 0.9}).items():
            self.client.log_metric(run.info.run_id, name, value)
        self.client.set_terminated(run.info.run_id)
        return run.info.run_id

    def version(self, model: str, metrics: dict[str, float] | None = None, **tags: str) -> int:
        """A new version of ``model`` from a new run, with an MLmodel file."""
        run_id = self.run(metrics=metrics, **tags)
        folder = self.folder / "artifacts" / run_id / "model"
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text(MLMODEL)
        (folder / "model.skops").write_text(run_id)
        if not self._registered(model):
            self.client.create_registered_model(model)
        return int(self.client.create_model_version(model, folder.as_uri(), run_id).version)

    def alias(self, model: str, alias: str, version: int) -> None:
        """Move an alias behind the desk's back."""
        self.client.set_registered_model_alias(model, alias, str(version))

    def _experiment(self, name: str) -> str:
        return self.client.create_experiment(name, (self.folder / "artifacts").as_uri())

    def _registered(self, model: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client.get_registered_model(model))
        except MlflowException:
            return False


def new_model_store(folder: Path) -> ModelStore:
    """An empty store in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_template(), folder / "mlflow.db")
    return ModelStore(folder)


@cache
def _template() -> Path:
    folder = Path(mkdtemp(prefix="mlflow-template-"))
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    ModelStore(folder).client.search_experiments()
    return folder / "mlflow.db"
