"""For whoever asks where a model came from, or which models some data went into."""

import json

import streamlit as st

from core.errors import ModelDeskError
from core.lineage.export import to_dot, to_mermaid, to_svg
from core.lineage.find import find, same_content
from core.lineage.groups import collapse
from core.lineage.openlineage import to_openlineage
from core.lineage.questions import impact_of
from core.lineage.types import Graph, NodeId, NodeKind
from core.lineage.view import (
    around,
    at_revision,
    default_focus,
    focus_choices,
    revision_names,
    whole,
    without,
)
from dashboard import services
from dashboard.charts.lineage import lineage_chart
from dashboard.parts import lineage as parts
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.marks import current_palette

MOST_DRAWN = 1500
NOW = "every revision"

page_header("Lineage", "What produced a model version, and which live models some data went into.")
settings = services.workspace().settings


def pick(shown: Graph, key: str) -> None:
    """A click on the picture opens that node, as the selectbox beside it does."""
    chosen = [
        index
        for group in st.session_state[key]["selection"]["selected"]
        if group.get("data_type", "main") in ("main", "node")
        for index in group["data_indices"]
    ]
    if chosen:
        st.query_params["node"] = shown.nodes[chosen[0]].id


def look_at(node: NodeId) -> None:
    """Put a node into focus."""
    st.query_params["focus"] = node
    st.session_state["find"] = ""
    st.session_state["whole"] = False


def ask_impact(node: NodeId) -> None:
    """Put data into focus and show which versions descend from it."""
    look_at(node)
    st.session_state["impact"] = True


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

labels = {node.id: parts.choice_label(node) for node in focus_choices(graph)}
with st.container(horizontal=True, vertical_alignment="bottom"):
    focus = parts.node_select("In focus", labels, "focus", default_focus(graph), width=330)
    sought = st.text_input(
        "Find", key="find", bind="query-params", width=210, placeholder="hash, path@revision, run:…"
    )
    revision = st.selectbox("As of", [NOW, *revision_names(graph)], key="rev", bind="query-params", width=150)
    hops = st.slider("Steps around it", 1, 8, 4, key="hops", bind="query-params", width=150)
    with st.popover("View", icon=":material/tune:"):
        everything = st.toggle("Whole graph", key="whole", bind="query-params")
        programs = st.toggle("Code files", key="code", bind="query-params")
        grouped = st.toggle("Foreach and matrix groups as one", True, key="grouped", bind="query-params")
        phone = "Mobi" in st.context.headers.get("User-Agent", "")
        downwards = st.toggle("Draw downwards", phone, key="down", bind="query-params")

try:
    if sought.strip():
        focus = find(graph, sought.strip())[0]
        st.caption(
            f":material/center_focus_strong: Found and in focus: {parts.choice_label(graph.by_id[focus])}"
        )
except ModelDeskError as error:
    show_failure(error)

visible = graph if revision == NOW else at_revision(graph, revision)
visible = visible if programs else without(visible, (NodeKind.CODE,), focus)
if not everything and focus not in visible.by_id:
    st.info(f"{graph.by_id[focus].name} was not in force at {revision}: the whole of that revision is shown.")
    everything = True

asked = graph.by_id[focus].kind in parts.FILES and st.toggle(
    "Which live models were trained on this?", key="impact", bind="query-params"
)
if asked:
    answer = impact_of(graph, same_content(graph, (focus,)))
    parts.impact_panel(graph.by_id[focus], answer)
    shown = collapse(answer.graph, keep=(focus,)) if grouped else answer.graph
elif everything:
    shown = whole(visible, grouped=grouped, keep=focus)
else:
    shown = around(visible, focus, hops, grouped=grouped)
if len(shown.nodes) > MOST_DRAWN:
    st.warning(f"{len(shown.nodes):,} nodes are too many to draw; here is what lies around the focus.")
    shown = around(visible, focus, hops, grouped=grouped)
if not shown.nodes:
    st.info(f"Nothing was recorded at {revision}.")
    st.stop()

left, right = st.columns([3, 1], gap="medium")
with right:
    names = {node.id: parts.choice_label(node) for node in shown.nodes}
    chosen = parts.node_select("Details of", names, "node", focus)
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
    with st.container(key="node_details"):
        parts.node_details(shown, node)
with left:
    key = f"picture of {hash(tuple(shown.by_id))}"
    drawing = lineage_chart(shown, current_palette(), chosen, across=not downwards)
    st.echarts_chart(
        drawing.option,
        height=drawing.height,
        theme=None,
        key=key,
        on_select=lambda: pick(shown, key),
        alt=f"Lineage around {graph.by_id[focus].name}: {len(shown.nodes)} nodes. The text tree below says the same.",
    )
    st.caption(
        f"{len(shown.nodes)} of {len(graph.nodes)} nodes. A dashed line is evidence that is less than strong. "
        "Drag to move, scroll to zoom, click a node for its details."
    )
    with st.expander("As text", icon=":material/notes:"):
        parts.text_trees(shown, focus if focus in shown.by_id else chosen)
    with st.expander(f"Connections and their evidence ({len(shown.edges)})", icon=":material/table:"):
        parts.edge_table(shown)
    with st.popover("Export what is shown", icon=":material/download:"):
        for name, text, suffix in (
            ("SVG", lambda: to_svg(shown), "svg"),
            ("Mermaid", lambda: to_mermaid(shown), "mmd"),
            ("Graphviz", lambda: to_dot(shown), "dot"),
            ("JSON", lambda: json.dumps(shown.as_dict()), "json"),
            ("OpenLineage", lambda: json.dumps(to_openlineage(shown, settings.name)), "openlineage.json"),
        ):
            st.download_button(name, text, f"lineage.{suffix}", on_click="ignore", width="stretch")

for sentence in graph.notes:
    st.caption(f":material/info: {sentence}")
