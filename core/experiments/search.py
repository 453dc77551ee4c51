"""Search over columns: the filter, the order and the limit of one question, for either reader. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from core.errors import BadInput
from core.experiments.columns import as_array
from core.experiments.types import Keys, RunTable

if TYPE_CHECKING:
    import pyarrow as pa

_BETTER_HIGH = ("accuracy", "auroc", "auc", "f1", "precision", "recall", "sensitivity", "specificity", "r2")
_BETTER_LOW = ("loss", "rmse", "mae", "mse", "brier", "ece", "error", "seconds")


@dataclass(frozen=True, slots=True)
class Extremes:
    """How to learn a metric's lowest and highest value over its steps, and which way is better.

    ``read(metric, run_ids)`` gives columns run_id, low and high; ``directions`` maps metric -> higher, lower.
    """

    read: Callable[[str, pa.Array], pa.Table]
    directions: Mapping[str, str] = field(default_factory=dict)

    def column(self, metric: str, which: Literal["min", "max", "best"], run_ids: pa.Array) -> pa.Array:
        """One value a run, null where the run never logged the metric."""
        import pyarrow as pa
        import pyarrow.compute as pc

        side = which if which != "best" else self._better(metric)
        found = self.read(metric, run_ids)
        rows = pc.index_in(run_ids, value_set=found["run_id"].cast(pa.string()))
        values = found["high" if side == "max" else "low"].cast(pa.float64())
        return as_array(values.take(rows))

    def _better(self, metric: str) -> Literal["min", "max"]:
        declared = self.directions.get(metric)
        words = metric.lower().replace("-", "_").replace("/", "_").replace(".", "_").split("_")
        if declared == "lower" or (not declared and any(word in _BETTER_LOW for word in words)):
            return "min"
        if declared == "higher" or any(word in _BETTER_HIGH for word in words):
            return "max"
        raise BadInput(
            f"best(metrics.{metric}) has no meaning yet: no direction is declared for {metric!r}.",
            "Use min(...) or max(...), or declare it under [metric_directions] in modeldesk.toml.",
        )


def select(
    table: RunTable,
    filter: str,
    order_by: str,
    limit: int | None,
    extremes: Extremes,
    keys: Keys | None = None,
    now: datetime | None = None,
) -> RunTable:
    """The runs of ``table`` that match, ordered, at most ``limit``; ``total`` counts all that match.

    Only the columns of ``keys`` are in the answer, all when it is None: taking 50,000 texts a column is felt.
    Raises FilterError (a BadInput) that points at the character. ``now`` anchors "7d ago".
    """
    from core.experiments.filtering import matching_rows
    from core.experiments.filters import parse_filter, parse_order
    from core.experiments.ordering import ordered_rows

    if limit is not None and limit < 0:
        raise BadInput(f"A limit of {limit} runs makes no sense.", "Give 0 or more.")
    condition, order = parse_filter(filter), parse_order(order_by)
    rows = matching_rows(table, condition, extremes, now or datetime.now(UTC)) if condition else None
    answered = table if keys is None else table.only(keys)
    # The order may ask for other columns than the answer, of the matching runs alone.
    asked = table if order else answered
    matching = asked if rows is None else _at(asked, rows)
    places = ordered_rows(matching, order, extremes)[:limit]
    chosen = matching if keys is None else matching.only(keys)
    return replace(_at(chosen, places), total=len(matching))


def newest_first(table: RunTable) -> RunTable:
    """The runs in the order that :func:`select` gives by itself, so that it need not move them again."""
    from core.experiments.ordering import ordered_rows

    return _at(table, ordered_rows(table, (), None))


def _at(table: RunTable, rows: pa.Array) -> RunTable:
    """The runs at these positions; the table itself where all are in place, since taking copies every column."""
    import numpy as np

    # Not asarray or to_numpy, with which PyArrow imports pandas (0.2 s).
    if len(rows) == len(table) and np.array_equal(np.from_dlpack(rows), np.arange(len(rows))):
        return table
    return table.take(rows)
