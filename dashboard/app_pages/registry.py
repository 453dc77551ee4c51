"""For the ML lead: which versions are there, how good are they against what is live, and may one go live?"""

from datetime import UTC, datetime

import streamlit as st

from core.errors import ModelDeskError
from dashboard import services
from dashboard.charts.registry import metric_over_versions
from dashboard.palette import moment
from dashboard.parts.answers import show_answer
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header, wanted_but_unknown
from dashboard.parts.identity import current_actor
from dashboard.parts.inventory import live_on, model_table, opened_model, search_results, untold_answers
from dashboard.parts.marks import current_palette, status_badge
from dashboard.parts.outside import outside_banner
from dashboard.parts.promote import promote_buttons
from dashboard.parts.release import said, show_pending, show_result
from dashboard.parts.request import request_row
from dashboard.parts.text import literal
from dashboard.parts.versions import metric_names, version_table
from dashboard.services import requests

SHOWN_REQUESTS = 5

page_header("Registry", "Every version against what is live, and the decision to make one live.")
settings = services.workspace().settings
actor = current_actor(settings)
ALL = "All models"
failure, entries = None, ()
try:
    names = services.model_names()
except ModelDeskError as error:
    failure, names = error, tuple(item.model for item in services.overview(actor).models)
if not names and not failure:
    empty_state(
        "No registered models yet",
        "Register one from a run: `mlflow.register_model(...)`, or `registered_model_name=` in `log_model`.",
        icon=":material/inventory_2:",
    )
    st.stop()
if opened := opened_model("models"):
    st.session_state["model"] = opened
unknown = wanted_but_unknown("model", names)
with st.container(horizontal=True, vertical_alignment="bottom"):
    model = st.selectbox("Model", [ALL, *names], key="model", bind="query-params", width=280)
    text = st.text_input(
        "Find",
        key="search",
        bind="query-params",
        placeholder="version, alias, run id, commit or data hash",
        width=340,
    )
    on = st.date_input(
        "Live on (UTC)", value=None, key="on", bind="query-params", width=170, format="YYYY-MM-DD"
    )
try:
    entries = () if model == ALL or failure else services.versions(model)
except ModelDeskError as error:
    failure = error
if failure:
    show_failure(failure)
    st.caption("Below is what the ledger last recorded.")

if unknown:
    st.warning(f"There is no registered model '{literal(unknown)}'. Below are all that are registered.")
show_answer()
show_result()
outside_banner(None if model == ALL else model)
if on:
    with st.container(border=True, key="as_of"):
        live_on(on, names if model == ALL else (model,))

if model == ALL or failure:
    if text.strip() and not failure:
        search_results(text)
        st.stop()
    glances = tuple(item for item in services.overview(actor).models if model in (ALL, item.model))
    chosen = model_table(glances, "models")
    untold_answers(glances)
    if failure:
        st.stop()
    if chosen is None:
        st.caption("Click a model's name to see its versions; search above looks through all of them.")
    else:
        st.button(
            f"Versions of {chosen}",
            icon=":material/inventory_2:",
            on_click=st.session_state.update,
            args=({"model": chosen},),
        )
    st.stop()

aliases = {alias: entry.version.version for entry in entries for alias in entry.version.aliases}
glance = next((item for item in services.overview(actor).models if item.model == model), None)

with st.container(horizontal=True, vertical_alignment="center", key="model_line"):
    for environment, alias in settings.environments.items():
        st.markdown(f"**{environment}** {said(aliases.get(alias))}")
    if glance and glance.live:
        st.caption(f"live since {moment(glance.live.since)}, by {glance.live.by.printed_name}")
    if glance and glance.in_sync is not None:
        status_badge("IN SYNC" if glance.in_sync else "OUT OF SYNC")
    if glance and glance.frozen:
        status_badge("FROZEN")
    for gap in glance.gaps if glance else ():
        st.badge(f"no {gap}", icon=":material/info:", color="gray")

archived = services.archived(model)
with_archived = bool(archived) and st.toggle(
    f"Show archived ({len(archived)})", key="archived", bind="query-params"
)
shown = [
    entry
    for entry in entries
    if entry.matches(text) and (with_archived or text or entry.version.version not in archived)
]
if not shown:
    if entries and not text:
        empty_state(f"Every version of {model} is archived", "Switch on *Show archived* to see them.")
    else:
        empty_state(f"No version of {model} matches '{text}'", "Clear the search field to see all of them.")
    st.stop()

table, chart = st.columns([2, 1], gap="medium")
with chart:
    metric = st.selectbox("Metric over versions", metric_names(entries), key="metric", bind="query-params")
    points = [(entry.version.version, entry.metrics[metric]) for entry in entries if metric in entry.metrics]
    champion = aliases.get(settings.environments.get("production", ""))
    st.plotly_chart(metric_over_versions(points, metric, champion, current_palette()), key="over_versions")
with table:
    selected = version_table(shown, archived, key=f"versions_{model}")
    if selected is None:
        st.caption("Select a version to open it, compare it with what is live, or make it live.")
    else:
        number = selected.version.version
        baseline = f"alias:{model}@{settings.environments.get('production', 'champion')}"
        with st.container(horizontal=True):
            st.page_link(
                "app_pages/version.py",
                label=f"Open v{number}",
                icon=":material/article:",
                query_params={"model": model, "version": str(number)},
            )
            st.page_link(
                "app_pages/compare.py",
                label="Compare with production",
                icon=":material/compare_arrows:",
                query_params={
                    "runs": f"version:{model}/{number}",
                    "baseline": baseline,
                },
            )
        with st.container(horizontal=True):
            refusals = promote_buttons(model, number)
        for refusal in refusals:
            st.caption(literal(refusal))

st.header("Requests", anchor=False)
asked = [item for item in requests.queue(actor) if item.request.opened.model == model]
if not asked:
    st.caption(
        f"Nobody has requested approval for {literal(model)}: open a version and request it, or "
        "`python -m core request-approval`."
    )
for item in asked[:SHOWN_REQUESTS]:
    request_row(item, datetime.now(UTC))
if len(asked) > SHOWN_REQUESTS:
    st.page_link(
        "app_pages/requests.py", label=f"{len(asked) - SHOWN_REQUESTS} more requests", icon=":material/inbox:"
    )
show_pending()
