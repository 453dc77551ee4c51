"""What needs somebody now: the list on the overview, and the strip that every page shows."""

from __future__ import annotations

import streamlit as st

from core.attention import Item
from dashboard.parts.marks import inline_badge
from dashboard.parts.text import literal

STRIP = 3


def attention_strip(items: tuple[Item, ...]) -> None:
    """In the sidebar of every page: how much waits for you, and the first of it, one click away."""
    mine = [item for item in items if item.mine]
    others = len(items) - len(mine)
    with st.container(key="attention", gap="xsmall"):
        if not mine:
            st.caption(f"Nothing waits for you{f', {others} for others' if others else ''}.")
            return
        st.markdown(f"**{len(mine)} waiting for you**{f' · {others} for others' if others else ''}")
        for item in mine[:STRIP]:
            with st.container(gap="xxsmall"):
                _link(item)
                st.caption(literal(item.what))
        if len(mine) > STRIP:
            st.caption(f"and {len(mine) - STRIP} more on the overview")


def attention_list(items: tuple[Item, ...]) -> None:
    """On the overview: everything that waits, what waits for this person first, each sentence in full."""
    mine = [item for item in items if item.mine]
    for title, group in (
        (f"Waiting for you ({len(mine)})", mine),
        (f"Waiting for others ({len(items) - len(mine)})", [item for item in items if not item.mine]),
    ):
        if group:
            st.markdown(f"**{title}**")
        for item in group:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                _link(item)
                st.markdown(f":small[{literal(item.what)}]", width="content")


def _link(item: Item) -> None:
    st.page_link(
        f"app_pages/{item.page}.py",
        label=f"{inline_badge(item.word)} {literal(item.about, 80)}",
        query_params=dict(item.query),
    )
