"""Download of a model's files from a remote artifact store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from core.errors import Unavailable


def download(uri: str, target: Path, tracking_uri: str | None) -> None:
    """Every file under ``uri`` in ``target``; raises Unavailable when the store does not answer."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        try:
            found = download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=tracking_uri)
        except (MlflowException, OSError) as error:
            raise Unavailable(
                f"The model's files could not be downloaded ({type(error).__name__}).",
                "Check the artifact store; nothing was switched.",
            ) from error
        shutil.copytree(found, target, symlinks=True)
