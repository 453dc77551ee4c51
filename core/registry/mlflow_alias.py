"""Writing an alias or a stage into MLflow's database through MLflow's own client, which must be of the same schema.

MLflow's client migrates an older database silently when it opens it. Other users of that store would then be
locked out, so a store of another schema is refused here before the client sees it.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import Refused, Unavailable

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def limit_waiting() -> None:
    """Make MLflow's client give up after seconds: its default waits for minutes on a dead server."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def write_alias(uri: str, revision: str | None, model: str, alias: str, version: int) -> None:
    """Set an alias in the store at ``uri``, whose schema is ``revision``. Raises Refused and Unavailable."""
    with _writing(uri, revision, f"{model}@{alias} to version {version}") as client:
        client.set_registered_model_alias(model, alias, str(version))


def write_stage(uri: str, revision: str | None, model: str, version: int, stage: str) -> None:
    """Put a version into one of MLflow's deprecated stages. Raises Refused and Unavailable."""
    said = f"the stage of {model} v{version} to {stage}"
    with _writing(uri, revision, said) as client, warnings.catch_warnings():
        # That stages are deprecated is why this is a setting.
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(model, str(version), stage)


@contextmanager
def _writing(uri: str, revision: str | None, what: str) -> Iterator[MlflowClient]:
    limit_waiting()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    _check_schema(revision)
    try:
        yield MlflowClient(uri, uri)
    except MlflowException as error:
        raise Unavailable(
            f"MLflow did not set {what}: {error.error_code}.",
            "Nothing was promised: read it before trying again.",
        ) from error


def check_writable(uri: str) -> None:
    """Raise Refused for a database whose schema the installed MLflow would migrate; servers look after theirs."""
    from core.experiments.mlflow_database import is_database, open_database
    from core.registry.mlflow_sql import SqlRegistry

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    if is_database(uri):
        _check_schema(SqlRegistry(open_database(uri)).revision())


def _check_schema(revision: str | None) -> None:
    newest = _schema_of_this_mlflow()
    if revision != newest:
        raise Refused(
            f"This MLflow store has schema {revision}, the installed MLflow writes {newest}: "
            "writing would migrate it silently and lock out its own users.",
            "Start that store's own `mlflow server` and use its http address as the tracking URI.",
        )


def _schema_of_this_mlflow() -> str | None:
    from pathlib import Path

    import mlflow.store.db_migrations
    from alembic.script import ScriptDirectory

    return ScriptDirectory(Path(mlflow.store.db_migrations.__file__).parent).get_current_head()
