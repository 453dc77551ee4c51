"""Runs as they may be shown: small counts of people among the metrics are hidden. Pure.

Metrics named like counts of people (``test/tp``, ``n_female``) are checked by :mod:`core.privacy`; what it hides
is left out here, as if it had not been logged, so that no table, chart or export can give it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from core.privacy import shown_metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from core.experiments.types import Run, RunTable


def told_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics without those that would tell a small count of people."""
    return {name: value for name, value in shown_metrics(metrics).items() if not isinstance(value, str)}


def told_run(run: Run) -> Run:
    """The run with :func:`told_metrics`."""
    return replace(run, metrics=told_metrics(run.metrics))


def told_table(table: RunTable) -> RunTable:
    """The table with the metrics of each run as :func:`told_metrics` has them."""
    names = table.metrics.column_names
    if not _counts_people(names):
        return table
    hidden: dict[str, list[int]] = {}
    for row, metrics in enumerate(table.metrics.to_pylist()):
        logged = {name: value for name, value in metrics.items() if value is not None}
        for name in logged.keys() - told_metrics(logged).keys():
            hidden.setdefault(name, []).append(row)
    metrics = table.metrics
    for name, rows in hidden.items():
        metrics = metrics.set_column(names.index(name), name, _without(metrics[name], rows))
    return replace(table, metrics=metrics)


def _counts_people(names: list[str]) -> bool:
    """Whether any metric is named like a count of people: a value of 1 would then be hidden."""
    return any(isinstance(shown_metrics({name: 1.0})[name], str) for name in names)


def _without(column: pa.ChunkedArray, rows: list[int]) -> pa.ChunkedArray:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = np.ones(len(column), dtype=bool)
    kept[rows] = False
    return pc.if_else(pa.array(kept), column, None)
