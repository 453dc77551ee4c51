"""MLflow's JSON runs to columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.experiments import columns
from core.experiments.types import Run, RunTable, datasets_of, times

if TYPE_CHECKING:
    import pyarrow as pa

_CONTEXT = "mlflow.data.context"


def run_table(runs: Iterable[Mapping[str, Any]], names: Mapping[str, str], as_of: datetime) -> RunTable:
    """A RunTable of MLflow's JSON runs; ``names`` maps experiment ids to names."""
    import pyarrow as pa

    infos: list[Mapping[str, Any]] = []
    long = {name: _Long() for name in ("metrics", "params", "tags")}
    datasets: list[dict[str, str]] = []
    for run in runs:
        info, data = run["info"], run.get("data", {})
        run_id = info["run_id"]
        infos.append(info)
        for name, rows in long.items():
            rows.add(run_id, data.get(name, ()))
        datasets += [_dataset(run_id, item) for item in run.get("inputs", {}).get("dataset_inputs", ())]
    frame = columns.attributes(_attribute_columns(infos, names))
    run_ids = frame["run_id"]
    return RunTable(
        attributes=frame,
        metrics=columns.pivot(run_ids, *long["metrics"].arrays(_metric_array)),
        params=columns.pivot(run_ids, *long["params"].arrays(_text_array)),
        tags=columns.pivot(run_ids, *long["tags"].arrays(_text_array)),
        datasets=pa.Table.from_pylist(datasets, schema=columns.dataset_schema()),
        total=frame.num_rows,
        source="http",
        as_of=as_of,
    )


def one_run(found: Mapping[str, Any], experiment: str) -> Run:
    """One of MLflow's JSON runs; equal to what :func:`run_table` has of it, without loading Arrow."""
    info, data = found["info"], found.get("data", {})
    start, end = (int(info.get(name) or -1) for name in ("start_time", "end_time"))
    datasets = [_dataset("", item) for item in found.get("inputs", {}).get("dataset_inputs", ())]
    return Run(
        run_id=info["run_id"],
        name=info.get("run_name") or "",
        experiment=experiment,
        experiment_id=info.get("experiment_id") or "",
        status=info.get("status") or "",
        user=info.get("user_id") or "",
        lifecycle_stage=info.get("lifecycle_stage") or "active",
        artifact_uri=info.get("artifact_uri") or "",
        **times(start, end),
        metrics=_pairs(data.get("metrics", ()), lambda value: columns.metric_value(_number(value))),
        params=_pairs(data.get("params", ()), lambda value: value or ""),
        tags=_pairs(data.get("tags", ()), lambda value: value or ""),
        datasets=datasets_of(datasets),
    )


def _pairs(items: Iterable[Mapping[str, Any]], read: Callable[[Any], Any]) -> dict[str, Any]:
    return dict(sorted((item["key"], read(item.get("value"))) for item in items))


def long_history(
    points: Iterable[Mapping[str, Any]], run_ids: Sequence[str]
) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Of MLflow's JSON metric points that name their run: its place in ``run_ids`` (-1: none), step, value and time."""
    import pyarrow as pa

    rows, place = list(points), {run_id: number for number, run_id in enumerate(run_ids)}
    return (
        pa.array([place.get(row["run_id"], -1) for row in rows], pa.int64()),
        pa.array([int(row.get("step", 0)) for row in rows], pa.int64()),
        _metric_array([row.get("value", 0.0) for row in rows]),
        pa.array([int(row["timestamp"]) for row in rows], pa.int64()),
    )


class _Long:
    """Long rows (run, key, value) while they are collected."""

    def __init__(self) -> None:
        self.owners: list[str] = []
        self.keys: list[str] = []
        self.values: list[Any] = []

    def add(self, run_id: str, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            self.owners.append(run_id)
            self.keys.append(item["key"])
            self.values.append(item.get("value"))

    def arrays(self, to_array: Any) -> tuple[pa.Array, pa.Array, pa.Array]:
        import pyarrow as pa

        return pa.array(self.owners, pa.string()), pa.array(self.keys, pa.string()), to_array(self.values)


def _attribute_columns(infos: list[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, pa.Array]:
    import pyarrow as pa

    def text(key: str, default: str = "") -> pa.Array:
        return pa.array([info.get(key) or default for info in infos], pa.string())

    def time(key: str) -> pa.Array:
        return pa.array([int(info.get(key) or -1) for info in infos], pa.int64())

    return {
        "run_id": text("run_id"),
        "name": text("run_name"),
        "experiment": pa.array([names.get(info["experiment_id"], "") for info in infos], pa.string()),
        "experiment_id": text("experiment_id"),
        "status": text("status"),
        "user": text("user_id"),
        "lifecycle_stage": text("lifecycle_stage", "active"),
        "artifact_uri": text("artifact_uri"),
        "start_time": time("start_time"),
        "end_time": time("end_time"),
    }


def _dataset(run_id: str, item: Mapping[str, Any]) -> dict[str, str]:
    dataset = item["dataset"]
    context = next((tag["value"] for tag in item.get("tags", ()) if tag["key"] == _CONTEXT), "")
    return {
        "run_id": run_id,
        "name": dataset["name"],
        "digest": dataset["digest"],
        "context": context,
        "source": dataset.get("source", ""),
    }


def _text_array(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([value or "" for value in values], pa.string())


def _number(value: Any) -> float:
    """Protobuf leaves 0 out and writes NaN as a text."""
    return float(value) if value is not None else 0.0


def _metric_array(values: list[Any]) -> pa.Array:
    """Values as logged."""
    import pyarrow as pa

    return columns.metric_values(pa.array([_number(value) for value in values], pa.float64()))
