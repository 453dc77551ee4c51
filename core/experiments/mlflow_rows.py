"""The queries that read runs from MLflow's database, column by column, and what they cover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from core.experiments import columns
from core.experiments.mlflow_database import Session
from core.experiments.types import Lifecycle, Run, RunTable, datasets_of, times

if TYPE_CHECKING:
    import pyarrow as pa

# A run of MLflow before 1.30 has its name in a tag alone; nothing looks for it where there is a name.
_RUNS = """
SELECT r.run_uuid AS run_id,
       coalesce(nullif(r.name, ''), (SELECT t.value FROM tags t WHERE t.run_uuid = r.run_uuid
                                     AND t."key" = 'mlflow.runName'), '') AS name, e.name AS experiment,
       r.experiment_id AS experiment_id, coalesce(r.status, '') AS status, coalesce(r.user_id, '') AS "user",
       coalesce(r.lifecycle_stage, 'active') AS lifecycle_stage, coalesce(r.artifact_uri, '') AS artifact_uri,
       coalesce(r.start_time, -1) AS start_time, coalesce(r.end_time, -1) AS end_time
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id"""
_DATASETS = """
SELECT i.destination_id AS run_id, d.name AS name, d.digest AS digest,
       coalesce(t.value, '') AS context, coalesce(d.dataset_source, '') AS source
FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'
WHERE i.destination_type = 'RUN' AND i.source_type = 'DATASET'"""
_LONG = {
    "metrics": 'SELECT run_uuid, "key", CASE WHEN is_nan THEN NULL ELSE value END AS value FROM latest_metrics',
    "params": 'SELECT run_uuid, "key", value FROM params',
    "tags": """SELECT run_uuid, "key", coalesce(value, '') AS value FROM tags""",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which runs a read covers: a condition on the runs query, and a query for the ids that long rows belong to."""

    runs: str
    ids: str | None


def scope_of(experiment_id: str | None, lifecycle: Lifecycle) -> Scope:
    """All runs of an experiment, or of every active one."""
    stages = {"active": " AND r.lifecycle_stage = 'active'", "deleted": " AND r.lifecycle_stage = 'deleted'"}
    stage = stages.get(lifecycle, "")
    if experiment_id is None:
        return Scope(f" WHERE e.lifecycle_stage = 'active'{stage}", None)
    number = int(experiment_id)
    ids = f"SELECT run_uuid FROM runs WHERE experiment_id = {number}"
    return Scope(f" WHERE r.experiment_id = {number}{stage}", ids)


def read_runs(session: Session, scope: Scope, expected: int | None = None) -> RunTable:
    """The runs of the scope with all their columns; ``expected`` is how many there may be, where somebody knows.

    Where a session can ask two things at once, tags are read while the runs are looked for, params beside metrics.
    """
    as_of = datetime.now(UTC)
    owner = scope.ids and session.listed(scope.ids, expected)
    with session.beside() as ask:
        tags = ask(partial(_long, "tags", owner))
        found = session.fetch(_RUNS + scope.runs)
        frame = columns.attributes({name: found[name] for name in found.column_names})
        named = owner and (session.among(frame["run_id"]) or owner)
        params = ask(lambda second: _wide("params", _long("params", named, second), frame))
        datasets = ask(partial(_datasets, named))
        metrics = _wide("metrics", _long("metrics", named, session), frame)
        return RunTable(
            attributes=frame,
            metrics=metrics,
            tags=_wide("tags", tags(), frame),
            params=params(),
            datasets=datasets(),
            total=frame.num_rows,
            source="direct",
            as_of=as_of,
        )


def _long(name: str, owner: str | None, session: Session) -> pa.Table:
    return session.fetch(f"{_LONG[name]} WHERE run_uuid {owner}" if owner else _LONG[name])


def _datasets(owner: str | None, session: Session) -> pa.Table:
    rows = session.fetch(_DATASETS + (f" AND i.destination_id {owner}" if owner else ""))
    return rows.cast(columns.dataset_schema())


def read_run(session: Session, run_id: str) -> Run | None:
    """One run by plain rows, or None; equal to what :func:`read_runs` has of it."""
    found = session.rows(f"{_RUNS} WHERE r.run_uuid = ?", (run_id,))
    if not found:
        return None
    row = found[0]
    start, end = (row.pop(name) for name in ("start_time", "end_time"))
    told = {name: session.rows(f"{sql} WHERE run_uuid = ?", (run_id,)) for name, sql in _LONG.items()}
    metrics = {item["key"]: columns.metric_value(item["value"]) for item in told["metrics"]}
    return Run(
        **row | {"experiment_id": str(row["experiment_id"])},
        **times(start, end),
        metrics=dict(sorted(metrics.items())),
        **{
            name: dict(sorted((item["key"], item["value"]) for item in told[name]))
            for name in ("params", "tags")
        },
        datasets=datasets_of(session.rows(f"{_DATASETS} AND i.destination_id = ?", (run_id,))),
    )


def count_runs(session: Session, scope: Scope) -> int:
    """How many runs the scope covers."""
    joined = "FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id"
    return session.rows(f"SELECT count(*) AS n {joined}{scope.runs}")[0]["n"]


def _wide(name: str, rows: pa.Table, frame: pa.Table) -> pa.Table:
    if name == "metrics":
        values = columns.metric_values(rows["value"])
    else:
        values = columns.text(rows["value"])
    return columns.pivot(frame["run_id"], columns.text(rows["run_uuid"]), columns.text(rows["key"]), values)
