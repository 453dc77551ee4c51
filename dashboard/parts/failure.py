"""A failure as a sentence: what happened, and the way out; never a stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import ModelDeskError


def show_failure(error: ModelDeskError) -> None:
    """An expected failure in its own words."""
    st.error(f"**{error.what}**\n\n{error.way_out}".strip(), icon=":material/error:")


@contextmanager
def shown_failures() -> Iterator[None]:
    """What fails inside is said in its place, so that it costs no other part of the page."""
    try:
        yield
    except ModelDeskError as error:
        show_failure(error)


def show_unexpected(error: Exception) -> None:
    """A fault of ours: named by its type only, since its message may quote data."""
    st.error(
        f"**Something unexpected went wrong ({type(error).__name__}).**\n\n"
        "Nothing was changed by this page view. Reload the page; if it happens again, the server's log "
        "has the details.",
        icon=":material/error:",
    )
