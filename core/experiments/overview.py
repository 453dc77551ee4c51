"""What a table of runs shows: which columns are worth a place, and how they are put together. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.experiments.columns import as_array
from core.experiments.types import DATA_HASH_TAG, GIT_COMMIT_TAG, Keys, RunTable

if TYPE_CHECKING:
    import pyarrow as pa

METRICS_SHOWN = 6
PARAMS_SHOWN = 4
SHORT = 7
FIRST = 1000


def suggested_metrics(
    table: RunTable, declared: Sequence[str] = (), limit: int = METRICS_SHOWN
) -> tuple[str, ...]:
    """The metrics that most runs have; among equals the declared ones in their order, then by name."""
    wide = table.metrics
    rank = {name: position for position, name in enumerate(declared)}
    names = sorted(
        wide.column_names, key=lambda name: (wide[name].null_count, rank.get(name, len(rank)), name)
    )
    return tuple(names[:limit])


def suggested_params(table: RunTable, limit: int = PARAMS_SHOWN) -> tuple[str, ...]:
    """Params that tell runs apart: more than one value, most widely set first."""
    wide = table.params
    telling = [name for name in wide.column_names if _varies(wide[name])]
    return tuple(sorted(telling, key=lambda name: (wide[name].null_count, name))[:limit])


def _varies(column: pa.ChunkedArray) -> bool:
    """Whether there is more than one value; asked of every param at every rerun, so the first runs are asked first."""
    import pyarrow.compute as pc

    return any(
        pc.any(pc.not_equal(part, pc.first(column))).as_py() for part in (column.slice(0, FIRST), column)
    )


def expanded(chosen: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names that were chosen, by themselves or by a pattern such as ``val_*``; each once, in that order."""
    found: dict[str, None] = {}
    known = set(names)
    for item in chosen:
        found |= dict.fromkeys([item] if item in known else fnmatch.filter(names, item))
    return tuple(found)


def evenly(values: pa.ChunkedArray, limit: int) -> pa.Array:
    """At most ``limit`` positions of ``values``, evenly over their ranks: lowest and highest are among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ranked = pc.sort_indices(values).to_numpy()
    if len(ranked) > limit:
        ranked = ranked[np.unique(np.linspace(0, len(ranked) - 1, limit).round().astype(np.int64))]
    return pa.array(np.sort(ranked))


def own_tags(table: RunTable) -> tuple[str, ...]:
    """Tags that people set; MLflow's own bookkeeping is left out."""
    return tuple(name for name in table.tags.column_names if not name.startswith("mlflow."))


def shown_columns(
    table: RunTable, keys: Keys, curves: Mapping[str, Sequence[float]] | None = None
) -> pa.Table:
    """One row a run: name, status, started, duration, curve, the columns of ``keys``, user, git, data.

    Metric columns are named ``metrics.<key>`` and so on. Chosen keys that no run has are left out, and so is
    ``curve`` (values over the steps by run id) when there are none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    frame = table.attributes
    columns = {
        "name": frame["name"],
        "status": frame["status"],
        "started": frame["start_time"],
        "duration": frame["duration_s"],
    }
    if curves:
        rows = pc.index_in(as_array(frame["run_id"]), value_set=pa.array(list(curves)))
        columns["curve"] = pa.array(curves.values(), pa.list_(pa.float64())).take(rows)
    for prefix in ("metrics", "params", "tags"):
        wide: pa.Table = getattr(table, prefix)
        wanted = getattr(keys, prefix)
        names = (
            wide.column_names if wanted is None else [name for name in wanted if name in wide.column_names]
        )
        columns |= {f"{prefix}.{name}": wide[name] for name in names}
    return pa.table(
        columns
        | {
            "experiment": frame["experiment"],
            "user": frame["user"],
            "git": _short(_tag(table, GIT_COMMIT_TAG)),
            "data": _short(data_hashes(table)),
            "run_id": frame["run_id"],
        }
    )


def needed(keys: Keys) -> Keys:
    """``keys`` and what :func:`shown_columns` reads besides.

    All metrics: which of them may be told hangs on the others of the run, see :mod:`core.experiments.told`.
    """
    return replace(keys, metrics=None, tags=(*(keys.tags or ()), GIT_COMMIT_TAG, DATA_HASH_TAG))


def data_hashes(table: RunTable) -> pa.Array:
    """Content hash of each run's training data: its tag, else the digest of its training data set."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tagged = _tag(table, DATA_HASH_TAG)
    training = table.datasets.filter(
        pc.is_in(table.datasets["context"], value_set=pa.array(["", "train", "training"]))
    ).sort_by([("name", "ascending"), ("digest", "ascending"), ("context", "ascending")])
    rows = pc.index_in(as_array(table.attributes["run_id"]), value_set=training["run_id"])
    return pc.coalesce(tagged, as_array(training["digest"].take(rows)))


def running(table: RunTable) -> int:
    """How many runs of the table have not ended."""
    import pyarrow.compute as pc

    return pc.sum(pc.equal(table.attributes["status"], "RUNNING")).as_py() or 0


def fingerprint(table: RunTable) -> str:
    """A text that changes when the runs or their order do."""
    return _digest(table.attributes.select(["run_id"]))


def pulse(table: RunTable) -> str:
    """A text that changes when what the table shows does: runs, statuses, and metrics of running runs."""
    import pyarrow.compute as pc

    going = pc.equal(table.attributes["status"], "RUNNING")
    return _digest(table.attributes.select(["run_id", "status"])) + _digest(table.metrics.filter(going))


def _digest(table: pa.Table) -> str:
    import pyarrow as pa

    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(written.getvalue()).hexdigest()[:16]


def _tag(table: RunTable, name: str) -> pa.Array:
    import pyarrow as pa

    return (
        as_array(table.tags[name]) if name in table.tags.column_names else pa.nulls(len(table), pa.string())
    )


def _short(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.utf8_slice_codeunits(column, 0, SHORT)
