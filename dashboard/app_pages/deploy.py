"""For whoever is on call: what serves, is it well, and how do I get back in one click?"""

from datetime import UTC, datetime

import streamlit as st

from core.deploy.views import EndpointView, what_happened
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, ago, mark, moment
from dashboard.parts.confirm import ask
from dashboard.parts.endpoint import (
    banners,
    follow_alias,
    freeze_button,
    has_banners,
    status_line,
    traffic_panel,
)
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.reasoned import show_reasoned
from dashboard.parts.release import (
    DEPLOY,
    may_not_deploy,
    operation_log,
    said,
    show_job,
    show_pending,
    show_result,
    watch_operation,
)
from dashboard.parts.reports import report_downloads
from dashboard.parts.rollback import drill_line, other_targets, rollback_card, show_rollback
from dashboard.parts.trial import plan_words, shadow_button, trial_choice, trial_section
from dashboard.services import releases

page_header("Deploy", "What serves now, and the way back.")
views = services.endpoint_views()
now = datetime.now(UTC)

if not views.endpoints and not views.failure:
    empty_state(
        "Nothing to deploy yet",
        "Register a model in MLflow; its versions can then go live here.",
        icon=":material/rocket_launch:",
    )
    st.stop()
if not views.endpoints:
    show_failure(views.failure)
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

show_job()
show_result()
alert = st.query_params.get("alert")
now_side, why_side = st.columns([3, 2], gap="medium") if has_banners(view, alert) else (st.container(), None)
last = releases.last_operation(model, environment)
with now_side:
    status_line(view)
    rollback_card(view, releases.rollback_plan(model, environment))
    if views.failure:
        show_failure(views.failure)
        way = (
            "Rolling back to a warm version still works; the registry is brought in line afterwards."
            if view.serving
            else "This model moves the MLflow alias alone, so a rollback waits until MLflow answers."
        )
        st.caption(f"Shown is the last known state, newest record {ago(views.known_at, now)}. {way}")
    if last and last.finished_at is None:
        watch_operation(last.id)
    if view.serving:
        traffic_panel(model, environment, last.finished_at if last else None)
if why_side:
    with why_side:
        banners(view, alert)
if view.untold is not None:
    follow_alias(view)
trial_section(view)

with st.container(border=True, key="deploy_section"):
    st.markdown("## Deploy a version")
    versions = [number for number in services.version_numbers(model) if number != view.live]
    if not versions:
        st.caption("There is no other version of this model, or MLflow does not answer.")
    else:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            version = st.selectbox("Version", versions, format_func=said, key=f"version_{model}", width=160)
            spec = trial_choice(model) if view.serving else None
            plan = releases.deploy_plan(model, version, environment, view.live, spec)
            why_not = may_not_deploy(view, plan, last)
            st.button(
                f"Plan v{version} for {environment}"
                if isinstance(plan, ModelDeskError)
                else plan_words(plan),
                icon=":material/rocket_launch:",
                key="open_deploy",
                disabled=bool(why_not),
                on_click=ask,
                args=(DEPLOY, plan),
            )
            if view.serving:
                shadow_button(view, version)
            freeze_button(view)
        if why_not:
            st.caption(why_not)

other, drill = st.columns(2, gap="medium")
with other, st.expander("Roll back to another version", icon=":material/history:"):
    if view.serving:
        other_targets(view)
    else:
        st.caption(f"`rollback {model} --to N` names any version; no engine serves this model here.")
with drill, st.expander("Rollback drill", icon=":material/fitness_center:", expanded=True):
    drill_line(view)

st.header("All endpoints", anchor=False)
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

st.header("History", anchor=False)
records = releases.deploy_history(model, environment)
if not records:
    st.caption(f"The ledger has nothing about {model} in {environment} yet; the first deployment begins it.")
else:
    report_downloads(
        "Incident report", f"incident-{model}-{environment}", services.reports.incident(model, environment)
    )
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
        column_config={
            "What": st.column_config.TextColumn(width=330),
            "Why": st.column_config.TextColumn(width=330),
        },
    )
if last and last.finished_at is not None:
    with st.expander("Log of the last operation"):
        operation_log(last)

show_rollback()
show_pending()
show_reasoned()
