"""What kind a column is taken for, who or what decided that, and saying otherwise."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core.access import Action
from core.drift.column_kinds import CHOICES
from core.drift.kinds import RULES
from core.drift.types import ColumnKind
from core.drift.watched import DecidedKind
from dashboard.palette import moment
from dashboard.parts.reasoned import Reasoned, reasoned_button
from dashboard.parts.text import literal
from dashboard.services import monitors


def kind_popover(model: str, window: str, environment: str, column: str) -> None:
    """The rules, who decided, and the choice of another kind; nothing for a column that one side lacks."""
    decided = monitors.column_kinds(model, window).get(column)
    if decided is None:
        return
    with st.popover(f"Kind: {decided.kind.value}", icon=":material/rule:"):
        st.markdown(_decided(column, decided))
        choices = [kind for kind in CHOICES if kind is not decided.kind]
        wanted = st.selectbox(
            "Treat it as", choices, format_func=lambda kind: kind.value, key=f"kind_{column}"
        )
        _button(f"Treat as {wanted.value}…", model, environment, column, wanted, decided)
        if decided.said is not None:
            _button("Let the rules decide…", model, environment, column, None, decided)
        st.dataframe(pd.DataFrame(RULES, columns=["kind", "rule, first match first"]), hide_index=True)
        st.caption(f"`python -m core drift kind set {model} {column} KIND`, back with `drift kind reset`")


def _decided(column: str, decided: DecidedKind) -> str:
    said = decided.said
    if said is not None:
        return f"{literal(said.by)} said on {moment(said.at)} that this is {said.kind.value}: {literal(said.reason)}"
    if decided.decided_by == "the rules":
        return (
            f"The rules took {literal(column)} for {decided.kind.value}: {dict(RULES)[decided.kind.value]}."
        )
    return f"{decided.decided_by} says that this is {decided.kind.value}."


def _button(
    label: str, model: str, environment: str, column: str, kind: ColumnKind | None, decided: DecidedKind
) -> None:
    title = f"Treat {column} as {kind.value}" if kind else f"Let the rules decide {column}"
    steps = ("Every window of this model is judged anew.", "Who decided and why goes on the record.")
    expected = decided.said.kind if decided.said else None
    act = partial(monitors.set_column_kind, model, column, kind, expected)
    reasoned_button(
        label, Reasoned(title, steps, title, act), Action.ACKNOWLEDGE, model, environment,
        key="set_kind" if kind else "reset_kind", icon=":material/edit:" if kind else ":material/undo:",
    )  # fmt: skip
