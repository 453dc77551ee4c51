"""The tabs of the Compare page: curves, settings and seeds, importance, parallel coordinates, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.compare.directions import direction
from core.compare.grouping import collapse
from core.compare.importance import Importance
from core.compare.types import Comparison, Direction, Item, Section
from core.compare.words import setting_name, unique_labels
from core.errors import ModelDeskError
from dashboard import services
from dashboard.charts import comparison as charts
from dashboard.charts.population import scatter_chart
from dashboard.charts.registry import metric_over_versions
from dashboard.parts.comparison import labels_of
from dashboard.parts.failure import show_failure
from dashboard.parts.marks import current_palette
from dashboard.parts.text import plain

POINTS, BOX = "points and mean", "box"


def curves_tab(comparison: Comparison, declared: Mapping[str, str]) -> None:
    """A metric over the steps of each run."""
    # Metrics logged over steps mostly carry the split's name; which do, only reading all histories would tell.
    names = sorted(
        set().union(*(item.metrics for item in comparison.items)),
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
            ["step", "relative time"],
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
    shown = best and towards is not Direction.UNKNOWN
    st.plotly_chart(
        charts.step_chart(
            histories,
            labels,
            current_palette(),
            x=axis,
            log=log,
            best=towards.value if shown else None,
            smoothing=smoothing,
        ),
        key="curves",
        config=charts.PNG,
        alt=f"{metric} over {axis}",
    )
    reduced = [history for history in histories if history.reduced]
    if reduced:
        st.caption(
            f"{len(reduced)} curves are thinned for drawing by {reduced[0].reduced}; extremes are kept."
        )


def groups_tab(comparison: Comparison, metric: str) -> None:
    """Runs of one setting collapsed over their seeds, or over any params and tags."""
    runs = [item for item in comparison.items if item.run_id]
    params = [row.key for row in comparison.differences.differing if row.section is Section.PARAMS]
    tags = [f"tags.{row.key}" for row in comparison.differences.differing if row.section is Section.TAGS]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.multiselect(
            "Group by", params + tags, key="by", bind="query-params",
            placeholder="all params except the seed", help="Nothing chosen: runs that differ in their seed alone.",
        )  # fmt: skip
        drawn = st.segmented_control(
            "Draw", [POINTS, BOX], default=POINTS, required=True, key="draw", bind="query-params"
        )
    groups = collapse(runs, by or None)
    varying = by or [key for key in params if any(dict(group.setting).get(key) for group in groups)]
    names = [setting_name(dict(group.setting), varying) for group in groups]
    metrics = sorted(set().union(*(group.metrics for group in groups)))
    st.dataframe(
        pd.DataFrame(
            [
                {"setting": name, "runs": len(group.items)}
                | {key: group.metrics[key].words if key in group.metrics else "" for key in metrics}
                for name, group in zip(names, groups, strict=True)
            ]
        ),
        hide_index=True,
        column_order=["setting", "runs", metric, *(key for key in metrics if key != metric)],
        alt="Mean, standard deviation and number of runs by setting",
    )
    chart = charts.box_chart if drawn == BOX else charts.group_chart
    st.plotly_chart(
        chart(groups, names, metric, current_palette()),
        key="groups",
        config=charts.PNG,
        alt=f"{metric} by setting",
    )


def importance_tab(comparison: Comparison, metric: str) -> None:
    """Which hyperparameter mattered for the metric among the compared runs."""
    runs = [item for item in comparison.items if item.run_id]
    found = services.importance_of(
        tuple(dict(item.params) for item in runs), tuple(item.metrics.get(metric) for item in runs)
    )
    importance_picture(found, metric)


def importance_picture(found: Importance, metric: str) -> None:
    """What was found of each param, with its caveat; or why nothing is said."""
    if found.hidden:
        st.info(f"{found.hidden} Compare more runs of one sweep.", icon=":material/visibility_off:")
        return
    st.caption(found.caveat)
    st.plotly_chart(
        charts.importance_chart(found, current_palette()),
        key="importance",
        config=charts.PNG,
        alt=f"What {metric} depends on",
    )
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "param": row.param,
                    "values": row.values,
                    "rank correlation": row.rank_correlation,
                    "forest importance": row.forest,
                    "± over folds": row.forest_sd,
                }
                for row in found.rows
            ]
        ),
        hide_index=True,
        placeholder="–",
        alt="Importance of each param",
    )
    if found.left_out:
        st.caption("Left out, one value or a different word in most runs: " + ", ".join(found.left_out))


def parallel_tab(comparison: Comparison, metric: str) -> None:
    """Params that differ against the metric, one line a run."""
    rows = [row for row in comparison.differences.differing if row.section is Section.PARAMS]
    usable = [row.key for row in rows if None not in row.values]
    chosen = usable[: charts.PARALLEL_AXES - 1]
    items = [
        item
        for item in comparison.items
        if _drawable(item.metrics.get(metric)) and set(chosen) <= set(item.params)
    ]
    if len(items) < 2 or not chosen:
        st.info("Parallel coordinates need two runs and a param that differs.", icon=":material/info:")
        return
    drawn = items[: charts.PARALLEL_LIMIT]
    axes = [(key, [item.params[key] for item in drawn]) for key in chosen]
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


def rows_tab(comparison: Comparison) -> None:
    """Where the baseline and one candidate disagree; groups of rows, never a row."""
    labels = labels_of(comparison)
    candidates = [item for item in comparison.items if item is not comparison.baseline]
    by_label = {labels[item.ref]: item for item in candidates}
    candidate = by_label[
        st.selectbox("Candidate", list(by_label), key="candidate", bind="query-params", width=360)
    ]
    found = services.row_disagreement(comparison.baseline, candidate)
    if isinstance(found, str):
        st.info(found, icon=":material/info:")
        return
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "segment": segment.name,
                    "test rows": segment.n,
                    "both right": segment.both_right,
                    "only the baseline right": segment.only_baseline,
                    "only the candidate right": segment.only_candidate,
                    "both wrong": segment.both_wrong,
                    "": "hidden: a count is 1 to 10" if segment.hidden else "",
                }
                for segment in found
            ]
        ),
        hide_index=True,
        alt="Where the two models disagree",
    )
