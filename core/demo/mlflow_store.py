"""The demo's MLflow store: made once, filled by others, dated into the past."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from core.demo.story import EXPERIMENTS

# Two processes log at once; SQLite's writers wait for each other instead of failing after five seconds.
BUSY_TIMEOUT_S = 120


def database(root: Path) -> Path:
    """The store's SQLite file."""
    return root / "mlflow" / "mlflow.db"


def tracking_uri(root: Path) -> str:
    """MLflow's URI of the store while it is being built."""
    return f"sqlite:///{database(root)}?timeout={BUSY_TIMEOUT_S}"


def create(root: Path) -> None:
    """An empty store with its experiments, artifacts below ``root/mlflow/artifacts``."""
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    artifacts = root / "mlflow" / "artifacts"
    artifacts.mkdir(parents=True)
    SqlAlchemyStore(tracking_uri(root), str(artifacts))
    client = MlflowClient(tracking_uri(root))
    for name in EXPERIMENTS:
        client.create_experiment(name, artifact_location=str(artifacts / name))


def connect(root: Path) -> sqlite3.Connection:
    """A plain connection, for what MLflow's API has no call for."""
    return sqlite3.connect(database(root), timeout=BUSY_TIMEOUT_S)


def run_ids(root: Path) -> set[str]:
    """Ids of all runs of ``diagnosis``, the experiment that the DVC stages log to."""
    with closing(connect(root)) as connection:
        query = "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id) WHERE experiments.name = ?"
        return {run_id for (run_id,) in connection.execute(query, (EXPERIMENTS[0],))}


_BACKDATE = (
    "UPDATE runs SET start_time = start_time - :shift, end_time = end_time - :shift WHERE run_uuid = :run",
    "UPDATE metrics SET timestamp = timestamp - :shift WHERE run_uuid = :run",
    "UPDATE latest_metrics SET timestamp = timestamp - :shift WHERE run_uuid = :run",
    "UPDATE logged_models SET creation_timestamp_ms = creation_timestamp_ms - :shift,"
    " last_updated_timestamp_ms = last_updated_timestamp_ms - :shift WHERE source_run_id = :run",
    "UPDATE model_versions SET creation_time = creation_time - :shift,"
    " last_updated_time = last_updated_time - :shift WHERE run_id = :run",
)


def backdate(root: Path, run_id: str, started: datetime) -> None:
    """Move a run, its metrics, its logged model and its model versions so that it began at ``started``."""
    with closing(connect(root)) as connection, connection:
        query = "SELECT start_time FROM runs WHERE run_uuid = ?"
        (actual,) = connection.execute(query, (run_id,)).fetchone()
        values = {"run": run_id, "shift": actual - round(started.timestamp() * 1000)}
        for statement in _BACKDATE:
            connection.execute(statement, values)


def end_at(root: Path, run_id: str, ended: datetime) -> None:
    """Move the end of a run alone: a parent ends after its last child."""
    with closing(connect(root)) as connection, connection:
        values = (round(ended.timestamp() * 1000), run_id)
        connection.execute("UPDATE runs SET end_time = ? WHERE run_uuid = ?", values)


def date_version(root: Path, model: str, version: int, created: datetime) -> None:
    """Let a model version be created at ``created``."""
    moment = round(created.timestamp() * 1000)
    with closing(connect(root)) as connection, connection:
        connection.execute(
            "UPDATE model_versions SET creation_time = ?, last_updated_time = ? WHERE name = ? AND version = ?",
            (moment, moment, model, version),
        )


def age_containers(root: Path) -> None:
    """Let experiments, models and versions be as old as what they hold, though they were described today."""
    with closing(connect(root)) as connection, connection:
        connection.execute(
            "UPDATE experiments SET creation_time = (SELECT min(start_time) FROM runs r"
            " WHERE r.experiment_id = experiments.experiment_id) WHERE name IN (?, ?, ?)",
            EXPERIMENTS,
        )
        connection.execute("UPDATE model_versions SET last_updated_time = creation_time")
        connection.execute(
            "UPDATE registered_models SET creation_time = (SELECT min(creation_time) FROM model_versions v"
            " WHERE v.name = registered_models.name), last_updated_time = (SELECT max(last_updated_time)"
            " FROM model_versions v WHERE v.name = registered_models.name)"
        )
