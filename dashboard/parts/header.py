"""Title and one caption, and the empty state: what every page begins with."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from dashboard.parts.text import plain, shortened

APP = "Model Desk"
LONGEST = 100  # characters of a title: two lines on a screen, six on a phone


def page_header(title: str, caption: str) -> None:
    """The page's title as it was written, also in the browser's tab, and the question it answers as Markdown."""
    shown = shortened(title, LONGEST)
    st.set_page_config(page_title=f"{shown} · {APP}")
    st.title(plain(shown), anchor=False)
    st.caption(caption)


def empty_state(title: str, next_step: str, *, code: str = "", icon: str = ":material/inbox:") -> None:
    """Nothing to show yet, and what to do about it; ``code`` is a command to copy."""
    with st.container(border=True):
        st.markdown(f"## {icon} {title}")
        st.markdown(next_step)
        if code:
            st.code(code, language="bash")


def wanted_but_unknown(name: str, known: Collection[str]) -> str:
    """What a link asks for under ``name`` that there is not, or ''; ask before the widget is drawn, which drops it."""
    wanted = st.query_params.get(name, "")
    return "" if wanted in known else wanted


def remember_address(page: str) -> None:
    """Keep the page's address of now, for :func:`way_back`: the browser's own Back takes two presses to it."""
    st.session_state[f"address of {page}"] = st.query_params.to_dict()


def way_back(page: str, label: str) -> None:
    """A link to the page as it was left in this session; nothing when it was not visited."""
    if held := st.session_state.get(f"address of {page}"):
        st.page_link(f"app_pages/{page}.py", label=label, icon=":material/arrow_back:", query_params=held)
