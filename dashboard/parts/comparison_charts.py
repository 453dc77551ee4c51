"""The charts of the Compare page: curves over steps, scatter, parallel coordinates, a metric over versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from core.compare.directions import direction
from core.compare.types import Comparison, Direction, Item, Section
from core.compare.words import unique_labels
from core.errors import ModelDeskError
from core.experiments.types import SYSTEM
from dashboard import services
from dashboard.charts import comparison as charts
from dashboard.charts.histories import step_chart, with_steps
from dashboard.charts.population import scatter_chart
from dashboard.charts.registry import metric_over_versions
from dashboard.palette import MISSING
from dashboard.parts.failure import show_failure
from dashboard.parts.marks import current_palette
from dashboard.parts.text import plain

RELATIVE = "relative time"


def curves_tab(comparison: Comparison, declared: Mapping[str, str]) -> None:
    """A metric over the steps of each run."""
    # Metrics logged over steps mostly carry the split's name; which do, only reading all histories would tell.
    names = sorted(
        {
            name
            for item in comparison.items
            for name in (*item.metrics, *item.environment)
            if name in item.metrics or name.startswith(SYSTEM)
        },
        key=lambda name: (not name.startswith("val"), name),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        runs = tuple(item.run_id for item in comparison.items if item.run_id)
        suggested = services.curve_metric(runs, names)
        metric = st.selectbox(
            "Metric over steps", names, index=names.index(suggested) if suggested in names else 0, key="curve",
            bind="query-params", width=280,
        )  # fmt: skip
        axis = st.segmented_control(
            "Against",
            ["step", RELATIVE],
            default="step",
            required=True,
            key="against",
            bind="query-params",
        )
        log = st.toggle("Log scale", key="log", bind="query-params")
        towards = direction(metric, declared)
        best = st.toggle(
            "Best so far", key="best", bind="query-params", disabled=towards is Direction.UNKNOWN,
            help="Needs a declared direction of the metric.",
        )  # fmt: skip
        smoothing = st.slider(
            "Smoothing", 0.0, 0.95, 0.0, 0.05, key="smooth", bind="query-params", width=160,
            help="Exponential moving average; the logged values stay visible beneath.",
        )  # fmt: skip
    labels = {
        item.run_id: name for item, name in zip(comparison.items, unique_labels(comparison), strict=True)
    }
    histories = services.step_histories(runs, metric)
    if not any(len(history.steps) > 1 for history in histories):
        st.info(
            f"No run logged {metric} more than once, so there is no curve to draw.",
            icon=":material/show_chart:",
        )
        return
    if not with_steps(histories):
        st.info(
            f"Every value of {metric} is NaN or infinite, so there is no curve to draw.",
            icon=":material/show_chart:",
        )
        return
    shown = best and towards is not Direction.UNKNOWN
    st.plotly_chart(
        step_chart(
            histories,
            labels,
            current_palette(),
            relative=axis == RELATIVE,
            log=log,
            best=towards.value if shown else None,
            smoothing=smoothing,
        ),
        key="curves",
        config=charts.PNG,
        alt=f"{metric} over {axis}",
    )
    below = sum(int(np.count_nonzero(history.values <= 0)) for history in histories) if log else 0
    if below:
        st.caption(f"{below:,} values of 0 or less are not drawn: a log scale has no place for them.")
    reduced = [history for history in histories if history.reduced]
    if reduced:
        st.caption(
            f"{len(reduced)} curves are thinned for drawing by {reduced[0].reduced}; extremes are kept."
        )


def scatter_tab(comparison: Comparison, metric: str) -> None:
    """Any two numbers of the compared items against each other."""
    items = comparison.items
    axes = _numbers(items)
    if len(axes) < 2:
        st.info("A scatter needs two numbers that the items have.", icon=":material/info:")
        return
    names = sorted(axes, key=lambda name: (name != metric, name not in items[0].metrics, name))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across = st.selectbox("Across", names, index=1, key="x", bind="query-params", width=240)
        up = st.selectbox("Up", names, key="y", bind="query-params", width=240)
    x, y = axes[across], axes[up]
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    labels = unique_labels(comparison)
    kinds = [
        "baseline" if index == comparison.baseline_index else "candidates" for index in range(len(items))
    ]
    figure, _ = scatter_chart(
        x[kept], y[kept], [labels[index] for index in kept], current_palette(), labels=(across, up),
        color=("", [kinds[index] for index in kept]),
    )  # fmt: skip
    st.plotly_chart(figure, key="compared scatter", config=charts.PNG, alt=f"{up} against {across}")
    if len(kept) < len(items):
        st.caption(f"{len(kept)} of {len(items)} have both numbers.")


def _numbers(items: Sequence[Item]) -> dict[str, np.ndarray]:
    """Metrics, and params that are numbers, by name; NaN where an item has none."""
    found: dict[str, np.ndarray] = {}
    for section, prefix in ((Section.METRICS, ""), (Section.PARAMS, "params.")):
        for key in sorted(set().union(*(item.section(section) for item in items))):
            values = np.array(
                [charts.number_of(item.section(section).get(key)) for item in items], dtype=float
            )
            if np.isfinite(values).any():
                found[prefix + key] = values
    return found


def parallel_tab(comparison: Comparison, metric: str) -> None:
    """Params that differ against the metric, one line a run."""
    rows = [row for row in comparison.differences.differing if row.section is Section.PARAMS]
    fullest = sorted(rows, key=lambda row: row.values.count(None))
    chosen = st.multiselect(
        "Params", [row.key for row in fullest], default=[row.key for row in fullest[: charts.PARALLEL_AXES - 1]],
        key="axes", bind="query-params", max_selections=charts.PARALLEL_AXES - 1,
    )  # fmt: skip
    items = [item for item in comparison.items if _drawable(item.metrics.get(metric))]
    if len(items) < 2 or not chosen:
        st.info("Parallel coordinates need two runs and a param that differs.", icon=":material/info:")
        return
    drawn = items[: charts.PARALLEL_LIMIT]
    lacking = any(key not in item.params for item in drawn for key in chosen)
    axes = [(key, [item.params.get(key) for item in drawn]) for key in chosen]
    axes.append((metric, [item.metrics[metric] for item in drawn]))
    st.plotly_chart(
        charts.parallel_chart(axes, current_palette()),
        theme=None,
        key="parallel",
        config=charts.PNG,
        alt="Parallel coordinates",
    )
    st.caption(
        f"{len(drawn)} of {len(comparison.items)} runs (at most {charts.PARALLEL_LIMIT} lines are drawn), "
        f"{len(chosen)} of {len(rows)} differing params."
        + (f" A run without one of them passes its axis at '{MISSING}'." if lacking else "")
    )


def versions_tab(comparison: Comparison, metric: str) -> None:
    """The metric over every registered version of the model that is compared."""
    models = sorted({item.model for item in comparison.items if item.model})
    if not models:
        st.info(
            "None of these belongs to a registered model. The Registry page shows a metric over versions.",
            icon=":material/inventory_2:",
        )
        return
    for model in models:
        try:
            entries = services.versions(model)
        except ModelDeskError as error:
            show_failure(error)
            continue
        points = [
            (entry.version.version, entry.run.metrics[metric])
            for entry in entries
            if entry.run and _drawable(entry.run.metrics.get(metric))
        ]
        if not points:
            st.info(f"No version of {model} has {metric}.", icon=":material/info:")
            continue
        champion = services.champion(model)
        live = champion.version.version if champion else None
        st.plotly_chart(
            metric_over_versions(points, metric, live, current_palette()), key=f"versions {model}", config=charts.PNG,
            alt=f"{metric} over the versions of {model}",
        )  # fmt: skip
        st.caption(f"{len(points)} of {len(entries)} versions of {plain(model)} have {plain(metric)}.")


def _drawable(value: float | None) -> bool:
    return value is not None and value - value == 0
