"""For everyone, first thing: what is live, and what needs somebody now?"""

from datetime import UTC, datetime

import streamlit as st

from dashboard import services
from dashboard.parts.attention import attention_list
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.parts.inventory import model_table, opened_model, untold_answers
from dashboard.parts.reports import report_downloads

if opened := opened_model("overview_models"):
    st.switch_page("app_pages/registry.py", query_params={"model": opened})
page_header("Overview", "What is live, and what needs somebody now.")
actor = current_actor(services.workspace().settings)
seen = services.overview(actor)
now = datetime.now(UTC)

if seen.failure:
    show_failure(seen.failure)
    if seen.models:
        st.caption("Below is what the ledger last recorded.")

if not seen.models:
    if not seen.failure:
        empty_state(
            "No registered models yet", "Register a model in MLflow; it appears here with its live version."
        )
    st.stop()


if seen.items:
    with st.container(border=True, gap="xsmall", key="needs"):
        attention_list(seen.items)

st.header("What is live", anchor=False)
model = model_table(seen.models, "overview_models")
untold_answers(seen.models)
if model is None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("A model's name leads to its versions; its box to deployment, drift and lineage too.")
        report_downloads("Weekly report", f"weekly-{now:%G-W%V}", services.reports.weekly(actor))
    st.stop()
with st.container(horizontal=True):
    for name, label, icon in (
        ("registry", "Versions", ":material/inventory_2:"),
        ("deploy", "Deployment", ":material/rocket_launch:"),
        ("drift", "Drift", ":material/monitoring:"),
        ("lineage", "Lineage", ":material/account_tree:"),
    ):
        st.page_link(
            f"app_pages/{name}.py", label=f"{label} of {model}", icon=icon, query_params={"model": model}
        )
