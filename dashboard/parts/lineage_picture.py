"""Around the lineage picture: a click on a node, what to look at next, exports, two versions side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from core.lineage.export import to_dot, to_mermaid, to_svg
from core.lineage.openlineage import to_openlineage
from core.lineage.types import Graph, Node, NodeId, NodeKind
from dashboard import services
from dashboard.charts.lineage import NARROW_FRAME, Drawing
from dashboard.charts.lineage_icons import LOOKS
from dashboard.palette import MISSING, Palette
from dashboard.parts.failure import show_failure

NO_OTHER = "no other version"
PAGE_MARGIN = 16  # pixels, left and right on a narrow screen


def show_drawing(
    drawing: Drawing, *, key: str, alt: str, on_select: Callable[[], None] | Literal["ignore"] = "ignore"
) -> None:
    """The picture; where it is narrow it is drawn downwards, for which it must be as high as that needs."""
    with st.container(key="lineage_picture"):
        if drawing.narrow_height != drawing.height:
            # Only the browser knows the width, and Streamlit takes one height: the rule must follow the chart's.
            inside = ".st-key-lineage_picture [data-testid='stEChartsChart']"
            st.html(
                f"<style>@media (max-width: {NARROW_FRAME + 2 * PAGE_MARGIN}px) {{ {inside}, "
                f".st-key-lineage_picture *:has([data-testid='stEChartsChart']) "
                f"{{ height: {drawing.narrow_height}px !important; }} }}</style>"
            )
        st.echarts_chart(
            drawing.option, height=drawing.height, theme=None, key=key, on_select=on_select, alt=alt
        )


def pick(shown: Graph, key: str) -> None:
    """A click on the picture opens that node, as the selectbox below does."""
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


def export_buttons(shown: Graph, namespace: str, palette: Palette) -> None:
    """What is shown, for other programs and for slides; each is made when it is asked for."""
    colours = {kind: palette.series[place] for kind, (place, _) in LOOKS.items()}
    with st.popover("Export what is shown", icon=":material/download:"):
        for name, make, suffix in (
            ("PNG", lambda: services.lineage_png(shown, colours), "png"),
            ("SVG", lambda: to_svg(shown, colours), "svg"),
            ("Mermaid", lambda: to_mermaid(shown), "mmd"),
            ("Graphviz", lambda: to_dot(shown), "dot"),
            ("JSON", lambda: json.dumps(shown.as_dict()), "json"),
            ("OpenLineage", lambda: json.dumps(to_openlineage(shown, namespace)), "openlineage.json"),
        ):
            st.download_button(name, make, f"lineage.{suffix}", on_click="ignore", width="stretch")


def version_diff(graph: Graph, node: Node) -> None:
    """For a model version: which data, params, code and environment differ from another version."""
    if node.kind is not NodeKind.VERSION:
        return
    others = sorted(
        (other for other in graph.of_kind(NodeKind.VERSION) if other.id != node.id),
        key=lambda other: (other.attributes["model"] != node.attributes["model"], other.name),
    )
    if not others:
        return
    names = {other.id: other.name for other in others}
    other = st.selectbox(
        "What differs from",
        [None, *names],
        format_func=lambda choice: names.get(choice, NO_OTHER),
        key="against",
        width=300,
    )
    if other is None:
        return
    try:
        found = services.lineage_difference(graph, other, node.id)
    except ModelDeskError as error:
        show_failure(error)
        return
    rows = [
        {
            "aspect": change.aspect.value,
            "what": change.key,
            found.left.name: change.left or MISSING,
            found.right.name: change.right or MISSING,
        }
        for change in found.changes
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="What differs between the two versions")
    same = ", ".join(f"{count} {aspect.value}" for aspect, count in found.identical.items() if count)
    st.caption(f"Identical: {same or 'nothing'}.")
    for aspect in found.unknown:
        st.caption(
            f":material/info: One of the two records no {aspect.value}: no difference there proves nothing."
        )
