"""For an analyst: everything about one run: what it reached, with which settings, on which data and code."""

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from dashboard import services
from dashboard.charts.histories import history_chart, with_steps
from dashboard.palette import MISSING, ago, duration, moment, number, short_hash
from dashboard.parts.artifacts import artifact_browser
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.marks import current_palette, status_badge

CURVES = 12

run_id = st.query_params.get("run", "")
if not run_id:
    page_header("Run", "One run in full.")
    empty_state("No run chosen", "Choose one on the Experiments page.", icon=":material/article:")
    st.page_link("app_pages/experiments.py", label="Experiments", icon=":material/science:")
    st.stop()
try:
    run = services.run(run_id)
except ModelDeskError as error:
    page_header("Run", "One run in full.")
    show_failure(error)
    st.page_link("app_pages/experiments.py", label="Experiments", icon=":material/science:")
    st.stop()

page_header(run.name or run.run_id, f"Run {run.run_id}")
with st.container(horizontal=True, vertical_alignment="center"):
    status_badge(run.status)
    if run.lifecycle_stage == "deleted":
        st.badge("DELETED", icon=":material/delete:", color="orange")
    st.page_link(
        "app_pages/experiments.py",
        label=run.experiment,
        icon=":material/science:",
        query_params={"experiment": run.experiment},
    )
    st.page_link(
        "app_pages/compare.py",
        label="Compare with production",
        icon=":material/compare_arrows:",
        query_params={"runs": run.run_id},
    )
    st.page_link("app_pages/lineage.py", label="Lineage", icon=":material/account_tree:")
    if run.parent_run_id:
        st.page_link(
            "app_pages/run.py", label="Parent run", icon=":material/arrow_upward:",
            query_params={"run": run.parent_run_id},
        )  # fmt: skip

facts = {
    "Started": f"{moment(run.start_time)} ({ago(run.start_time, datetime.now(UTC))})",
    "Duration": duration(run.duration_s),
    "By": run.user or MISSING,
    "Git commit": short_hash(run.git_commit),
    "Data": short_hash(run.data_hash),
}
for column, (label, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
    with column:
        st.caption(label)
        st.text(value)

left, right = st.columns(2, gap="medium")
with left:
    st.subheader("Metrics", anchor=False)
    if run.metrics:
        values = [{"metric": key, "last value": number(run.metrics[key])} for key in sorted(run.metrics)]
        st.dataframe(pd.DataFrame(values), hide_index=True, alt="Metrics of the run")
    else:
        st.info("This run has logged no metric.", icon=":material/info:")
with right:
    st.subheader("Params", anchor=False)
    if run.params:
        settings = [{"param": key, "value": run.params[key]} for key in sorted(run.params)]
        st.dataframe(pd.DataFrame(settings), hide_index=True, alt="Params of the run")
    else:
        st.info("This run has logged no param.", icon=":material/info:")

try:
    histories = [
        history for name in sorted(run.metrics) for history in services.step_histories((run.run_id,), name)
    ]
except ModelDeskError as error:
    show_failure(error)
    histories = []
curves = with_steps(histories)
if curves:
    st.subheader("Over the steps", anchor=False)
    for start in range(0, min(len(curves), CURVES), 2):
        for column, history in zip(st.columns(2), curves[start : start + 2], strict=False):
            chart = history_chart(history, current_palette(), color=curves.index(history))
            column.plotly_chart(chart, key=f"curve {history.metric}", alt=f"{history.metric} over steps")
            if history.reduced:
                column.caption(f"{len(history.steps):,} of {history.points:,} points: {history.reduced}.")
    if len(curves) > CURVES:
        st.caption(f"The first {CURVES} of {len(curves)} curves; Compare draws any of them.")

st.subheader("Data sets and tags", anchor=False)
left, right = st.columns(2, gap="medium")
with left:
    if run.datasets:
        inputs = [
            {"data set": item.name, "digest": item.digest, "used for": item.context or MISSING}
            for item in run.datasets
        ]
        st.dataframe(pd.DataFrame(inputs), hide_index=True, alt="Data sets of the run")
    else:
        st.info("This run logged no data set (mlflow.log_input).", icon=":material/database:")
with right, st.expander(f"{len(run.tags)} tags"):
    st.dataframe(
        pd.DataFrame([{"tag": key, "value": run.tags[key]} for key in sorted(run.tags)]),
        hide_index=True,
        alt="Tags of the run",
    )

st.subheader("Artifacts", anchor=False)
artifact_browser(run.run_id)
