"""Every run that a search found, collapsed: settings over their seeds, and which param mattered."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.compare.population import GROUPED
from core.compare.words import setting_name
from core.experiments import overview
from core.experiments.types import RunTable
from dashboard import services
from dashboard.charts import comparison as charts
from dashboard.parts.comparison_groups import BOX, POINTS, importance_picture
from dashboard.parts.marks import current_palette

DRAWN = 30
METRICS = 8


def settings(table: RunTable, declared: Sequence[str]) -> None:
    """One row a setting: mean, standard deviation and number of runs, the metric's best mean first."""
    metric, by, drawn = _choices(table, declared)
    groups = services.settings_of(table, tuple(by))
    known = [group for group in groups if metric in group.metrics and group.metrics[metric].n]
    ranked = sorted(known, key=lambda group: -group.metrics[metric].mean)
    varying = by or [
        name
        for name in overview.suggested_params(table, 40)
        if any(name in dict(group.setting) for group in groups)
    ]
    names = [setting_name(dict(group.setting), varying) for group in ranked]
    shown = [
        metric,
        *(name for name in overview.suggested_metrics(table, declared, METRICS) if name != metric),
    ]
    st.dataframe(
        pd.DataFrame(
            [
                {"setting": name, "runs": len(group.items)}
                | {key: group.metrics[key].words if key in group.metrics else "" for key in shown}
                for name, group in zip(names, ranked, strict=True)
            ]
        ),
        hide_index=True,
        height="auto" if len(ranked) <= 10 else 387,
        column_config={"setting": st.column_config.TextColumn(pinned=True, width="large")},
        alt="Mean, standard deviation and number of runs by setting",
    )
    grouped = (
        f"The first {GROUPED:,} of {len(table):,} runs" if len(table) > GROUPED else f"{len(table):,} runs"
    )
    without = f"; {len(groups) - len(known)} settings have no {metric}" if len(known) < len(groups) else ""
    st.caption(f"{grouped} in {len(ranked):,} settings, highest mean of {metric} first{without}.")
    if not ranked:
        return
    chart = charts.box_chart if drawn == BOX else charts.group_chart
    st.plotly_chart(
        chart(ranked[:DRAWN], names[:DRAWN], metric, current_palette()), key="all settings", config=charts.PNG,
        alt=f"{metric} by setting",
    )  # fmt: skip
    if len(ranked) > DRAWN:
        st.caption(f"The first {DRAWN} of {len(ranked):,} settings are drawn.")


def importance(table: RunTable, declared: Sequence[str]) -> None:
    """Which param the metric depends on among the runs that were found."""
    metric = _metric(table, declared)
    importance_picture(services.importance_among(table, metric), metric)


def _choices(table: RunTable, declared: Sequence[str]) -> tuple[str, list[str], str]:
    params = list(overview.suggested_params(table, 40))
    tags = [f"tags.{name}" for name in overview.own_tags(table)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = _metric(table, declared)
        by = st.multiselect(
            "Group by", params + tags, key="by", bind="query-params",
            placeholder="all params except the seed", help="Nothing chosen: runs that differ in their seed alone.",
        )  # fmt: skip
        drawn = st.segmented_control(
            "Draw", [POINTS, BOX], default=POINTS, required=True, key="draw", bind="query-params"
        )
    return metric, by, drawn or POINTS


def _metric(table: RunTable, declared: Sequence[str]) -> str:
    first = overview.suggested_metrics(table, declared)
    names = list(dict.fromkeys([*first, *table.metrics.column_names]))
    return st.selectbox("Metric", names, key="y", bind="query-params", width=240)
