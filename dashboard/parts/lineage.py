"""Pieces of the Lineage page: a node's details, the impact of data, the tables beside the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from core.lineage.answers import Answer
from core.lineage.find import find
from core.lineage.questions import Impact
from core.lineage.tree import WORDS, describe, tree
from core.lineage.types import Edge, Graph, Node, NodeId, NodeKind
from core.lineage.walk import Direction, reach
from dashboard.charts.lineage import STATES
from dashboard.palette import mark, moment, number, short_hash
from dashboard.parts.failure import show_failure
from dashboard.parts.marks import status_badge
from dashboard.parts.text import plain

FILES = (NodeKind.DATA, NodeKind.MODEL_FILE, NodeKind.DATASET)
NAMES = {
    "path": "Path",
    "size": "Size",
    "files": "Files",
    "project": "Project",
    "repository": "Repository",
    "stage": "Stage",
    "command": "Command",
    "revision": "First recorded in",
    "commit": "Commit",
    "author": "Author",
    "subject": "Subject",
    "experiment": "Experiment",
    "model": "Model",
    "version": "Version",
    "aliases": "Aliases",
    "artifact": "Artifact",
    "stages": "In stages",
    "events": "Tags",
    "environment": "Environment",
    "since": "Since",
    "until": "Until",
    "by": "By",
    "approved_by": "Approved by",
    "user": "User",
    "at": "Time",
    "members": "Members",
    "reasons": "Why",
}
_TIMES = ("at", "since", "until")


def choice_label(node: Node) -> str:
    """A node as an entry of a selectbox: shape of its state first, then what tells it apart."""
    word = _state(node)
    return f"{mark(word).shape} {describe(node)}" if word else describe(node)


def follow_links(graph: Graph) -> None:
    """Let ``?node=`` and ``?focus=`` be written as people write them: a path, a hash, ``alias:MODEL@NAME``.

    A link that names only a node means that node as the focus too.
    """
    for name in ("focus", "node"):
        written = st.query_params.get(name)
        if written and written not in graph.by_id:
            try:
                st.query_params[name] = find(graph, written)[0]
            except ModelDeskError as error:
                del st.query_params[name]
                show_failure(error)
    node = st.query_params.get("node")
    if node and "focus" not in st.query_params and "focus" not in st.session_state:
        st.query_params["focus"] = node


def current_node(options: Mapping[NodeId, str], name: str, default: NodeId | None) -> NodeId:
    """The node that the URL names under ``name`` if it is among the options, else the default."""
    written = st.query_params.get(name)
    first = default if default in options else next(iter(options))
    return NodeId(written) if written in options else first


def node_select(
    label: str, options: Mapping[NodeId, str], name: str, default: NodeId | None, width: int | str = "stretch"
) -> NodeId:
    """A selectbox of nodes whose id is in the URL under ``name``; the URL decides, also after Back.

    Streamlit's own binding would write the label, which changes with a node's state.
    """
    current = current_node(options, name, default)
    if st.session_state.get(name) != current:
        st.session_state[name] = current

    def keep() -> None:
        st.query_params[name] = st.session_state[name]

    return st.selectbox(
        label, list(options), format_func=options.__getitem__, key=name, on_change=keep, width=width
    )


def node_details(graph: Graph, node: Node) -> None:
    """All that is known of a node: facts, what it came from and went to, and where to read more."""
    facts, before, after = st.columns([5, 4, 4], gap="large")
    with facts:
        st.markdown(f"**{WORDS[node.kind].capitalize()}** · {plain(node.name)}")
        word = _state(node)
        if word:
            status_badge(word)
        _pairs(
            [
                (title, _shown(key, node.attributes[key]))
                for key, title in NAMES.items()
                if key in node.attributes
            ]
        )
        if node.attributes.get("hash"):
            st.code(str(node.attributes["hash"]), language=None, wrap_lines=True)
        for title, values in _tables(node).items():
            with st.expander(f"{title} ({len(values)})"):
                _pairs([(key, _value(value)) for key, value in sorted(values.items())])
        _links(node)
    with before:
        _neighbours(graph, "Came from", [(edge.source, edge) for edge in graph.incoming[node.id]])
    with after:
        _neighbours(graph, "Went to", [(edge.target, edge) for edge in graph.outgoing[node.id]])
        _descendants(graph, node)


def show_answer(said: Answer) -> bool:
    """The answer in one sentence, first; True when only the way to the versions in it is wanted."""
    with st.container(horizontal=True, vertical_alignment="center", key="answer"):
        if said.urgent:
            st.warning(f"**{said.sentence}**", icon=":material/warning:")
        else:
            st.info(f"**{said.sentence}**", icon=":material/account_tree:")
        if said.impact is None or not (said.impact.versions or said.impact.possible):
            return False
        asked = st.toggle("Only the way to these versions", key="impact", bind="query-params")
    if asked:
        _impact_table(said.impact)
    return asked


def _impact_table(answer: Impact) -> None:
    """Versions and deployments, live ones first, with who approved them and how sure it is."""
    rows = [
        {
            "version": version.node.name,
            "state": mark("LIVE").text + " in " + _places(version.live) if version.live else "not live",
            "approved by": ", ".join(version.approved_by) or "–",
            "evidence": version.strength.label,
            "open": f"/version?model={version.node.attributes['model']}"
            f"&version={version.node.attributes['version']}",
        }
        for version in (*answer.versions, *answer.possible)
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"open": st.column_config.LinkColumn("open", display_text="open")},
        alt="Versions trained on this data, live ones first",
    )


def edge_table(graph: Graph) -> None:
    """Every connection with its evidence: the picture as a table."""
    rows = [
        {
            "from": describe(graph.by_id[edge.source]),
            "to": describe(graph.by_id[edge.target]),
            "evidence": edge.evidence.value,
            "strength": edge.strength.label,
            "what was compared": edge.note,
        }
        for edge in sorted(graph.edges, key=lambda edge: edge.strength)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Connections and their evidence, weakest first")


def text_trees(graph: Graph, focus: NodeId) -> None:
    """The picture as text, for screen readers and for copying."""
    for title, direction in (("Came from", Direction.UP), ("Went to", Direction.DOWN)):
        st.markdown(f"**{title}**")
        st.code("\n".join(tree(graph, focus, direction)), language=None, wrap_lines=True)


def _neighbours(graph: Graph, title: str, found: Sequence[tuple[NodeId, Edge]]) -> None:
    if found:
        lines = [
            f"- {plain(describe(graph.by_id[other]))}  \n"
            f"  :gray[{edge.evidence.value}, {edge.strength.label}{plain(': ' + edge.note) if edge.note else ''}]"
            for other, edge in found[:12]
        ]
        more = [f"- and {len(found) - 12} more"] if len(found) > 12 else []
        st.markdown("\n".join([f"**{title}**\n", *lines, *more]))


def _descendants(graph: Graph, node: Node) -> None:
    """How many runs and versions follow from a node, beyond its neighbours."""
    after = reach(graph, (node.id,), Direction.DOWN)
    counts = {
        word: sum(graph.by_id[other].kind is kind for other in after if other != node.id)
        for word, kind in (("runs", NodeKind.RUN), ("versions", NodeKind.VERSION))
    }
    told = [f"{count} {word}" for word, count in counts.items() if count]
    if told:
        st.caption(f"In this picture {' and '.join(told)} follow from it.")


def _links(node: Node) -> None:
    attributes = node.attributes
    if node.kind is NodeKind.RUN:
        st.page_link(
            "app_pages/run.py",
            label="Open the run",
            icon=":material/article:",
            query_params={"run": attributes["run_id"]},
        )
    if node.kind in (NodeKind.VERSION, NodeKind.DEPLOYMENT):
        st.page_link(
            "app_pages/version.py",
            label="Open the version",
            icon=":material/article:",
            query_params={"model": attributes["model"], "version": str(attributes["version"])},
        )


def _tables(node: Node) -> dict[str, Mapping[str, Any]]:
    titles = {"metrics": "Metrics", "params": "Params", "values": "Params"}
    return {title: node.attributes[key] for key, title in titles.items() if node.attributes.get(key)}


def _pairs(rows: list[tuple[str, str]]) -> None:
    if rows:
        st.table(
            pd.DataFrame(rows, columns=["what", "value"]).set_index("what"),
            border="horizontal",
            hide_header=True,
        )


def _state(node: Node) -> str | None:
    if "live" in node.attributes:
        return "LIVE" if node.attributes["live"] else "ENDED"
    state = str(node.attributes.get("status", ""))
    if node.kind is NodeKind.STAGE:
        return STATES.get(state)
    return None if state in ("", "READY") else state


def _shown(key: str, value: object) -> str:
    if key in _TIMES:
        return moment(datetime.fromisoformat(str(value)))
    if key in ("revision", "commit"):
        return short_hash(str(value), 12)
    if key == "size":
        return f"{value:,} bytes"
    return _value(value)


def _value(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return plain(str(value))


def _places(deployments: tuple[Node, ...]) -> str:
    return ", ".join(str(node.attributes["environment"]) for node in deployments)
