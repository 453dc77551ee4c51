"""For an analyst: everything about one run: what it reached, with which settings, on which data and code."""

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from core.experiments.types import SYSTEM
from dashboard import services
from dashboard.palette import MISSING, ago, duration, moment, number, short_hash
from dashboard.parts import run_details as parts
from dashboard.parts.artifacts import artifact_browser
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header, way_back
from dashboard.parts.marks import status_badge

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
    way_back("experiments", "Back to the runs")
    status_badge(run.status)
    if run.lifecycle_stage == "deleted":
        st.badge("DELETED", icon=":material/delete:", color="orange")
    st.page_link(
        "app_pages/experiments.py", label=run.experiment, icon=":material/science:",
        query_params={"experiment": run.experiment},
    )  # fmt: skip
    st.page_link(
        "app_pages/compare.py", label="Compare with production", icon=":material/compare_arrows:",
        query_params={"runs": run.run_id},
    )  # fmt: skip
    st.page_link(
        "app_pages/lineage.py", label="Lineage", icon=":material/account_tree:",
        query_params={"find": f"run:{run.run_id}"},
    )  # fmt: skip
    for version in services.versions_of_run(run.run_id):
        aliases = f" @{', @'.join(version.aliases)}" if version.aliases else ""
        st.page_link(
            "app_pages/version.py", label=f"{version.model} v{version.version}{aliases}",
            icon=":material/inventory_2:", query_params={"model": version.model, "version": str(version.version)},
        )  # fmt: skip
    if run.parent_run_id:
        st.page_link(
            "app_pages/run.py", label="Parent run", icon=":material/arrow_upward:",
            query_params={"run": run.parent_run_id},
        )  # fmt: skip

facts = {
    "Started": f"{moment(run.start_time)}, {ago(run.start_time, datetime.now(UTC))}",
    "Duration": duration(run.duration_s),
    "By": run.user or MISSING,
    "Git commit": short_hash(run.git_commit),
    "Data": short_hash(run.data_hash),
}
for column, (label, value) in zip(st.columns([3, 1, 1, 1, 1]), facts.items(), strict=True):
    with column:
        st.caption(label)
        st.text(value)

own = [name for name in sorted(run.metrics) if not name.startswith(SYSTEM)]
left, right = st.columns(2, gap="medium")
with left:
    st.header("Metrics", anchor=False)
    parts.pairs("metric", "last value", {name: number(run.metrics[name]) for name in own}, "no metric")
with right:
    st.header("Params", anchor=False)
    parts.pairs("param", "value", run.params, "no param")

parts.curves(run, own, "Over the steps", "curves")
system = [name for name in sorted(run.metrics) if name.startswith(SYSTEM)]
if system:
    parts.curves(run, system, "System metrics", "system", small=True)

st.header("Artifacts", anchor=False)
artifact_browser(run.run_id)

left, right = st.columns(2, gap="medium")
with left:
    st.header("Data sets", anchor=False)
    if run.datasets:
        inputs = [
            {"data set": item.name, "digest": item.digest, "used for": item.context or MISSING}
            for item in run.datasets
        ]
        st.dataframe(pd.DataFrame(inputs), hide_index=True, alt="Data sets of the run")
    else:
        st.info("This run logged no data set (mlflow.log_input).", icon=":material/database:")
with right:
    st.header("Tags", anchor=False)
    parts.pairs("tag", "value", run.tags, "no tag")
parts.nested(run)
