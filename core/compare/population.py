"""Every run of a search as settings that were repeated, and which param mattered among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.compare.grouping import Group, collapse
from core.compare.importance import Importance, importance
from core.compare.references import run_item

if TYPE_CHECKING:
    from core.experiments.types import RunTable

GROUPED = 5_000
"""The most runs that are laid out as objects: about a second."""
_FITTED = 2_000


def settings_of(table: RunTable, by: Sequence[str] | None = None) -> tuple[Group, ...]:
    """The first 5,000 runs collapsed over their seeds, or over the params and ``tags.NAME`` of ``by``."""
    runs = table.take(list(range(min(len(table), GROUPED)))).runs()
    return collapse((run_item(run, f"run:{run.run_id}") for run in runs), by or None)


def importance_among(table: RunTable, metric: str) -> Importance:
    """Importance of each param for the metric over at most 2,000 runs, evenly over the ranks of the metric."""
    from core.experiments.overview import evenly

    values = table.metrics[metric]
    rows = evenly(values, _FITTED)
    return importance(table.params.take(rows).to_pylist(), values.take(rows).to_pylist())
