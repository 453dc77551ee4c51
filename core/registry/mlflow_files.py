"""Fetching a model's files from a remote artifact store, through MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.errors import Unavailable
from core.registry.mlflow_alias import limit_waiting


def fetch_text(uri: str, name: str) -> str:
    """The text of one small file under an artifact URI. Raises Unavailable."""
    limit_waiting()
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    if not uri:
        raise Unavailable("MLflow does not say where the files of this version lie.", "Register it again.")
    with tempfile.TemporaryDirectory(prefix="model-desk-") as folder:
        try:
            found = download_artifacts(artifact_uri=f"{uri.rstrip('/')}/{name}", dst_path=folder)
            return Path(found).read_text(encoding="utf-8")
        except (MlflowException, OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"{name} cannot be fetched from the artifact store ({type(error).__name__}).",
                "Check that the artifact store can be reached from here and that the files still exist.",
            ) from error


def fetch_folder(uri: str, into: Path) -> Path:
    """Every file under an artifact URI, below ``into``. Raises Unavailable."""
    limit_waiting()
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(into)))
    except (MlflowException, OSError) as error:
        raise Unavailable(
            f"The model's files cannot be fetched from the artifact store ({type(error).__name__}).",
            "Check that the artifact store can be reached from here and that the files still exist.",
        ) from error
