"""For everyone, first thing: what is live, and what needs somebody now?"""

from datetime import UTC, datetime

import streamlit as st

from core.attention import Glance
from dashboard import services
from dashboard.palette import MISSING, ago, mark, moment
from dashboard.parts.attention import attention_link
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.parts.reports import report_downloads
from dashboard.parts.text import literal

page_header("Overview", "What is live, and what needs somebody now.")
seen = services.overview(current_actor(services.workspace().settings))
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


def version(number: int | None) -> str:
    """A version number as people write it."""
    return MISSING if number is None else f"v{number}"


def state(glance: Glance) -> str:
    """The worst that can be said of what is live, in one mark."""
    if glance.in_sync is False:
        return mark("OUT OF SYNC").text
    if glance.frozen:
        return mark("FROZEN").text
    if glance.production is None and glance.live is None:
        return mark("NOT LIVE").text
    return mark("IN SYNC").text if glance.in_sync else mark("NOT RECORDED").text


if seen.items:
    with st.container(border=True, gap="xsmall"):
        st.markdown("#### Needs somebody")
        for item in seen.items:
            attention_link(item)

st.subheader("What is live", anchor=False)
rows = [
    {
        "Model": glance.model,
        "State": state(glance),
        "Live": version(glance.live.version if glance.live else glance.production),
        "Since": moment(glance.live.since) if glance.live else MISSING,
        "For": ago(glance.live.since, now).removesuffix(" ago") if glance.live else MISSING,
        "By": glance.live.by.printed_name if glance.live else MISSING,
        "Challenger": version(glance.challenger),
        "Versions": glance.versions,
        "Missing": ", ".join(glance.gaps) or "nothing",
        "Inventory": f"{len(glance.untold)} missing" if glance.untold else "complete",
    }
    for glance in seen.models
]
choice = st.dataframe(
    rows,
    hide_index=True,
    on_select="rerun",
    selection_mode="single-row",
    key="overview_models",
    column_config={"Model": st.column_config.TextColumn(pinned=True)},
)
if untold := sum(len(glance.untold) for glance in seen.models):
    st.caption(
        f":material/assignment: {untold} answer{'s' if untold > 1 else ''} of the model inventory "
        f"{'are' if untold > 1 else 'is'} missing: "
        + "; ".join(
            f"{literal(one.model)} lacks {', '.join(one.untold)}" for one in seen.models if one.untold
        )
        + ". Tags of the model in MLflow give them: "
        + ", ".join(f"`{tag}`" for tag in services.inventory_tags())
        + "."
    )
actor = current_actor(services.workspace().settings)
selected = choice.selection.rows
if not selected:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Select a model to go to its versions, deployment, drift or lineage.")
        report_downloads("Weekly report", f"weekly-{now:%G-W%V}", services.reports.weekly(actor))
    st.stop()
model = seen.models[selected[0]].model
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
