"""What a run is here, whichever reader it came from.

Conventions: a metric that was never logged is absent (null in columns), a metric logged as NaN is ``nan``,
an infinite one is ``inf`` (MLflow stores it as the largest double; the readers translate it back).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

Source = Literal["direct", "http"]
Lifecycle = Literal["active", "deleted", "all"]

GIT_COMMIT_TAG = "mlflow.source.git.commit"
PARENT_TAG = "mlflow.parentRunId"
DATA_HASH_TAG = "data.hash"
ROW_SCORES = "evaluation/scores.parquet"
SYSTEM = "system/"
"""What MLflow puts before the names of system metrics, which it samples by the clock while a run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A named group of runs; ``runs`` is the number of its active runs, None where counting is costly."""

    experiment_id: str
    name: str
    runs: int | None = None
    last_update: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set that a run logged with ``mlflow.log_input``; context is training, evaluation ... or ''."""

    name: str
    digest: str
    context: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file or folder that a run stored; ``size`` in bytes, None for folders."""

    path: str
    is_dir: bool
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run with its last metric values. Times are aware UTC, ``duration_s`` is None while it runs."""

    run_id: str
    name: str
    experiment: str
    experiment_id: str
    status: str
    start_time: datetime | None
    end_time: datetime | None = None
    duration_s: float | None = None
    user: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lifecycle_stage: str = "active"
    artifact_uri: str = ""
    datasets: tuple[Dataset, ...] = ()

    @property
    def git_commit(self) -> str | None:
        """The full commit hash of the code that ran, when MLflow recorded one."""
        return self.tags.get(GIT_COMMIT_TAG) or None

    @property
    def data_hash(self) -> str | None:
        """Content hash of the training data: the ``data.hash`` tag, else the training data set's digest."""
        tagged = self.tags.get(DATA_HASH_TAG)
        digests = [item.digest for item in self.datasets if item.context in ("", "training", "train")]
        return tagged or next(iter(digests), None)

    @property
    def parent_run_id(self) -> str | None:
        """The run this one is nested in; the parent may have been deleted."""
        return self.tags.get(PARENT_TAG) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One metric of one run over its steps, ordered by (step, time).

    ``steps`` and ``times`` (Unix ms) are int64 arrays, ``values`` float64. ``points`` is how many were
    logged; when fewer are here, ``reduced`` says by what method.
    """

    run_id: str
    metric: str
    steps: np.ndarray
    values: np.ndarray
    times: np.ndarray
    points: int
    reduced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Which metrics, params and tags are wanted, None for all; a key that no run has is no error."""

    metrics: tuple[str, ...] | None = None
    params: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """Many runs as columns; every table has one row a run, in the same order.

    ``attributes``: run_id, name, experiment, experiment_id, status, user, lifecycle_stage, artifact_uri
    (string), start_time and end_time (timestamp[ms, UTC]), duration_s (double). ``metrics`` (double),
    ``params`` and ``tags`` (string) have one column a key, null where a run lacks it. ``datasets`` is long:
    run_id, name, digest, context, source. ``total`` counts the matching runs before a limit. ``complete`` is
    False while a server's runs are still being fetched.
    """

    attributes: pa.Table
    metrics: pa.Table
    params: pa.Table
    tags: pa.Table
    datasets: pa.Table
    total: int
    source: Source
    as_of: datetime
    complete: bool = True

    def __len__(self) -> int:
        return self.attributes.num_rows

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Ids of the runs in the order of the table."""
        return self.first_ids(len(self))

    def first_ids(self, most: int) -> tuple[str, ...]:
        """Ids of the first runs, at most so many: making texts of all of 50,000 would be felt at each rerun."""
        return tuple(self.attributes["run_id"].slice(0, most).to_pylist())

    def take(self, rows: Sequence[int] | pa.Array) -> RunTable:
        """The runs at these positions, in this order; ``total`` is kept."""
        return replace(
            self,
            attributes=_taken(self.attributes, rows),
            metrics=_taken(self.metrics, rows),
            params=_taken(self.params, rows),
            tags=_taken(self.tags, rows),
        )

    def only(self, keys: Keys) -> RunTable:
        """The same runs with these columns alone, in the order of the table."""
        return replace(
            self,
            metrics=_only(self.metrics, keys.metrics),
            params=_only(self.params, keys.params),
            tags=_only(self.tags, keys.tags),
        )

    def run(self, run_id: str) -> Run | None:
        """The run with this id, or None when it is not in the table."""
        import pyarrow.compute as pc

        position = pc.index(self.attributes["run_id"], run_id).as_py()
        return None if position < 0 else next(self.take([position]).runs())

    def runs(self) -> Iterator[Run]:
        """Each run as an object: for dozens, not for thousands."""
        columns = (self.attributes, self.metrics, self.params, self.tags)
        datasets = self._datasets_by_run()
        for attributes, *values in zip(*(_rows(table) for table in columns), strict=True):
            metrics, params, tags = (
                {key: value for key, value in row.items() if value is not None} for row in values
            )
            yield Run(
                **attributes,
                metrics=metrics,
                params=params,
                tags=tags,
                datasets=datasets.get(attributes["run_id"], ()),
            )

    def to_pandas(self) -> pd.DataFrame:
        """One wide frame: the attributes, then ``metrics.*``, ``params.*`` and ``tags.*`` columns."""
        import pyarrow as pa

        names = list(self.attributes.column_names)
        arrays = list(self.attributes.columns)
        for prefix in ("metrics", "params", "tags"):
            table: pa.Table = getattr(self, prefix)
            names += [f"{prefix}.{name}" for name in table.column_names]
            arrays += table.columns
        return pa.table(arrays, names=names).to_pandas()

    def _datasets_by_run(self) -> dict[str, tuple[Dataset, ...]]:
        found: dict[str, tuple[Dataset, ...]] = {}
        wanted = set(self.run_ids) if self.datasets.num_rows else set()
        by_name = [("name", "ascending"), ("digest", "ascending"), ("context", "ascending")]
        for row in _rows(self.datasets.sort_by(by_name)):
            run_id = row.pop("run_id")
            if run_id in wanted:
                found[run_id] = (*found.get(run_id, ()), Dataset(**row))
        return found


class RunReader(Protocol):
    """What both readers offer. Failures are core.errors: Unavailable, NotFound, BadInput."""

    source: Source

    def experiments(self) -> tuple[Experiment, ...]:
        """Active experiments, by name."""
        ...

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
        """Runs of an experiment (name or id; None for all) that match; newest first by default.

        ``keys`` are the columns of the answer (None for all); the filter may ask for any. ``at_once`` takes
        what is there while a server's runs are being fetched: see ``RunTable.complete``.
        """
        ...

    def run(self, run_id: str) -> Run:
        """One run, deleted ones included; raises NotFound."""
        ...

    def histories(
        self, run_ids: Sequence[str], metric: str, max_points: int | None = None
    ) -> tuple[History, ...]:
        """The metric over steps of each run that logged it, in the order asked."""
        ...

    def refresh(self) -> None:
        """Forget what is kept, so that the next search reads everything."""
        ...


def utc(milliseconds: int | None) -> datetime | None:
    """Unix milliseconds as an aware UTC time; None stays None."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def times(start: int, end: int) -> dict[str, Any]:
    """A Run's ``start_time``, ``end_time`` and ``duration_s`` from Unix ms; below 0 means none."""
    return {
        "start_time": utc(start) if start >= 0 else None,
        "end_time": utc(end) if end >= 0 else None,
        "duration_s": (end - start) / 1000 if min(start, end) >= 0 else None,
    }


def datasets_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Dataset, ...]:
    """A run's data sets from rows of name, digest, context and source, in their order of a RunTable."""
    names = ("name", "digest", "context", "source")
    found = (Dataset(**{name: row[name] for name in names}) for row in rows)
    return tuple(sorted(found, key=lambda item: (item.name, item.digest, item.context)))


def _taken(table: pa.Table, rows: Sequence[int] | pa.Array) -> pa.Table:
    # Arrow forgets how many rows a table has when it has no columns.
    return table.take(rows) if table.num_columns else table.slice(0, len(rows))


def _only(table: pa.Table, names: Sequence[str] | None) -> pa.Table:
    if names is None:
        return table
    wanted = set(names)
    return table.select([name for name in table.column_names if name in wanted])


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.to_pylist() if table.num_columns else [{} for _ in range(table.num_rows)]
