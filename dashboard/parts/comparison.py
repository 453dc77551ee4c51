"""Pieces of the Compare page: the table of differences, the verdicts, links and exports."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.compare.types import Comparison, Verdict, Word
from core.compare.words import (
    Cell,
    cells_of,
    difference_table,
    interval,
    said_of,
    sentence,
    tally,
    unique_labels,
)
from dashboard.charts import comparison as charts
from dashboard.palette import mark, short_hash
from dashboard.parts.header import way_back
from dashboard.parts.marks import current_palette
from dashboard.parts.text import plain

SIDE_BY_SIDE = 12
SENTENCES = 3
DRAWN = 12


def labels_of(comparison: Comparison) -> dict[str, str]:
    """A distinct name for each item by its ref."""
    return dict(zip((item.ref for item in comparison.items), unique_labels(comparison), strict=True))


def difference_grid(
    comparison: Comparison, declared: Mapping[str, str], *, identical: bool, first: str | None = None
) -> None:
    """Rows that differ, metrics on top and ``first`` before them; items beside each other for a few, else one a row."""
    columns, rows = difference_table(comparison, declared, identical=identical)
    order = sorted(
        range(len(rows)), key=lambda row: (rows[row][:2] != ["metrics", first], rows[row][0] != "metrics")
    )
    frame = pd.DataFrame(rows, columns=columns).iloc[order].reset_index(drop=True)
    colors = _colors(comparison, declared, identical=identical).iloc[order].reset_index(drop=True)
    if len(comparison.items) > SIDE_BY_SIDE:
        names = [f"{part}: {key}" for part, key in zip(frame["part"], frame["key"], strict=True)]
        frame, colors = frame.iloc[:, 2:].T.set_axis(names, axis=1), colors.T.set_axis(names, axis=1)
        st.dataframe(
            frame.style.apply(lambda _: colors, axis=None), height=460, alt="Differences, one row an item"
        )
        return
    shades = pd.DataFrame("", index=frame.index, columns=columns)
    shades.iloc[:, 2:] = colors.to_numpy()
    st.dataframe(
        frame.style.apply(lambda _: shades, axis=None),
        hide_index=True,
        height=min(38 + 35 * max(len(frame), 1), 460),
        column_config={
            "key": st.column_config.Column(pinned=True, width=120),
            "part": st.column_config.Column(width=70),
            **{
                name: st.column_config.Column(width=215 if item.ref == comparison.baseline.ref else 175)
                for name, item in zip(columns[2:], comparison.items, strict=True)
            },
        },
        alt="Differences, one column an item",
    )


def _colors(comparison: Comparison, declared: Mapping[str, str], *, identical: bool) -> pd.DataFrame:
    palette = current_palette()
    styles = {True: palette.good, False: palette.bad, None: palette.muted}
    parts = comparison.differences
    rows = (*parts.differing, *parts.identical) if identical else parts.differing
    said = said_of(comparison)

    def style(cell: Cell) -> str:
        if cell.value is None or cell.verdict in (Word.SAME, Word.NOT_COMPARABLE):
            return f"color: {palette.muted}"
        return f"color: {styles[cell.better]}" if cell.difference else ""

    return pd.DataFrame(
        [[style(cell) for cell in cells_of(comparison, row, declared, said)] for row in rows],
        columns=unique_labels(comparison),
    )


def verdict_headline(comparison: Comparison, metric: str) -> None:
    """Is any better? The answer for several candidates in one line."""
    found = [verdict for verdict in comparison.verdicts if verdict.metric == metric]
    st.markdown(f"**Against {plain(comparison.baseline.label)} on {plain(metric)}: {tally(found)}.**")


def verdict_panel(comparison: Comparison, metric: str) -> None:
    """Is it better? A sentence for each of a few candidates and the intervals of all in one picture."""
    labels = labels_of(comparison)
    found = [verdict for verdict in comparison.verdicts if verdict.metric == metric]
    if len(found) > SENTENCES:
        st.caption("The sentence for each candidate is under 'All verdicts'.")
    for verdict in found if len(found) <= SENTENCES else ():
        shown = mark(verdict.word.value)
        st.markdown(
            f":{shown.color}[{shown.icon}] {plain(sentence(verdict, labels, comparison.baseline.label))}"
        )
    drawn = [verdict for verdict in found if verdict.difference is not None][:DRAWN]
    if any(verdict.low is not None for verdict in drawn):
        st.plotly_chart(
            charts.interval_chart(drawn, labels, current_palette()),
            key="intervals",
            config=charts.PNG,
            alt=f"Difference on {metric} to the baseline with 95 % intervals",
        )
        if len(found) > len(drawn):
            st.caption(f"The picture shows {len(drawn)} of {len(found)} candidates.")


def verdict_grid(comparison: Comparison) -> None:
    """Every candidate and metric."""
    labels = labels_of(comparison)
    st.dataframe(
        pd.DataFrame([_verdict_row(verdict, labels) for verdict in comparison.verdicts]),
        hide_index=True,
        alt="Verdict for every candidate and metric",
    )


def _verdict_row(verdict: Verdict, labels: Mapping[str, str]) -> dict[str, object]:
    return {
        "candidate": labels[verdict.candidate],
        "metric": verdict.metric,
        "verdict": mark(verdict.word.value).text,
        "difference to the baseline": interval(verdict),
        "n": verdict.n,
        "method": verdict.method,
        "reason": verdict.reason,
    }


def run_links(comparison: Comparison) -> None:
    """Links to the items' own pages."""
    runs = [item for item in comparison.items if item.run_id][:SIDE_BY_SIDE]
    with st.container(horizontal=True):
        way_back("experiments", "Back to the runs")
        for item in runs:
            st.page_link(
                "app_pages/run.py", label=f"{item.label} ({short_hash(item.run_id)})", icon=":material/article:",
                query_params={"run": item.run_id}, help=f"Run {item.run_id} in full",
            )  # fmt: skip
