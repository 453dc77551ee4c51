"""Pieces of the Compare page: the table of differences, the verdicts, links and exports."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.compare.export import to_csv, to_latex, to_markdown
from core.compare.types import Comparison, Verdict
from core.compare.words import cells, difference_table, interval, sentence, tally, unique_labels
from dashboard.charts import comparison as charts
from dashboard.palette import mark, short_hash
from dashboard.parts.marks import current_palette

SIDE_BY_SIDE = 12
SENTENCES = 3
DRAWN = 12


def labels_of(comparison: Comparison) -> dict[str, str]:
    """A distinct name for each item by its ref."""
    return dict(zip((item.ref for item in comparison.items), unique_labels(comparison), strict=True))


def difference_grid(comparison: Comparison, declared: Mapping[str, str], *, identical: bool) -> None:
    """Rows that differ; items beside each other for a few, one below the other for many."""
    columns, rows = difference_table(comparison, declared, identical=identical)
    frame = pd.DataFrame(rows, columns=columns)
    colors = _colors(comparison, declared, identical=identical)
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
        column_config={"key": st.column_config.Column(pinned=True)},
        alt="Differences, one column an item",
    )


def _colors(comparison: Comparison, declared: Mapping[str, str], *, identical: bool) -> pd.DataFrame:
    palette = current_palette()
    styles = {True: f"color: {palette.good}", False: f"color: {palette.bad}", None: f"color: {palette.muted}"}
    parts = comparison.differences
    rows = (*parts.differing, *parts.identical) if identical else parts.differing
    return pd.DataFrame(
        [
            [
                styles[cell.better] if cell.difference else ""
                for cell in cells(row, comparison.baseline_index, declared)
            ]
            for row in rows
        ],
        columns=unique_labels(comparison),
    )


def verdict_panel(comparison: Comparison, metric: str) -> None:
    """Is it better? A sentence for each of a few candidates and the intervals of all in one picture."""
    labels = labels_of(comparison)
    found = [verdict for verdict in comparison.verdicts if verdict.metric == metric]
    if len(found) > SENTENCES:
        st.markdown(f"**Against {_plain(comparison.baseline.label)} on {_plain(metric)}: {tally(found)}.**")
        st.caption("The sentence for each candidate is under 'All verdicts'.")
    for verdict in found if len(found) <= SENTENCES else ():
        shown = mark(verdict.word.value)
        st.markdown(
            f":{shown.color}[{shown.icon}] {_plain(sentence(verdict, labels, comparison.baseline.label))}"
        )
    drawn = [verdict for verdict in found if verdict.difference is not None][:DRAWN]
    if any(verdict.low is not None for verdict in drawn):
        st.plotly_chart(
            charts.interval_chart(drawn, labels, current_palette()),
            key="intervals",
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


def links_and_exports(comparison: Comparison, declared: Mapping[str, str]) -> None:
    """Links to the items' own pages, and the table as files to paste."""
    table = difference_table(comparison, declared)
    with st.container(horizontal=True):
        for name, write, suffix, mime in (
            ("CSV", to_csv, "csv", "text/csv"),
            ("Markdown", to_markdown, "md", "text/markdown"),
            ("LaTeX", to_latex, "tex", "text/x-tex"),
        ):
            st.download_button(
                name,
                write(*table),
                f"comparison.{suffix}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )
    runs = [item for item in comparison.items if item.run_id][:SIDE_BY_SIDE]
    with st.container(horizontal=True):
        for index, item in enumerate(runs):
            name = f"{item.label} ({short_hash(item.run_id)})"
            st.page_link(
                "app_pages/run.py", label=f"Run {name}", icon=":material/article:",
                query_params={"run": item.run_id}, help=f"Open run {index + 1}",
            )  # fmt: skip


def _plain(text: str) -> str:
    """Names come from whoever logged them: Markdown in them is shown, not obeyed."""
    for sign in "\\`*_[]<>$~:#":
        text = text.replace(sign, f"\\{sign}")
    return text
