"""Logs one training as an MLflow run, the way a person's notebook would, dated into the past."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.demo import learning, mlflow_store
from core.demo.learning import Fitted, Split

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One training to do: on what, with which settings, by whom, when."""

    experiment: str
    name: str
    data: Split
    model_type: str
    settings: Mapping[str, Any]
    seed: int
    user: str
    started: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    keep_model: bool = False


class Recorder:
    """Writes runs to the demo's store at ``root``."""

    def __init__(self, root: Path) -> None:
        from mlflow import MlflowClient

        self.root = root
        self.client: MlflowClient = MlflowClient(mlflow_store.tracking_uri(root))
        found = self.client.search_experiments()
        self._experiments = {experiment.name: experiment.experiment_id for experiment in found}

    def record(self, plan: PlannedRun) -> str:
        """Train and log; returns the run's id. A training that fails is logged as FAILED."""
        run_id = self.open(plan)
        try:
            fitted = learning.fit(plan.data, plan.model_type, plan.settings, plan.seed)
        except ValueError as error:
            self.client.set_tag(run_id, "error", str(error).splitlines()[0])
            self.close(plan, run_id, "FAILED")
            return run_id
        self.client.log_batch(run_id, metrics=_metrics(fitted))
        self._log_evaluation(run_id, plan.data, fitted)
        if plan.keep_model:
            self._log_model(run_id, plan.data, fitted)
        self.close(plan, run_id, "FINISHED")
        return run_id

    def open(self, plan: PlannedRun) -> str:
        """A running run with its parameters, tags and data set."""
        tags = {"mlflow.user": plan.user, "mlflow.source.type": "NOTEBOOK", "data.hash": plan.data.digest}
        run = self.client.create_run(
            self._experiments[plan.experiment], run_name=plan.name, tags=tags | dict(plan.tags)
        )
        params = {"model_type": plan.model_type, "seed": plan.seed, **plan.settings}
        self.client.log_batch(run.info.run_id, params=_params(params))
        self._log_input(run.info.run_id, plan.data)
        return run.info.run_id

    def leave_running(self, plan: PlannedRun, rounds: int) -> None:
        """A run that has logged its first rounds and goes on."""
        run_id = self.open(plan)
        fitted = learning.fit(plan.data, plan.model_type, {**plan.settings, "max_iter": rounds}, plan.seed)
        self.client.log_batch(run_id, metrics=_round_metrics(fitted))
        mlflow_store.backdate(self.root, run_id, plan.started)

    def open_parent(self, experiment: str, name: str, user: str, params: Mapping[str, Any]) -> str:
        """A running run that holds others; they name it in ``mlflow.parentRunId``."""
        tags = {"mlflow.user": user, "mlflow.source.type": "NOTEBOOK"}
        run = self.client.create_run(self._experiments[experiment], run_name=name, tags=tags)
        self.client.log_batch(run.info.run_id, params=_params(params))
        return run.info.run_id

    def close(self, plan: PlannedRun, run_id: str, status: str) -> None:
        """End the run and move it to its moment."""
        self.client.set_terminated(run_id, status)
        mlflow_store.backdate(self.root, run_id, plan.started)

    def close_parent(self, run_id: str, started: datetime, ended: datetime) -> None:
        """End a parent at ``ended``, after its last child."""
        self.client.set_terminated(run_id, "FINISHED")
        mlflow_store.backdate(self.root, run_id, started)
        mlflow_store.end_at(self.root, run_id, ended)

    def register(self, name: str, run_id: str, description: str, created: datetime) -> int:
        """A new version of ``name`` from the run's logged model."""
        model_id = self.client.get_run(run_id).outputs.model_outputs[0].model_id
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        version = self.client.create_model_version(
            name, f"models:/{model_id}", run_id=run_id, model_id=model_id, description=description
        )
        mlflow_store.date_version(self.root, name, int(version.version), created)
        return int(version.version)

    def _log_input(self, run_id: str, data: Split) -> None:
        import mlflow.data
        from mlflow.entities import DatasetInput, InputTag

        table = data.train.assign(label=data.train_labels)
        data_set = mlflow.data.from_pandas(
            table, source=data.source, targets="label", name=data.name, digest=data.digest
        )
        tags = [InputTag("mlflow.data.context", "training")]
        self.client.log_inputs(run_id, [DatasetInput(data_set._to_mlflow_entity(), tags)])

    def _log_evaluation(self, run_id: str, data: Split, fitted: Fitted) -> None:
        import pandas as pd

        rows = pd.DataFrame(
            {
                "row_id": data.test.index.astype(str),
                "label": data.test_labels.to_numpy(),
                "prediction": fitted.predictions,
                "score": fitted.scores,
            }
        )
        counts = pd.crosstab(rows["label"], rows["prediction"]).reindex(
            index=[0, 1], columns=[0, 1], fill_value=0
        )
        (tn, fp), (fn, tp) = counts.to_numpy().tolist()
        with tempfile.TemporaryDirectory() as folder:
            rows.to_parquet(Path(folder) / "scores.parquet", index=False)
            self.client.log_artifact(run_id, str(Path(folder) / "scores.parquet"), "evaluation")
        confusion = {"tn": tn, "fp": fp, "fn": fn, "tp": tp}
        self.client.log_dict(run_id, confusion, "evaluation/confusion_matrix.json")

    def _log_model(self, run_id: str, data: Split, fitted: Fitted) -> None:
        from importlib.metadata import version

        import mlflow
        import mlflow.sklearn

        mlflow.set_tracking_uri(mlflow_store.tracking_uri(self.root))
        example = typical_row(data.train)
        with mlflow.start_run(run_id=run_id):
            mlflow.sklearn.log_model(
                fitted.pipeline,
                name="model",
                signature=mlflow.models.infer_signature(example, fitted.pipeline.predict(example)),
                input_example=example,
                pip_requirements=[f"scikit-learn=={version('scikit-learn')}"],
                skops_trusted_types=list(learning.TRUSTED_TYPES),
            )


def typical_row(features: pd.DataFrame) -> pd.DataFrame:
    """Medians and most frequent levels: an input example that is nobody's row."""
    import pandas as pd

    row = {
        name: column.median() if pd.api.types.is_numeric_dtype(column) else column.mode()[0]
        for name, column in features.items()
    }
    return pd.DataFrame([row])


def _params(values: Mapping[str, Any]) -> list:
    from mlflow.entities import Param

    return [Param(key, str(value)) for key, value in values.items()]


def _metrics(fitted: Fitted) -> list:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    final = fitted.metrics | {"train_seconds": fitted.seconds}
    return [Metric(name, value, now, 0) for name, value in final.items()] + _round_metrics(fitted)


def _round_metrics(fitted: Fitted) -> list:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(name, value, now, step)
        for step, loss, auroc in fitted.rounds
        for name, value in (("val_log_loss", loss), ("val_auroc", auroc))
    ]
