"""Title and one caption, and the empty state: what every page begins with."""

from __future__ import annotations

import streamlit as st


def page_header(title: str, caption: str) -> None:
    """The page's title and the question it answers, in one compact block."""
    st.title(title, anchor=False)
    st.caption(caption)


def empty_state(title: str, next_step: str, *, code: str = "", icon: str = ":material/inbox:") -> None:
    """Nothing to show yet, and what to do about it; ``code`` is a command to copy."""
    with st.container(border=True):
        st.markdown(f"#### {icon} {title}")
        st.markdown(next_step)
        if code:
            st.code(code, language="bash")
