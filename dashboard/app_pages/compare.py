"""For an analyst: what differs between these runs, and is any of them really better than what is live?"""

import streamlit as st

from core.compare.types import Comparison
from core.compare.words import difference_table, main_metric
from core.errors import ModelDeskError, NotFound
from dashboard import services
from dashboard.parts import comparison as parts
from dashboard.parts import comparison_charts as charts
from dashboard.parts import comparison_groups as groups
from dashboard.parts.export import export_buttons
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.saved_views import saved_views
from dashboard.parts.text import plain

PICKED = 300
SIDE_BY_SIDE = 2

page_header(
    "Compare", "Only what differs, measured against what is in production, and whether a difference is real."
)
ws = services.workspace()
declared = ws.settings.metric_directions


def show(refs: list[str]) -> None:
    """Put the chosen references into the URL; the page reads nothing else."""
    st.query_params["runs"] = ",".join(ref.removeprefix("run:") for ref in refs)


def picker(refs: list[str]) -> None:
    """Choose an experiment's runs, and anything else by reference."""
    counts = {item.name: item.runs or 0 for item in services.experiments()}
    names = sorted(counts, key=lambda name: -counts[name])
    experiment = st.selectbox("Experiment", names, key="picker_experiment", index=0 if names else None)
    offered = services.run_choices(experiment, PICKED) if experiment else {}
    chosen = st.multiselect(
        f"Runs (the {PICKED} newest; search by name)",
        list(offered),
        default=[ref for ref in refs if ref in offered],
        format_func=offered.__getitem__,
        key=f"picker_runs_{experiment}",
        select_all=False,
    )
    others = [ref for ref in refs if ref not in offered]
    typed = st.text_input(
        "Also, by reference", " ".join(others), key="picker_refs",
        placeholder="version:MODEL/3 alias:MODEL@champion rev:main run:3f2a…",
    )  # fmt: skip
    st.button(
        "Compare",
        type="primary",
        icon=":material/compare_arrows:",
        on_click=show,
        args=([*chosen, *typed.split()],),
    )


def choose_baseline(comparison: Comparison) -> None:
    """What to measure against; kept in the URL as ``baseline``."""
    labels = {item.ref: item.label for item in comparison.items}
    key = f"baseline of {comparison.baseline.ref}"  # a new key for a new state: the URL decides, also after Back

    def keep() -> None:
        st.query_params["baseline"] = st.session_state[key]

    st.selectbox(
        "Baseline", list(labels), index=comparison.baseline_index, format_func=labels.__getitem__, key=key,
        on_change=keep, help=f"Now: {comparison.baseline_reason}.", width=230,
    )  # fmt: skip


written = [part.strip() for part in st.query_params.get("runs", "").split(",") if part.strip()]
refs = [part if ":" in part else f"run:{part}" for part in written]
baseline = st.query_params.get("baseline") or None
if baseline and ":" not in baseline:
    baseline = f"run:{baseline}"

try:
    if not refs:
        empty_state(
            "Nothing chosen to compare yet",
            "Choose two or more runs here, select them on the Experiments page, or compare one run with production.",
            icon=":material/compare_arrows:",
        )
        picker([])
        st.stop()
    comparison = services.comparison(tuple(refs), baseline)
except ModelDeskError as error:
    show_failure(error)
    left = services.still_there(refs) if isinstance(error, NotFound) else ()
    with st.container(horizontal=True):
        if 0 < len(left) < len(refs):
            gone = len(refs) - len(left)
            st.button(
                f"Compare without the {gone} that {'is' if gone == 1 else 'are'} gone", type="primary",
                icon=":material/compare_arrows:", on_click=show, args=(list(left),),
            )  # fmt: skip
        if refs:
            st.button("Start over", on_click=show, args=([],))
    st.stop()

for sentence in comparison.warnings:
    st.warning(sentence, icon=":material/warning:")

metrics = sorted({verdict.metric for verdict in comparison.verdicts})
with st.container(horizontal=True, vertical_alignment="bottom"):
    choose_baseline(comparison)
    metric = st.selectbox(
        "Judge by",
        metrics,
        index=metrics.index(main_metric(comparison, declared)) if metrics else None,
        key="metric",
        bind="query-params",
        width=150,
    )
    hidden = len(comparison.differences.identical)
    identical = st.toggle(
        f"Show {hidden} identical rows", key="identical", bind="query-params", disabled=not hidden
    )
    st.space("stretch")
    selection = st.popover("Selection", icon=":material/edit:", key="selection", on_change="rerun")
    if selection.open:  # the runs to choose from are only read for who wants to choose
        with selection:
            picker(refs)
    saved_views("compare")

beside = len(comparison.items) <= SIDE_BY_SIDE
table = difference_table(comparison, declared, identical=identical)
with st.container(horizontal=True, vertical_alignment="center"):
    if metric:
        parts.verdict_headline(comparison, metric)
    st.space("stretch")
    export_buttons("comparison", len(table[1]), lambda most: (table[0], table[1][:most]))
left, right = st.columns([3, 2], gap="medium") if beside else (st.container(), st.container())
with left:
    parts.difference_grid(comparison, declared, identical=identical, first=metric)
    shown = f"{hidden} identical rows hidden. " if hidden and not identical else ""
    st.caption(
        f"{shown}Baseline: {plain(comparison.baseline.label)} ({plain(comparison.baseline_reason)}). "
        "= not distinguishable, ⊘ not comparable: both grey, as is what nobody declared a direction for; "
        "else colour tells which way is better."
    )
with right:
    if metric:
        parts.verdict_panel(comparison, metric, declared)
parts.run_links(comparison)

views = {
    "Curves": lambda: charts.curves_tab(comparison, declared),
    "Settings and seeds": lambda: groups.groups_tab(comparison, metric),
    "What mattered": lambda: groups.importance_tab(comparison, metric),
    "Scatter": lambda: charts.scatter_tab(comparison, metric),
    "Parallel coordinates": lambda: charts.parallel_tab(comparison, metric),
    "Versions": lambda: charts.versions_tab(comparison, metric),
    "Where they disagree": lambda: groups.rows_tab(comparison),
    "All verdicts": lambda: parts.verdict_grid(comparison),
}
if metric:
    shown_tabs = st.tabs(list(views), key="view", on_change="rerun", bind="query-params")
    for tab, draw in zip(shown_tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                draw()
