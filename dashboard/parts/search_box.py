"""The search field: completes while someone types, explains what is wrong, and hands on what can be searched."""

from __future__ import annotations

import streamlit as st

from core.experiments.completion import completions
from core.experiments.filter_types import FilterError
from core.experiments.filters import parse_filter
from core.experiments.types import RunTable
from dashboard.parts.text import plain

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
OFFERED = 6
_KEY, _SOUND, _CHANGED = "q", "last sound search", "search changed"


@st.fragment
def search_box(table: RunTable) -> None:
    """The field, its error and its completions; the page reruns only when the text can be searched.

    ``table`` is the whole experiment: keys and values to complete with come from it.
    """
    with st.container(horizontal=True, vertical_alignment="top"):
        text = st.text_input(
            "Search",
            key=_KEY,
            bind="query-params",
            placeholder="metrics.auroc > 0.9 AND start_time > 7d ago",
            icon=":material/search:",
            label_visibility="collapsed",
            live="400ms",
            on_change=_keep,
        )
        with st.popover(":material/help:", help="What can be searched for, and how it is written"):
            st.markdown(SYNTAX)
    error = _problem(text)
    unfinished = error is not None and error.position >= len(text.rstrip())
    if error is not None and not unfinished:
        explain(error, "Search")
    _offer(text, table, unfinished)
    if st.session_state.pop(_CHANGED, False):
        st.rerun()


def searched() -> str:
    """The filter to show: what is written, or while that cannot be read the last that could."""
    text = st.session_state.get(_KEY, "")
    if _problem(text) is None:
        st.session_state[_SOUND] = text
    return st.session_state.get(_SOUND, "")


def explain(error: FilterError, where: str) -> None:
    """What is wrong with a filter or an order, pointing at the character."""
    st.error(f"**{where}: {error.problem}** {error.way_out}", icon=":material/error:")
    st.code(f"{error.text}\n{' ' * error.position}^", language=None)


def clear_search() -> None:
    """Empty the field."""
    st.session_state[_KEY] = ""
    _keep()


def _offer(text: str, table: RunTable, unfinished: bool) -> None:
    offered = completions(text, table)[:OFFERED] if text.strip() else ()
    if not offered:
        if unfinished:
            st.caption(f":material/edit: {_problem(text).problem}")
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="completions"):
        st.caption("Go on with", width="content")
        for position, item in enumerate(offered):
            st.button(
                plain(item.label),
                key=f"complete {position}",
                type="tertiary",
                on_click=_complete,
                args=(item.text,),
            )


def _complete(text: str) -> None:
    st.session_state[_KEY] = text
    _keep()


def _keep() -> None:
    st.session_state[_CHANGED] = _problem(st.session_state[_KEY]) is None


def _problem(text: str) -> FilterError | None:
    try:
        parse_filter(text)
    except FilterError as error:
        return error
    return None
