"""For an analyst: which runs are there, which are good, and what to look at next."""

from datetime import UTC, datetime

import streamlit as st

from core.errors import ModelDeskError
from core.experiments import overview
from core.experiments.filter_types import FilterError
from dashboard import services
from dashboard.palette import ago
from dashboard.parts import run_charts as charts
from dashboard.parts import run_groups as groups
from dashboard.parts import run_table as parts
from dashboard.parts.export import export_buttons
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header, remember_address
from dashboard.parts.run_columns import choose_columns, choose_curve, choose_order, curve_name
from dashboard.parts.saved_views import saved_views
from dashboard.parts.search_box import clear_search, explain, search_box, searched

ALL = "All experiments"
REFRESH_SECONDS = 10
COMING_SECONDS = 2
TABLE, SETTINGS, IMPORTANCE = "Table", "Settings", "What mattered"
SHOWN = (TABLE, SETTINGS, IMPORTANCE, charts.SCATTER, charts.PARALLEL)


def keep_experiment() -> None:
    """The URL decides what is shown, so the choice goes there first."""
    st.query_params["experiment"] = st.session_state["experiment"]


page_header("Experiments", "Every run: find the good ones, see what they ran on, and compare them.")

try:
    found = services.experiments()
except ModelDeskError as error:
    show_failure(error)
    st.stop()
if not any(item.runs is None or item.runs for item in found):
    empty_state(
        "No runs yet",
        "The tracking store answers, but nothing has been logged to it. Log a run with MLflow, "
        "or look around in the demo workspace.",
        code="make run",
    )
    st.stop()

counts = {item.name: item.runs for item in found}
largest = max(counts, key=lambda name: counts[name] or 0)
declared = tuple(services.workspace().settings.metric_directions)
where, what, whole = st.columns([1.8, 5.6, 2.6], gap="small")
with where:
    held = st.query_params.get("experiment", largest)
    st.session_state["experiment"] = held if held in counts else ALL if held == ALL else largest
    experiment = st.selectbox(
        "Experiment",
        [*counts, ALL],
        key="experiment",
        on_change=keep_experiment,
        label_visibility="collapsed",
    )
    # Always in the URL, unlike a bound widget's default: which experiment is the largest changes with time.
    st.query_params["experiment"] = experiment
with whole, st.container(horizontal=True, gap="small"):
    view = st.popover("Columns", icon=":material/view_column:")
    saved_views("experiments")
scope = None if experiment == ALL else experiment
try:
    everything = services.run_table(scope, "", "")
except ModelDeskError as error:
    show_failure(error)
    st.button("Try again", icon=":material/refresh:", on_click=services.refresh_runs)
    st.stop()
with what:
    search_box(everything)
text = searched()
with view:
    order = choose_order(everything, declared)
    keys = choose_columns(everything, declared)

with st.container(horizontal=True, vertical_alignment="center"):
    actions = st.container(horizontal=True, width="content")
    st.space("stretch")
    shown_as = st.segmented_control(
        "Show", SHOWN, default=TABLE, required=True, key="show", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip

# The table takes its own columns alone of 50,000 runs; a chart may draw any.
taken = overview.needed(keys) if shown_as == TABLE else None
try:
    table = services.run_table(scope, text, order, taken)
except FilterError as error:
    explain(error, "Order" if error.text == order and error.text != text else "Search")
    st.stop()
except ModelDeskError as error:
    show_failure(error)
    st.button("Try again", icon=":material/refresh:")
    st.stop()
if not len(table):
    with st.container(border=True):
        st.markdown("## :material/search_off: No run matches")
        st.markdown("Loosen the search, or look in all experiments.")
        st.button("Clear the search", on_click=clear_search, disabled=not text)
    st.stop()

with view:
    shown = overview.shown_columns(table, keys, choose_curve(everything, table))
picked: list[int] = []
if shown_as == charts.SCATTER:
    picked = charts.scatter(table, declared)
elif shown_as == charts.PARALLEL:
    charts.parallel(table, declared)
elif shown_as == SETTINGS and table.metrics.num_columns:
    groups.settings(table, declared)
elif shown_as == IMPORTANCE and table.metrics.num_columns:
    groups.importance(table, declared)
elif shown_as != TABLE:
    st.info("None of these runs has logged a metric.", icon=":material/info:")
state, pulse = overview.fingerprint(table), overview.pulse(table)
rows = picked or parts.run_grid(shown, f"runs {state}", one_experiment=scope is not None, curve=curve_name())
remember_address("experiments")
with actions:
    parts.selection_actions([shown["run_id"][row].as_py() for row in rows])


wait = COMING_SECONDS if not everything.complete else REFRESH_SECONDS if overview.running(table) else None


@st.fragment(run_every=None if rows else wait)
def freshness() -> None:
    """How many runs and how old; while some are running it looks again, unless a selection would be lost."""
    try:
        latest = services.run_table(scope, text, order, taken)
    except ModelDeskError as error:
        st.caption(f":material/warning: {error.what}")
        return
    if latest is not table and (overview.pulse(latest) != pulse or latest.complete != table.complete):
        st.rerun()
    if not latest.complete:
        st.caption(
            f":material/hourglass_top: The newest {len(everything):,} runs; the server is still sending the rest."
        )
        return
    going = overview.running(latest)
    count = f"{table.total:,} of {len(everything):,} runs" if text else f"{table.total:,} runs"
    read = "read directly" if latest.source == "direct" else "asked over HTTP"
    st.caption(
        f"{count}{f', {going:,} running' if going else ''} · MLflow's store, {read} "
        f"{ago(latest.as_of, datetime.now(UTC))}"
        + (f" · looks again every {REFRESH_SECONDS} s while runs are running" if going and not rows else "")
    )


with st.container(horizontal=True, vertical_alignment="center"):
    freshness()
    export_buttons("runs", len(table), lambda most: parts.written(shown, most))
    st.button("Refresh all", icon=":material/refresh:", on_click=services.refresh_runs, type="tertiary")
