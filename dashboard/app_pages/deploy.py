"""For whoever is on call: what serves, is it well, and how do I get back in one click?"""

from datetime import UTC, datetime

import streamlit as st

from core.deploy.views import EndpointView, what_happened
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, ago, mark, moment
from dashboard.parts.confirm import ask
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.release import (
    DEPLOY,
    JOB,
    operation_log,
    rollback_card,
    said,
    show_pending,
    show_result,
    status_line,
    watch_operation,
)
from dashboard.parts.reports import report_downloads
from dashboard.services import releases

page_header("Deploy", "What serves now, and the way back.")
views = services.endpoint_views()
now = datetime.now(UTC)

if views.failure:
    show_failure(views.failure)
    age = ago(views.known_at, now)
    way = (
        "Rolling back to a warm version still works."
        if releases.has_engine()
        else "This workspace moves the MLflow alias alone, so a rollback waits until MLflow answers."
    )
    st.caption(f"Shown is the last known state, newest record {age}. {way}")
if not views.endpoints:
    if not views.failure:
        empty_state(
            "Nothing to deploy yet",
            "Register a model in MLflow; its versions can then go live here.",
            icon=":material/rocket_launch:",
        )
    st.stop()

by_name = {str(view.key): view for view in views.endpoints}
wanted = f"{st.query_params.get('model')}/{st.query_params.get('environment', 'production')}"
if wanted in by_name and "endpoint" not in st.query_params:
    st.session_state.setdefault("endpoint", wanted)
chosen = st.selectbox(
    "Endpoint", list(by_name), key="endpoint", bind="query-params", label_visibility="collapsed"
)
view: EndpointView = by_name[chosen]
model, environment = view.key.model, view.key.environment

show_result()
status_line(view)
rollback_card(view, releases.rollback_plan(model, environment))

running = releases.running_operation(model, environment)
if running:
    watch_operation(running)
elif job := st.session_state.get(JOB):
    outcome = releases.release_outcome(job)
    if isinstance(outcome, ModelDeskError):
        show_failure(outcome)

with st.container(border=True, key="deploy_section"):
    st.markdown("#### Deploy a version")
    versions = [number for number in services.version_numbers(model) if number != view.live]
    if not versions:
        st.caption("There is no other version of this model, or MLflow does not answer.")
    else:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            version = st.selectbox("Version", versions, format_func=said, key=f"version_{model}", width=160)
            plan = releases.deploy_plan(model, version, environment, view.live)
            st.button(
                f"Plan v{version} for {environment}",
                icon=":material/rocket_launch:",
                key="open_deploy",
                disabled=isinstance(plan, ModelDeskError) or running is not None,
                on_click=ask,
                args=(DEPLOY, plan),
            )
        if isinstance(plan, ModelDeskError):
            st.caption(f"{plan.what} {plan.way_out}")

st.subheader("All endpoints", anchor=False)
st.dataframe(
    [
        {
            "Model": item.key.model,
            "Environment": item.key.environment,
            "Live": said(item.live),
            "Since": moment(item.since),
            "By": item.by or MISSING,
            "Health": mark(str(item.serving.health)).text if item.serving else "alias only",
            "Registry says": said(item.registry_says),
            "Serving says": said(item.serving.serving_says) if item.serving else MISSING,
            "Promotions": mark("FROZEN").text if item.freeze else "open",
        }
        for item in views.endpoints
    ],
    hide_index=True,
)

st.subheader("History", anchor=False)
records = releases.deploy_history(model, environment)
if not records:
    st.caption(f"The ledger has nothing about {model} in {environment} yet; the first deployment begins it.")
else:
    st.dataframe(
        [
            {
                "When": moment(record.at),
                "What": what_happened(record),
                "Who": record.actor.printed_name,
                "Why": record.reason,
            }
            for record in records
        ],
        hide_index=True,
    )
    report_downloads(
        "Incident report", f"incident-{model}-{environment}", services.reports.incident(model, environment)
    )
if last := releases.last_operation(model, environment):
    with st.expander("Log of the last operation"):
        operation_log(last)

show_pending()
