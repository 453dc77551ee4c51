"""What needs somebody now: the list on the overview, and the strip that every page shows."""

from __future__ import annotations

import streamlit as st

from core.attention import Item
from dashboard.palette import mark

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
            attention_link(item)
        if len(mine) > STRIP:
            st.caption(f"and {len(mine) - STRIP} more on the overview")


def attention_link(item: Item) -> None:
    """One item as a link to the page that deals with it."""
    shown = mark(item.word)
    st.page_link(
        f"app_pages/{item.page}.py",
        label=f"**{shown.word}** {item.sentence}",
        icon=shown.icon,
        query_params=dict(item.query),
    )
