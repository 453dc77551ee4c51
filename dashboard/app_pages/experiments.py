"""For an analyst: which runs are there, which are good, and what to look at next."""

from datetime import UTC, datetime

import streamlit as st

from core.errors import ModelDeskError
from core.experiments import overview
from core.experiments.filter_types import FilterError
from dashboard import services
from dashboard.palette import ago
from dashboard.parts import run_table as parts
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header

ALL = "All experiments"
REFRESH_SECONDS = 10
SYNTAX = """
| write | to find |
|---|---|
| `metrics.auroc > 0.9 AND start_time > 7d ago` | last week's good runs |
| `params.model_type = 'random_forest' OR params.max_depth > 5` | by settings |
| `status = 'FAILED'`, `name LIKE '%sweep%'`, `user = 'ana'` | by what a run is |
| `duration > 5m`, `start_time >= '2026-11-01'` | by time |
| `git_commit = '1a2b3c4'`, `dataset.digest = 'ab12'` | by code and data |
| `metrics.f1 IS NULL`, `NOT (tags.stage LIKE 'dev%')` | what is missing or different |
| `max(metrics.val_auroc) > 0.93` | by the best step: min, max, best |
| `baseline` | a word in the name, or the beginning of the id |

Every MLflow filter works as it is. Put keys with odd signs in `` `backticks` ``.
"""

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
with st.container(horizontal=True, vertical_alignment="bottom"):
    experiment = st.selectbox(
        "Experiment",
        [*counts, ALL],
        index=list(counts).index(largest),
        key="experiment",
        bind="query-params",
        width=240,
    )
    text = st.text_input(
        "Search",
        key="q",
        bind="query-params",
        placeholder="metrics.auroc > 0.9 AND start_time > 7d ago",
        icon=":material/search:",
    )
    with st.popover("Syntax", icon=":material/help:"):
        st.markdown(SYNTAX)
    view = st.popover("Columns and order", icon=":material/view_column:")
    with view:
        order = st.text_input(
            "Order by", key="order", bind="query-params", placeholder="newest first",
            help="Such as `metrics.auroc DESC, start_time`. A click on a column sorts what is shown.",
        )  # fmt: skip
    controls = st.container(horizontal=True, vertical_alignment="bottom", width="content")

try:
    table = services.run_table(None if experiment == ALL else experiment, text, order)
except FilterError as error:
    where = "Order by" if error.text == order and error.text != text else "Search"
    st.error(f"**{where}: {error.problem}** {error.way_out}", icon=":material/error:")
    st.code(f"{error.text}\n{' ' * error.position}^", language=None)
    st.stop()
except ModelDeskError as error:
    show_failure(error)
    st.button("Try again", icon=":material/refresh:")
    st.stop()
if not len(table):
    with st.container(border=True):
        st.markdown("#### :material/search_off: No run matches")
        st.markdown("Loosen the search, or look in all experiments.")
        st.button("Clear the search", on_click=lambda: st.session_state.update(q=""), disabled=not text)
    st.stop()

declared = tuple(services.workspace().settings.metric_directions)
with view:
    shown = parts.choose_columns(table, declared)
with controls:
    parts.export_menu(shown)
actions = st.container(horizontal=True, vertical_alignment="center")
state = overview.fingerprint(table)
rows = parts.run_grid(shown, f"runs {state}", one_experiment=experiment != ALL)
with actions:
    parts.selection_actions([shown["run_id"][row].as_py() for row in rows])
    st.space("stretch")
    st.caption(
        f"{table.total:,} runs"
        + (f", {overview.running(table):,} running" if overview.running(table) else "")
    )


@st.fragment(run_every=REFRESH_SECONDS if overview.running(table) and not rows else None)
def freshness() -> None:
    """How old the table is; while runs are running it looks again, unless a selection would be lost."""
    try:
        latest = services.run_table(None if experiment == ALL else experiment, text, order)
    except ModelDeskError as error:
        st.caption(f":material/warning: {error.what}")
        return
    if overview.fingerprint(latest) != state:
        st.rerun()
    read = "read directly" if latest.source == "direct" else "asked over HTTP"
    st.caption(f"MLflow's store, {read} {ago(latest.as_of, datetime.now(UTC))}.")


with st.container(horizontal=True, vertical_alignment="center"):
    freshness()
    st.button("Refresh all", icon=":material/refresh:", on_click=services.refresh_runs, type="tertiary")
