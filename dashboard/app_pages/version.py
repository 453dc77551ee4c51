"""For the ML lead: everything about one version: against the champion, where it comes from, what was decided."""

import streamlit as st

from core.errors import ModelDeskError, NotFound
from dashboard import services
from dashboard.palette import MISSING, moment, short_hash
from dashboard.parts.answers import show_answer
from dashboard.parts.archive import archive_control
from dashboard.parts.asking import release_actions, show_ask_dialog
from dashboard.parts.evidence import evidence_section
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.judged import outlook_section
from dashboard.parts.marks import status_badge
from dashboard.parts.reasoned import show_reasoned
from dashboard.parts.records import record_table
from dashboard.parts.release import show_pending, show_result
from dashboard.parts.reports import report_downloads
from dashboard.parts.text import literal

model, wanted = st.query_params.get("model", ""), st.query_params.get("version", "")
if not model or not wanted.isdigit():
    page_header("Model version", "One version in full.")
    empty_state("No version chosen", "Choose one on the Registry page.", icon=":material/article:")
    st.page_link("app_pages/registry.py", label="Registry", icon=":material/inventory_2:")
    st.stop()


def decisions(model: str, version: int) -> None:
    """What the ledger knows of the version, whether or not MLflow answers."""
    st.header("Decisions", anchor=False)
    records = services.version_history(model, version)
    if records:
        record_table(records, of_one_model=True)
    else:
        st.caption("The ledger has no decision about this version.")


try:
    entry = services.version(model, int(wanted))
except ModelDeskError as error:
    page_header("Model version", "One version in full.")
    show_failure(error)
    st.page_link("app_pages/registry.py", label="Registry", icon=":material/inventory_2:")
    if not isinstance(error, NotFound):
        decisions(model, int(wanted))
    st.stop()
found, run = entry.version, entry.run

page_header(f"{model} v{found.version}", literal(found.description) or "No description.")
with st.container(horizontal=True, vertical_alignment="center"):
    for alias in found.aliases:
        st.badge(alias, icon=":material/label:")
    status_badge(found.status, "the state of the version in MLflow")
    if found.version in services.archived(model):
        status_badge("ARCHIVED")
    if found.stage:
        st.badge(found.stage, icon=":material/layers:", color="gray", help="its deprecated stage in MLflow")
    back = {"model": model}
    st.page_link(
        "app_pages/registry.py", label="All versions", icon=":material/inventory_2:", query_params=back
    )
    st.page_link(
        "app_pages/deploy.py", label="Deployment", icon=":material/rocket_launch:", query_params=back
    )
    st.page_link(
        "app_pages/lineage.py",
        label="Lineage",
        icon=":material/account_tree:",
        query_params={"find": f"version:{model}/{found.version}"},
    )
    if run:
        st.page_link(
            "app_pages/run.py", label="Run", icon=":material/science:", query_params={"run": run.run_id}
        )
    made = services.reports.candidate(model, found.version)
    report_downloads("Report", f"report-{model}-v{found.version}", made)

show_answer()
show_result()
release_actions(model, found.version)

facts = {
    "Registered": moment(found.created_at),
    "Run": literal(run.name if run else "gone") if found.run_id else MISSING,
    "By": literal((run.user if run else found.user) or MISSING),
    "Training data": f"`{short_hash(run.data_hash, 9)}`" if run and run.data_hash else "not recorded",
    "Commit": f"`{short_hash(run.git_commit, 9)}`" if run and run.git_commit else "not recorded",
}
st.markdown(" · ".join(f":gray[{label}] {value}" for label, value in facts.items()))

# Filled last: pairing test rows takes longest, and nothing else waits for it.
judgement = st.container(key="judgement")

evidence_section(model, found.version)

decisions(model, found.version)

st.header("Signature", anchor=False)
signature = services.signature(model, found.version)
if isinstance(signature, ModelDeskError):
    show_failure(signature)
elif not signature.inputs:
    st.caption("This version was logged without a signature: the server cannot check what it is sent.")
else:
    fields = [(field, "input") for field in signature.inputs] + [
        (field, "output") for field in signature.outputs
    ]
    st.dataframe(
        [
            {"Name": field.name or MISSING, "Type": field.type, "Role": role, "Required": field.required}
            for field, role in fields
        ],
        hide_index=True,
        height=320,
    )

archive_control(model, found.version)
show_ask_dialog()
show_pending()
show_reasoned()
with judgement, st.spinner("Comparing with production…"):
    outlook_section(entry)
