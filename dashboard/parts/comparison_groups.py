"""What the compared runs say together: settings over their seeds, what mattered, where two models disagree."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.compare.grouping import collapse
from core.compare.importance import Importance
from core.compare.types import Comparison, Section
from core.compare.words import setting_name
from dashboard import services
from dashboard.charts import comparison as charts
from dashboard.parts.comparison import labels_of
from dashboard.parts.marks import current_palette

POINTS, BOX = "points and mean", "box"


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
        column_config={
            "rank correlation": st.column_config.NumberColumn(
                help="Spearman's, of param and metric", format="%.3f"
            ),
            "forest importance": st.column_config.NumberColumn(
                help="fall of a random forest's held-out R² when the param is shuffled", format="%.3f"
            ),
            "± over folds": st.column_config.NumberColumn(format="%.3f"),
        },
        alt="Importance of each param",
    )
    if found.left_out:
        st.caption("Left out, one value or a different word in most runs: " + ", ".join(found.left_out))


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
                    "": "hidden: a count is 1 to 10, or would give one away" if segment.hidden else "",
                }
                for segment in found
            ]
        ),
        hide_index=True,
        placeholder="hidden",
        alt="Where the two models disagree",
    )
