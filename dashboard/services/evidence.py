"""What an auditor takes away: model cards and evidence packs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.workspace import Workspace
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.evidence.types import Card


def model_card(model: str, number: int) -> Card:
    """The card of a version. Raises NotFound and Unavailable."""
    return _model_card(workspace(), model, number)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _model_card(ws: Workspace, model: str, number: int) -> Card:
    from core.evidence.card import model_card

    return model_card(ws, model, number)


def evidence_pack(model: str, number: int, actor: Actor) -> Callable[[], bytes]:
    """Makes the pack when called, and records its export: a download button calls it on the click."""
    ws = workspace()

    def make() -> bytes:
        from core.evidence.pack import export_pack

        made = export_pack(ws, model, number, actor)
        forget()
        return made.content

    return make


def pack_name(model: str, number: int) -> str:
    """The file name of a version's evidence pack."""
    from core.evidence.pack import file_name

    return file_name(model, number)
