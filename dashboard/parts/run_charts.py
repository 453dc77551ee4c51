"""Charts over every run that a search found: scatter and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from core.experiments import overview
from core.experiments.filtering import numbers as read_numbers
from core.experiments.types import RunTable
from dashboard.charts.comparison import PARALLEL_AXES, PARALLEL_LIMIT, PNG, parallel_chart
from dashboard.charts.population import NO_COLOR, numbers, scatter_chart
from dashboard.parts.marks import current_palette

SCATTER, PARALLEL = "Scatter", "Parallel"


def scatter(table: RunTable, declared: Sequence[str]) -> list[int]:
    """Any two numbers of all runs against each other; returns the positions of the runs picked in it."""
    metrics = _metrics(table, declared)
    axes = _numeric_axes(table, metrics)
    if len(axes) < 2:
        st.info("A scatter needs two columns of numbers; these runs have fewer.", icon=":material/info:")
        return []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across = _choose("Across", list(axes), "x", 1 if len(axes) > 1 else 0)
        up = _choose("Up", list(axes), "y", 0)
        kinds = [
            NO_COLOR,
            *axes,
            *(f"params.{name}" for name in overview.suggested_params(table, 30)),
            "status",
        ]
        colored = _choose("Colour", list(dict.fromkeys(kinds)), "color", 0)
    x, y = axes[across], axes[up]
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    figure, traces = scatter_chart(
        x[kept],
        y[kept],
        table.attributes["name"].take(pa.array(kept)).to_pylist(),
        current_palette(),
        labels=(across, up),
        color=_color(table, axes, colored, kept),
    )
    event = st.plotly_chart(
        figure, key=f"scatter {across} {up} {colored} {len(kept)}", on_select="rerun", config=PNG,
        selection_mode=("points", "box", "lasso"), alt=f"{up} against {across}, one point a run",
    )  # fmt: skip
    st.caption(
        f"All {len(kept):,} runs that have both numbers are drawn"
        + (f"; {len(table) - len(kept):,} lack one or hold NaN." if len(kept) < len(table) else ".")
        + " Draw around points to select runs."
    )
    picked = event.selection["points"] if event else []
    return [int(kept[traces[point.get("curve_number", 0)][point["point_index"]]]) for point in picked]


def parallel(table: RunTable, declared: Sequence[str]) -> None:
    """Params against a metric, one line a run, at most 500 lines."""
    metrics = [
        name for name in _metrics(table, declared) if pc.any(pc.is_finite(table.metrics[name])).as_py()
    ]
    telling = overview.suggested_params(table, 40)
    if not metrics or not telling:
        st.info("Parallel coordinates need a metric and a param that differs.", icon=":material/info:")
        return
    common = [name for name in telling if table.params[name].null_count <= 0.1 * len(table)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = _choose("Metric", metrics, "y", 0)
        chosen = st.multiselect(
            "Params", telling, default=(common or list(telling))[: PARALLEL_AXES - 2], key="axes", bind="query-params",
            max_selections=PARALLEL_AXES - 1,
        )  # fmt: skip
    has_all = pc.fill_null(pc.is_finite(table.metrics[metric]), False)
    for name in chosen:
        has_all = pc.and_(has_all, pc.is_valid(table.params[name]))
    rows = pc.indices_nonzero(has_all)
    if len(rows) < 2 or not chosen:
        st.info("Fewer than two runs have all of these; choose other params.", icon=":material/info:")
        return
    drawn = rows.take(overview.evenly(table.metrics[metric].take(rows), PARALLEL_LIMIT))
    axes = [(name, table.params[name].take(drawn).to_pylist()) for name in chosen]
    axes.append((metric, table.metrics[metric].take(drawn).to_pylist()))
    st.plotly_chart(
        parallel_chart(axes, current_palette()), theme=None, key="all parallel", config=PNG,
        alt=f"{metric} and {len(chosen)} params, one line a run",
    )  # fmt: skip
    thinned = f", evenly over the ranks of {metric}" if len(drawn) < len(rows) else ""
    without = f" {len(table) - len(rows):,} runs lack one of the values." if len(rows) < len(table) else ""
    st.caption(
        f"{len(drawn):,} of {len(rows):,} runs{thinned}; at most {PARALLEL_LIMIT} lines are drawn.{without}"
    )


def _choose(label: str, offered: list[str], key: str, index: int) -> str:
    return st.selectbox(label, offered, index=index, key=key, bind="query-params", width=240)


def _metrics(table: RunTable, declared: Sequence[str]) -> list[str]:
    first = overview.suggested_metrics(table, declared)
    return list(dict.fromkeys([*first, *table.metrics.column_names]))


def _numeric_axes(table: RunTable, metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Every column that can be an axis, as numbers: metrics, params that are numbers, time and duration."""
    started = pc.cast(table.attributes["start_time"], pa.int64())
    first = pc.min(started).as_py() or 0
    axes = {name: numbers(table.metrics[name]) for name in metrics}
    for name in table.params.column_names:
        column = pa.chunked_array([read_numbers(overview.as_array(table.params[name]))])
        if column.null_count < len(column) and name not in axes:
            axes[f"params.{name}"] = numbers(column)
    axes["duration (s)"] = numbers(table.attributes["duration_s"])
    axes["days since the first run"] = (numbers(started) - first) / 86_400_000
    return axes


def _color(
    table: RunTable, axes: dict[str, np.ndarray], chosen: str, kept: np.ndarray
) -> tuple[str, Sequence[str] | np.ndarray] | None:
    if chosen == NO_COLOR:
        return None
    if chosen in axes and np.isfinite(axes[chosen][kept]).mean() > 0.5:
        return chosen, axes[chosen][kept]
    words = table.attributes["status"] if chosen == "status" else table.params[chosen.removeprefix("params.")]
    return chosen, pc.fill_null(words.take(pa.array(kept)), "–").to_pylist()
