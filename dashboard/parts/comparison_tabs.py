"""The tabs of the Compare page: curves, settings and seeds, importance, parallel coordinates, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.compare.directions import direction
from core.compare.grouping import collapse
from core.compare.types import Comparison, Direction, Section
from core.compare.words import unique_labels
from dashboard import services
from dashboard.charts import comparison as charts
from dashboard.parts.comparison import labels_of
from dashboard.parts.marks import current_palette


def curves_tab(comparison: Comparison, declared: Mapping[str, str]) -> None:
    """A metric over the steps of each run."""
    # Metrics logged over steps mostly carry the split's name; which do, only reading all histories would tell.
    names = sorted(
        set().union(*(item.metrics for item in comparison.items)),
        key=lambda name: (not name.startswith("val"), name),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox("Metric over steps", names, key="curve", bind="query-params", width=280)
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
    labels = {
        item.run_id: name for item, name in zip(comparison.items, unique_labels(comparison), strict=True)
    }
    runs = tuple(run_id for run_id in labels if run_id)
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
            histories, labels, current_palette(), x=axis, log=log, best=towards.value if shown else None
        ),
        key="curves",
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
    by = st.multiselect(
        "Group by", params + tags, key="by", bind="query-params",
        placeholder="all params except the seed", help="Nothing chosen: runs that differ in their seed alone.",
    )  # fmt: skip
    groups = collapse(runs, by or None)
    varying = by or [key for key in params if any(dict(group.setting).get(key) for group in groups)]
    names = [_setting_name(dict(group.setting), varying) for group in groups]
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
    st.plotly_chart(
        charts.group_chart(groups, names, metric, current_palette()), key="groups", alt=f"{metric} by setting"
    )


def _setting_name(setting: Mapping[str, str], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}={setting[key]}" for key in keys if key in setting) or "all the same"


def importance_tab(comparison: Comparison, metric: str) -> None:
    """Which hyperparameter mattered for the metric among the compared runs."""
    runs = [item for item in comparison.items if item.run_id]
    found = services.importance_of(
        tuple(dict(item.params) for item in runs), tuple(item.metrics.get(metric) for item in runs)
    )
    if found.hidden:
        st.info(f"{found.hidden} Compare more runs of one sweep.", icon=":material/visibility_off:")
        return
    st.caption(found.caveat)
    st.plotly_chart(
        charts.importance_chart(found, current_palette()), key="importance", alt=f"What {metric} depends on"
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
        charts.parallel_chart(axes, current_palette()), theme=None, key="parallel", alt="Parallel coordinates"
    )
    st.caption(
        f"{len(drawn)} of {len(comparison.items)} runs (at most {charts.PARALLEL_LIMIT} lines are drawn), "
        f"{len(chosen)} of {len(rows)} differing params."
    )


def _drawable(value: float | None) -> bool:
    return value is not None and value - value == 0


def rows_tab(comparison: Comparison) -> None:
    """Where the baseline and one candidate disagree; groups of rows, never a row."""
    labels = labels_of(comparison)
    candidates = [item for item in comparison.items if item is not comparison.baseline]
    candidate = st.selectbox(
        "Candidate", candidates, format_func=lambda item: labels[item.ref], key="rows_of", width=360
    )
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
