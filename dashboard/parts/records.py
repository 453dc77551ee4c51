"""Events of the ledger as a table: the same columns and words wherever they are listed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.ledger.types import Record
from core.registry.words import sentence
from dashboard.palette import MISSING, moment


def record_table(records: Sequence[Record], *, of_one_model: bool) -> None:
    """When, what, who and why; the model is left out where all are about one."""
    rows = [
        {
            "Event": record.seq,
            "When (UTC)": moment(record.at).removesuffix(" UTC"),
            "Model": record.model or MISSING,
            "What": sentence(record),
            "Who": record.actor.printed_name,
            "Why": record.reason or MISSING,
        }
        for record in records
    ]
    shown = [name for name in rows[0] if not (of_one_model and name == "Model")]
    st.dataframe(
        rows,
        hide_index=True,
        column_order=shown,
        alt="Events of the ledger, newest first",
        column_config={
            "What": st.column_config.TextColumn(width=390 if of_one_model else 310),
            "Why": st.column_config.TextColumn(width=260 if of_one_model else 210),
        },
    )
