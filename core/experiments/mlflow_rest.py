"""The HTTP reader: runs of any MLflow server, whole experiments kept as snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, NotFound
from core.experiments.histories import histories_from
from core.experiments.mlflow_http import MlflowServer, NoSuchRoute
from core.experiments.rest_rows import long_history, one_run, run_table
from core.experiments.search import Extremes, select
from core.experiments.snapshot import Snapshots
from core.experiments.types import Experiment, History, Keys, Lifecycle, Run, RunTable, utc

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 500
TOGETHER = 4
BULK_RUNS = 100
BULK_POINTS = 25_000
_VIEWS = {"active": "ACTIVE_ONLY", "deleted": "DELETED_ONLY", "all": "ALL"}
_MAX_EXTREMES = 500


class HttpReader:
    """Reads an MLflow server; whole experiments are kept as snapshots and brought up to date by each search."""

    source = "http"

    def __init__(self, server: MlflowServer, directions: Mapping[str, str] | None = None) -> None:
        """Greet the server; raises Unavailable soon when it does not answer."""
        self._server = server
        self._server.greet()
        self._directions = dict(directions or {})
        self._snapshots = Snapshots(server.uri, self._runs)

    @property
    def server(self) -> MlflowServer:
        """The connection, for what is not about runs in bulk (artifacts)."""
        return self._server

    def experiments(self) -> tuple[Experiment, ...]:
        """Active experiments by name; runs are not counted, a server has no cheap way."""
        found = self._server.pages("experiments/search", {"max_results": 1000}, "experiments")
        experiments = (
            Experiment(
                experiment_id=item["experiment_id"],
                name=item["name"],
                last_update=utc(int(item["last_update_time"])) if "last_update_time" in item else None,
            )
            for item in found
        )
        return tuple(sorted(experiments, key=lambda item: item.name))

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
        """The matching runs; see RunReader. The first search of an experiment fetches all of it."""
        names = {item.experiment_id: item.name for item in self.experiments()}
        ids = self._experiment_ids(experiment, names)
        if lifecycle == "active":
            table = self._snapshots.current(
                "all" if experiment is None else ids[0], ids, names, at_once=at_once
            )
        else:
            table = run_table(self._runs(ids, "", _VIEWS[lifecycle]), names, datetime.now(UTC))
        return select(table, filter, order_by, limit, Extremes(self._extremes, self._directions), keys)

    def run(self, run_id: str) -> Run:
        """One run, whatever its lifecycle; raises NotFound."""
        if not re.fullmatch(r"[\w-]{1,64}", run_id):
            raise NotFound(f"There is no run {run_id!r} on this server.", "`runs search` lists the runs.")
        found = self._server.get("runs/get", {"run_id": run_id})["run"]
        experiment_id = found["info"]["experiment_id"]
        owner = self._server.get("experiments/get", {"experiment_id": experiment_id})["experiment"]
        return one_run(found, owner["name"])

    def histories(
        self, run_ids: Sequence[str], metric: str, max_points: int | None = None
    ) -> tuple[History, ...]:
        """All points of a metric; a request for every hundred runs unless they are very long."""
        wanted = tuple(dict.fromkeys(run_ids))
        rows: list[dict[str, Any]] = []
        for start in range(0, len(wanted), BULK_RUNS):
            rows += self._points(wanted[start : start + BULK_RUNS], metric)
        return histories_from(wanted, metric, *long_history(rows, wanted), max_points)

    def refresh(self) -> None:
        """Forget the snapshots, so that the next search fetches everything again."""
        self._snapshots.forget()

    def _experiment_ids(self, experiment: str | None, names: Mapping[str, str]) -> tuple[str, ...]:
        if experiment is None:
            return tuple(names)
        by_name = {name: number for number, name in names.items()}
        found = by_name.get(experiment) or (experiment if experiment in names else None)
        if found is None:
            raise NotFound(
                f"There is no experiment {experiment!r}.", "Leave it out to search all experiments."
            )
        return (found,)

    def _runs(self, ids: Sequence[str], filter: str, view: str = "ACTIVE_ONLY") -> Iterator[dict[str, Any]]:
        body = {"experiment_ids": list(ids), "filter": filter, "run_view_type": view, "max_results": PAGE}
        return self._server.pages("runs/search", body, "runs", TOGETHER) if ids else iter(())

    def _points(self, run_ids: Sequence[str], metric: str) -> list[dict[str, Any]]:
        query = [("run_id", run_id) for run_id in run_ids]
        query += [("metric_key", metric), ("max_results", str(BULK_POINTS))]
        try:
            found = self._server.get("metrics/get-history-bulk", query, "ajax-api").get("metrics", [])
        except NoSuchRoute:
            found = None  # a route of MLflow's own interface; other servers need not have it
        if found is not None and len(found) < BULK_POINTS:
            return found
        return [
            {**point, "run_id": run_id}
            for run_id in run_ids
            for point in self._server.get_pages(
                "metrics/get-history",
                {"run_id": run_id, "metric_key": metric, "max_results": BULK_POINTS},
                "metrics",
            )
        ]

    def _extremes(self, metric: str, run_ids: pa.Array) -> pa.Table:
        import pyarrow as pa

        if len(run_ids) > _MAX_EXTREMES:
            raise BadInput(
                f"min, max and best over the steps of {len(run_ids):,} runs are too many requests for a server.",
                f"Name an experiment of at most {_MAX_EXTREMES} runs, or read the database directly.",
            )
        found = self.histories(run_ids.to_pylist(), metric)
        real = [
            (item.run_id, values) for item in found if len(values := item.values[item.values == item.values])
        ]
        return pa.table(
            {
                "run_id": pa.array([run_id for run_id, _ in real], pa.string()),
                "low": pa.array([float(values.min()) for _, values in real], pa.float64()),
                "high": pa.array([float(values.max()) for _, values in real], pa.float64()),
            }
        )
