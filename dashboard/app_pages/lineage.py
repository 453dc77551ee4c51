"""For whoever asks where a model came from, or which models some data went into."""

import streamlit as st

from core.errors import ModelDeskError
from core.lineage.answers import answer
from core.lineage.find import find
from core.lineage.groups import collapse
from core.lineage.view import (
    BOOKKEEPING,
    MOST_HOPS,
    around,
    at_revision,
    bridged,
    default_focus,
    fitting_hops,
    focus_choices,
    revision_names,
    whole,
)
from dashboard import services
from dashboard.charts.lineage import lineage_chart
from dashboard.parts import lineage as parts
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.lineage_artifacts import compare_artifacts
from dashboard.parts.lineage_picture import (
    ask_impact,
    export_buttons,
    look_at,
    pick,
    show_drawing,
    version_diff,
)
from dashboard.parts.marks import current_palette

MOST_DRAWN = 1500
MOST_CHOICES = 1500  # the rest is reached by Find, a click or a link
NOW = "every revision"
FITTING = "as fits"

page_header("Lineage", "What produced a model version, and which live models some data went into.")
settings = services.workspace().settings

try:
    graph = services.lineage()
except ModelDeskError as error:
    show_failure(error)
    st.stop()

if not graph.nodes:
    empty_state(
        "No lineage yet",
        "Lineage joins a DVC pipeline with MLflow's runs and versions. Name the DVC repository and the tracking "
        "store in `modeldesk.toml`" + (f". What was tried: {' '.join(graph.notes)}" if graph.notes else "."),
        code='[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n\n[dvc]\nprojects = ["path/to/repository"]',
        icon=":material/account_tree:",
    )
    st.stop()

parts.follow_links(graph)
first = st.container()  # the answer stands above the filters that it depends on
choices = focus_choices(graph)[:MOST_CHOICES]
named = st.query_params.get("focus")
choices += tuple(node for node in (graph.by_id.get(named),) if node and node not in choices)
labels = {node.id: parts.choice_label(node) for node in choices}
with st.container(horizontal=True, vertical_alignment="bottom"):
    focus = parts.node_select("In focus", labels, "focus", default_focus(graph), width=330)
    sought = st.text_input(
        "Find", key="find", bind="query-params", width=200, placeholder="hash, path@revision, run:…"
    )
    revision = st.selectbox("As of", [NOW, *revision_names(graph)], key="rev", bind="query-params", width=150)
    steps = st.selectbox(
        "Steps around it", [FITTING, *range(1, MOST_HOPS + 1)], key="hops", bind="query-params", width=120
    )
    with st.popover("View", icon=":material/tune:"):
        everything = st.toggle("Whole graph", key="whole", bind="query-params")
        detailed = st.toggle("Commits, params, code and logged models too", key="all", bind="query-params")
        grouped = st.toggle("Foreach and matrix groups as one", True, key="grouped", bind="query-params")
        downwards = st.toggle("Draw downwards", key="down", bind="query-params")

try:
    if sought.strip():
        focus = find(graph, sought.strip())[0]
        st.caption(
            f":material/center_focus_strong: Found and in focus: {parts.choice_label(graph.by_id[focus])}"
        )
except ModelDeskError as error:
    show_failure(error)

said = answer(graph, focus)
with first:
    asked = parts.show_answer(said)

visible = graph if revision == NOW else at_revision(graph, revision)
visible = visible if detailed else bridged(visible, BOOKKEEPING, focus)
if not everything and focus not in visible.by_id:
    st.info(f"{graph.by_id[focus].name} was not in force at {revision}: the whole of that revision is shown.")
    everything = True
if asked:
    ways = said.impact.graph if detailed else bridged(said.impact.graph, BOOKKEEPING, focus)
    shown = collapse(ways, keep=(focus,)) if grouped else ways
elif everything:
    shown = whole(visible, grouped=grouped, keep=focus)
else:
    hops = fitting_hops(visible, focus, grouped=grouped) if steps == FITTING else int(steps)
    shown = around(visible, focus, hops, grouped=grouped)
if len(shown.nodes) > MOST_DRAWN:
    st.warning(f"{len(shown.nodes):,} nodes are too many to draw; here is what lies around the focus.")
    shown = around(visible, focus, 3, grouped=grouped)
if not shown.nodes:
    st.info(f"Nothing was recorded at {revision}.")
    st.stop()

names = {node.id: parts.choice_label(node) for node in shown.nodes}
chosen = parts.current_node(names, "node", focus)
key = f"picture of {hash(tuple(shown.by_id))}"
drawing = lineage_chart(shown, current_palette(), chosen, across=not downwards)
show_drawing(
    drawing,
    key=key,
    on_select=lambda: pick(shown, key),
    alt=f"Lineage around {graph.by_id[focus].name}: {len(shown.nodes)} nodes. The text tree below says the same.",
)
st.caption(
    f"{len(shown.nodes)} of {len(graph.nodes)} nodes. A ring marks what serves now; a dashed line is evidence that is "
    "less than strong. Drag to move, scroll to zoom, click a node for its details."
)

with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = parts.node_select("Details of", names, "node", focus, width=420)
    node = shown.by_id[chosen]
    if node.id != focus and node.id in labels:
        st.button("Put in focus", icon=":material/center_focus_strong:", on_click=look_at, args=(node.id,))
    if node.id != focus and node.kind in parts.FILES:
        st.button(
            "Which live models were trained on this?",
            icon=":material/warning:",
            on_click=ask_impact,
            args=(node.id,),
        )
    export_buttons(shown, settings.name, current_palette())
with st.container(key="node_details"):
    parts.node_details(shown, node)
    version_diff(graph, node)

with st.expander("As text", icon=":material/notes:"):
    parts.text_trees(shown, focus if focus in shown.by_id else chosen)
with st.expander(f"Connections and their evidence ({len(shown.edges)})", icon=":material/table:"):
    parts.edge_table(shown)
for sentence in graph.notes:
    st.caption(f":material/info: {sentence}")
compare_artifacts(graph)
