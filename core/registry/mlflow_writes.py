"""What the desk writes into MLflow besides aliases: a report beside a run, and a new version of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import NotFound, Unavailable
from core.registry.mlflow_alias import check_writable, limit_waiting

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True, slots=True)
class LoggedFiles:
    """A model that a run logged: MLflow's reference to it, and where its files lie."""

    source: str
    uri: str
    model_id: str | None


def log_report(
    uri: str, run_id: str, path: str, document: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """A JSON artifact and tags of a run. Raises Refused and Unavailable."""
    with _client(uri) as client:
        client.log_dict(run_id, dict(document), path)
        for key, value in tags.items():
            client.set_tag(run_id, key, value)


def logged_model(uri: str, run_id: str) -> LoggedFiles:
    """The model that the run logged last; raises NotFound when it logged none."""
    with _client(uri) as client:
        run = client.get_run(run_id)
        outputs = run.outputs.model_outputs if run.outputs else []
        if outputs:
            found = client.get_logged_model(outputs[-1].model_id)
            return LoggedFiles(f"models:/{found.model_id}", found.artifact_location, found.model_id)
        for item in client.list_artifacts(run_id):
            if item.is_dir and any(
                Path(file.path).name == "MLmodel" for file in client.list_artifacts(run_id, item.path)
            ):
                place = f"{run.info.artifact_uri.rstrip('/')}/{item.path}"
                return LoggedFiles(f"runs:/{run_id}/{item.path}", place, None)
    raise NotFound(f"Run {run_id} logged no model.", "Log one with `mlflow.<flavor>.log_model`.")


def create_version(uri: str, model: str, run_id: str, files: LoggedFiles, tags: Mapping[str, str]) -> int:
    """A new version of ``model``, which is created when it is new; its number. Raises Refused, Unavailable."""
    with _client(uri) as client:
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        made = client.create_model_version(
            model, files.source, run_id=run_id, tags=dict(tags), model_id=files.model_id
        )
        return int(made.version)


def delete(uri: str, model: str, version: int) -> None:
    """Delete a version for good. Raises Refused and Unavailable."""
    with _client(uri) as client:
        client.delete_model_version(model, str(version))


@contextmanager
def _client(uri: str) -> Iterator[MlflowClient]:
    limit_waiting()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    check_writable(uri)
    try:
        yield MlflowClient(uri, uri)
    except MlflowException as error:
        raise Unavailable(
            f"MLflow did not do it: {error.error_code}.", "Look at its log, and try again."
        ) from error
