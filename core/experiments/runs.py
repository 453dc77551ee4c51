"""The runs of a workspace: whichever reader fits the tracking URI, and what the runs stored."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, BadSettings, NotFound, Unavailable
from core.experiments.artifacts import ArtifactStore, FolderArtifacts, local_folder
from core.experiments.types import (
    ROW_SCORES,
    Artifact,
    Dataset,
    Experiment,
    History,
    Keys,
    Lifecycle,
    Run,
    RunReader,
    RunTable,
    Source,
)

if TYPE_CHECKING:
    import pandas as pd

    from core.settings import Settings

ROW_SCORES_BYTES = 512 * 1024 * 1024
PREVIEW_BYTES = 1024 * 1024


class Runs:
    """Runs, metrics, histories and artifacts of one tracking store. Nothing here writes to it."""

    def __init__(self, reader: RunReader, root: Path) -> None:
        self._reader = reader
        self._root = root

    @property
    def source(self) -> Source:
        """``direct`` when the database is read, ``http`` when a server is asked."""
        return self._reader.source

    def experiments(self) -> tuple[Experiment, ...]:
        """Active experiments, by name."""
        return self._reader.experiments()

    def search(
        self,
        experiment: str | None = None,
        filter: str = "",
        order_by: str = "",
        limit: int | None = None,
        lifecycle: Lifecycle = "active",
        *,
        keys: Keys | None = None,
        at_once: bool = False,
    ) -> RunTable:
        """Runs of an experiment (name or id; None for all) that match ``filter`` (see filters.py).

        Newest first unless ``order_by`` (``metrics.auroc DESC, start_time``) says otherwise. ``keys`` names
        the columns of the answer, all when it is None. ``at_once`` does not wait for all runs of a server
        that is read for the first time: ``complete`` is False then. Raises FilterError, NotFound, Unavailable.
        """
        return self._reader.search(experiment, filter, order_by, limit, lifecycle, keys=keys, at_once=at_once)

    def run(self, run_id: str) -> Run:
        """One run, deleted ones included; raises NotFound."""
        return self._reader.run(run_id)

    def histories(
        self, run_ids: Sequence[str], metric: str, max_points: int | None = None
    ) -> tuple[History, ...]:
        """The metric over steps of each run that has it; beyond ``max_points`` reduced by M4, and said so."""
        return self._reader.histories(run_ids, metric, max_points)

    def datasets(self, run_id: str) -> tuple[Dataset, ...]:
        """The data sets that the run logged as inputs."""
        return self.run(run_id).datasets

    def artifacts(self, run_id: str, path: str = "") -> tuple[Artifact, ...]:
        """Files and folders of the run in ``path``, not of the folders below."""
        return self._store(run_id).entries(path)

    def artifact(self, run_id: str, path: str, max_bytes: int = PREVIEW_BYTES) -> bytes:
        """An artifact's content; BadInput when it is longer than ``max_bytes``: it is not fetched then."""
        return self._store(run_id).read(path, max_bytes)

    def row_scores(self, run_id: str) -> pd.DataFrame | None:
        """The run's test rows (row_id, label, prediction, score), None when it logged none.

        For computing only: rows are never shown, logged or exported.
        """
        import pandas as pd

        try:
            content = self._store(run_id).read(ROW_SCORES, ROW_SCORES_BYTES)
        except NotFound:
            return None
        try:
            return pd.read_parquet(io.BytesIO(content))
        except (ValueError, OSError) as error:
            raise Unavailable(
                f"{ROW_SCORES} of run {run_id} is no Parquet file.", "Log the scores of that run again."
            ) from error

    def refresh(self) -> None:
        """Forget what is kept in memory and on disk, so that the next search reads everything."""
        self._reader.refresh()

    def _store(self, run_id: str) -> ArtifactStore:
        from core.experiments.mlflow_rest import HttpReader

        run = self._reader.run(run_id)
        folder = local_folder(run.artifact_uri, self._root)
        if folder is not None and (folder.is_dir() or not isinstance(self._reader, HttpReader)):
            return FolderArtifacts(folder)
        from core.experiments.mlflow_artifacts import RemoteArtifacts, ServerArtifacts

        if isinstance(self._reader, HttpReader) and self._reader.server.serves_artifacts:
            return ServerArtifacts(self._reader.server, run_id)
        return RemoteArtifacts(run.artifact_uri)


def open_runs(settings: Settings) -> Runs:
    """The runs of a workspace; raises BadSettings when it names no tracking store."""
    if not settings.tracking_uri:
        raise BadSettings(
            "This workspace names no MLflow store.",
            "Set tracking_uri under [mlflow] in modeldesk.toml, or the variable MLFLOW_TRACKING_URI.",
        )
    return open_tracking(
        settings.tracking_uri, settings.root, settings.metric_directions, settings.mlflow.timeout_s
    )


def open_tracking(
    uri: str, root: Path, directions: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> Runs:
    """The runs behind a tracking URI: a database is read directly, a server asked over HTTP."""
    from core.experiments.mlflow_database import is_database

    if is_database(uri):
        from core.experiments.mlflow_sql import DirectReader

        return Runs(DirectReader(uri, directions), root)
    from core.experiments.mlflow_http import MlflowServer
    from core.experiments.mlflow_rest import HttpReader

    if uri.startswith(("http://", "https://")):
        return Runs(HttpReader(MlflowServer(uri, timeout_s), directions), root)
    if uri == "databricks" or uri.startswith("databricks://"):
        from core.experiments.mlflow_databricks import DatabricksServer

        return Runs(HttpReader(DatabricksServer(uri, timeout_s), directions), root)
    raise BadInput(
        f"The tracking URI {uri!r} is neither a database (sqlite:, postgresql:) nor a server (http:, https:).",
        "For a folder of the old file store run `mlflow migrate-filestore`, or start `mlflow server` on it.",
    )
