"""Histories as small pictures for a table: which metric has one, and its values thinned to a few points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.experiments.runs import Runs

DRAWN_RUNS = 200
POINTS = 40
_PROBED_RUNS, _PROBED_METRICS = 20, 4


def curves(runs: Runs, run_ids: Sequence[str], metric: str) -> dict[str, list[float]]:
    """The metric's finite values over the steps by run id, thinned by M4, for runs with more than one point."""
    found = {}
    for history in runs.histories(run_ids[:DRAWN_RUNS], metric, max_points=POINTS):
        values = history.values[np.isfinite(history.values)]
        if len(values) > 1:
            found[history.run_id] = values.tolist()
    return found


def metric_with_curve(runs: Runs, run_ids: Sequence[str], metrics: Sequence[str]) -> str | None:
    """A metric that the first runs logged over steps, those of a validation or training first; None if none."""
    likely = sorted(metrics, key=lambda name: (not name.startswith("val"), not name.startswith("train")))
    for metric in likely[:_PROBED_METRICS]:
        if curves(runs, run_ids[:_PROBED_RUNS], metric):
            return metric
    return None
