"""Where the stages log: MLFLOW_TRACKING_URI, or the store beside this project."""

import os
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow

EXPERIMENT = "diagnosis"
STORE = Path(__file__).resolve().parents[2] / "mlflow"


def connect() -> None:
    """Choose the store and the experiment; creates the experiment when it is new."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        STORE.mkdir(exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{STORE / 'mlflow.db'}")
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, artifact_location=str(STORE / "artifacts" / EXPERIMENT))
    mlflow.set_experiment(EXPERIMENT)


def dvc_tags(data_hash: str) -> dict[str, str]:
    """Tags that tie a run to the DVC stage and to the content of its training data."""
    return {
        "data.hash": data_hash,
        "dvc.stage": os.environ.get("DVC_STAGE", ""),
        "dvc.root": os.environ.get("DVC_ROOT", str(Path.cwd())),
    }
