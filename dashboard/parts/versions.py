"""The versions of a model as a table, and the metrics that are shown of them."""

from __future__ import annotations

from collections.abc import Container, Sequence

import streamlit as st

from core.registry.catalogue import Entry
from dashboard.palette import MISSING, mark, moment, short_hash

SHOWN_METRICS = 4
_FIRST = ("auroc", "accuracy", "f1", "sensitivity", "specificity")


def metric_names(entries: Sequence[Entry]) -> list[str]:
    """Metrics that any of the versions has, the usual ones of a classifier first."""
    names = {name for entry in entries for name in entry.metrics}
    return [name for name in _FIRST if name in names] + sorted(names - set(_FIRST))


def version_table(entries: Sequence[Entry], archived: Container[int], key: str) -> Entry | None:
    """The table; gives back the selected version."""
    metrics = metric_names(entries)[:SHOWN_METRICS]
    rows = [
        {
            "Version": f"v{entry.version.version}",
            "Alias": ", ".join(entry.version.aliases)
            or (mark("ARCHIVED").text if entry.version.version in archived else MISSING),
            **{name: entry.metrics.get(name) for name in metrics},
            "Registered (UTC)": moment(entry.version.created_at).removesuffix(" UTC"),
            "Run": entry.run.name if entry.run else "gone" if entry.version.run_id else MISSING,
            "By": (entry.run.user if entry.run else entry.version.user) or MISSING,
            "Data": short_hash(entry.run.data_hash) if entry.run else MISSING,
            "Commit": short_hash(entry.run.git_commit) if entry.run else MISSING,
            "Description": entry.version.description,
        }
        for entry in entries
    ]
    columns = {name: st.column_config.NumberColumn(format="%.4f") for name in metrics}
    choice = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt="Versions with their metrics, newest first",
        column_config=columns | {"Alias": st.column_config.TextColumn(width=100)},
    )
    return entries[choice.selection.rows[0]] if choice.selection.rows else None
