"""Artifacts that are not on this machine: through an MLflow server, or by MLflow's own store clients."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.errors import NotFound, Unavailable
from core.experiments.artifacts import checked_path, too_large
from core.experiments.mlflow_http import MlflowServer
from core.experiments.types import Artifact


class ServerArtifacts:
    """Artifacts of one run as an MLflow server shows them."""

    def __init__(self, server: MlflowServer, run_id: str) -> None:
        self._server = server
        self._run_id = run_id

    def entries(self, path: str) -> tuple[Artifact, ...]:
        """Files and folders in ``path``."""
        query = {"run_id": self._run_id, **({"path": checked_path(path)} if path else {})}
        found = self._server.get_pages("artifacts/list", query, "files")
        return tuple(
            Artifact(
                path=item["path"],
                is_dir=bool(item.get("is_dir")),
                size=None if item.get("is_dir") else int(item.get("file_size", 0)),
            )
            for item in found
        )

    def read(self, path: str, max_bytes: int) -> bytes:
        """The file's content."""
        return self._server.file(self._run_id, checked_path(path), max_bytes)


class RemoteArtifacts:
    """Artifacts behind a URI such as s3://, read by MLflow's client for it."""

    def __init__(self, artifact_uri: str) -> None:
        self._uri = artifact_uri

    def entries(self, path: str) -> tuple[Artifact, ...]:
        """Files and folders in ``path``."""
        import mlflow.artifacts

        uri = f"{self._uri.rstrip('/')}/{checked_path(path)}" if path else self._uri
        prefix = f"{path}/" if path else ""
        try:
            found = mlflow.artifacts.list_artifacts(artifact_uri=uri)
        except Exception as error:
            raise self._unreachable(error) from error
        return tuple(
            Artifact(path=prefix + item.path, is_dir=item.is_dir, size=item.file_size) for item in found
        )

    def read(self, path: str, max_bytes: int) -> bytes:
        """The file's content, fetched only when the store says that it is small enough."""
        import mlflow.artifacts

        parent = os.path.dirname(checked_path(path))  # noqa: PTH120 - a key of an object store, not a path
        known = {item.path: item for item in self.entries(parent)}
        if path not in known:
            raise NotFound(f"The run has no artifact {path!r}.", "It may have been deleted since.")
        if (known[path].size or 0) > max_bytes:
            raise too_large(path, max_bytes)
        with tempfile.TemporaryDirectory() as folder:
            try:
                file = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"{self._uri.rstrip('/')}/{path}", dst_path=folder
                )
            except Exception as error:
                raise self._unreachable(error) from error
            return Path(file).read_bytes()

    def _unreachable(self, error: Exception) -> Unavailable:
        scheme = self._uri.split(":", 1)[0]
        return Unavailable(
            f"The artifact store ({scheme}://) does not answer: {str(error)[:200]}",
            "Check its credentials and that the client library for it is installed.",
        )
