"""The direct reader: column-projected reads of MLflow's database straight into Arrow columns."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import NotFound
from core.experiments import columns
from core.experiments.histories import histories_from
from core.experiments.mlflow_bulk import BULK_RUNS, read_elsewhere
from core.experiments.mlflow_database import (
    Database,
    Session,
    SqliteFile,
    open_database,
    require_known_schema,
)
from core.experiments.mlflow_rows import count_runs, read_run, read_runs, scope_of
from core.experiments.search import Extremes, newest_first, select
from core.experiments.types import Experiment, History, Keys, Lifecycle, Run, RunTable, utc

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT_TABLES = 4


class DirectReader:
    """Reads an MLflow database (SQLite or PostgreSQL) itself; a table is kept until the store changes."""

    source = "direct"

    def __init__(self, uri: str, directions: Mapping[str, str] | None = None) -> None:
        """Open and check the store of ``uri``; ``directions`` declares which way a metric is better."""
        self._database: Database = open_database(uri)
        self._directions = dict(directions or {})
        self._tables: OrderedDict[tuple[str | None, str], tuple[str, RunTable]] = OrderedDict()
        self._experiments: tuple[str, tuple[Experiment, ...]] = ("", ())
        self._checked = ""
        self._lock = threading.Lock()

    def experiments(self) -> tuple[Experiment, ...]:
        """Active experiments by name, each with its number of active runs; kept until the store changes."""
        with self._database.session() as session:
            stamp, kept = self._database.stamp(session), self._experiments
            if kept[0] != stamp:
                self._experiments = kept = (stamp, _read_experiments(session))
        return kept[1]

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
        """The matching runs; see RunReader. A database gives all of them at once anyway."""
        table = self._table(experiment, lifecycle)
        return select(table, filter, order_by, limit, Extremes(self._extremes, self._directions), keys)

    def run(self, run_id: str) -> Run:
        """One run, whatever its lifecycle; raises NotFound."""
        with self._database.session() as session:
            found = read_run(session, run_id)
        if found is None:
            raise NotFound(f"There is no run {run_id!r} in this store.", "`runs search` lists the runs.")
        return found

    def histories(
        self, run_ids: Sequence[str], metric: str, max_points: int | None = None
    ) -> tuple[History, ...]:
        """All points of a metric for many runs by one query; see RunReader."""
        if not run_ids:
            return ()
        wanted = tuple(dict.fromkeys(run_ids))
        with self._database.session() as session:
            rows = session.fetch(
                # Each point with its run's number, since 50,000 ids cost more than the points.
                f"WITH wanted(place, id) AS ({session.numbered(len(wanted))}) "
                "SELECT place, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END AS value "
                # Without statistics SQLite would scan all runs that have the key; so the key is no index term.
                "FROM wanted CROSS JOIN metrics WHERE run_uuid = id AND \"key\" || '' = ?",
                (*wanted, metric),
            )
        values = columns.metric_values(rows["value"])
        return histories_from(
            wanted, metric, rows["place"], rows["step"], values, rows["timestamp"], max_points
        )

    def refresh(self) -> None:
        """Forget the kept tables, so that the next search reads the store."""
        with self._lock:
            self._tables.clear()
            self._experiments = ("", self._experiments[1])  # how many runs they had is still a good guess

    def _table(self, experiment: str | None, lifecycle: Lifecycle) -> RunTable:
        with self._database.session() as session:
            stamp = self._database.stamp(session)
            if stamp != self._checked:
                require_known_schema(session, str(self._database))
                self._checked = stamp
            experiment_id = None if experiment is None else _experiment_id(session, experiment)
            key = (experiment_id, lifecycle)
            with self._lock:
                kept = self._tables.get(key)
            if kept and kept[0] == stamp:
                return replace(kept[1], as_of=datetime.now(UTC))
            scope = scope_of(experiment_id, lifecycle)
            few = not isinstance(self._database, SqliteFile) or count_runs(session, scope) <= BULK_RUNS
            seen = (item.runs for item in self._experiments[1] if item.experiment_id == experiment_id)
            table = read_runs(session, scope, next(seen, None)) if few else None
        # With our own read open, a writer that waits for it would keep the other process out.
        if table is None:
            table = read_elsewhere(self._database.path, experiment_id, lifecycle)
        table = newest_first(table)
        with self._lock:
            self._tables[key] = (stamp, table)
            self._tables.move_to_end(key)
            while len(self._tables) > _KEPT_TABLES:
                self._tables.popitem(last=False)
        return table

    def _extremes(self, metric: str, run_ids: pa.Array) -> pa.Table:
        import pyarrow as pa

        with self._database.session() as session:
            rows = session.fetch(
                "SELECT run_uuid AS run_id, min(value) AS low, max(value) AS high FROM metrics "
                'WHERE "key" = ? AND NOT is_nan GROUP BY run_uuid',
                (metric,),
            )
        sides = {side: columns.metric_values(rows[side]) for side in ("low", "high")}
        return pa.table({"run_id": columns.text(rows["run_id"]), **sides})


def _read_experiments(session: Session) -> tuple[Experiment, ...]:
    found = session.rows(
        "SELECT e.experiment_id, e.name, count(r.run_uuid) AS runs, "
        "coalesce(max(r.start_time), e.last_update_time, -1) AS seen FROM experiments e "
        "LEFT JOIN runs r ON r.experiment_id = e.experiment_id AND r.lifecycle_stage = 'active' "
        "WHERE e.lifecycle_stage = 'active' "
        "GROUP BY e.experiment_id, e.name, e.last_update_time ORDER BY e.name"
    )
    return tuple(
        Experiment(
            experiment_id=str(row["experiment_id"]),
            name=row["name"],
            runs=row["runs"],
            last_update=utc(row["seen"]) if row["seen"] >= 0 else None,
        )
        for row in found
    )


def _experiment_id(session: Session, experiment: str) -> str:
    found = session.rows(
        "SELECT experiment_id FROM experiments WHERE name = ? "
        "OR experiment_id || '' = ? ORDER BY CASE WHEN name = ? THEN 0 ELSE 1 END",
        (experiment,) * 3,
    )
    if not found:
        raise NotFound(f"There is no experiment {experiment!r}.", "Leave it out to search all experiments.")
    return str(found[0]["experiment_id"])
