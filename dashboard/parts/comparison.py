"""Pieces of the Compare page: the table of differences, the verdicts, links and exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
import streamlit as st

from core.compare.directions import direction
from core.compare.types import Comparison, Direction, Verdict, Word
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
from dashboard.palette import mark
from dashboard.parts.header import way_back
from dashboard.parts.marks import current_palette
from dashboard.parts.text import plain

SIDE_BY_SIDE = 12
LINKS = 5
WHOLE = 15  # rows of a table that does not scroll
SENTENCES = 3
DRAWN = 12
CANDIDATE = 205  # pixels of a value of six digits, its difference and the word


def labels_of(comparison: Comparison) -> dict[str, str]:
    """A distinct name for each item by its ref."""
    return dict(zip((item.ref for item in comparison.items), unique_labels(comparison), strict=True))


def difference_grid(
    comparison: Comparison, declared: Mapping[str, str], *, identical: bool, first: str | None = None
) -> None:
    """Rows that differ, metrics on top and ``first`` before them; items beside each other for a few, else one a row."""
    columns, rows = difference_table(comparison, declared, identical=identical)
    parts = list(dict.fromkeys(["metrics", *(row[0] for row in rows)]))
    order = sorted(
        range(len(rows)), key=lambda row: (rows[row][:2] != ["metrics", first], parts.index(rows[row][0]))
    )
    frame = pd.DataFrame(rows, columns=columns).iloc[order].reset_index(drop=True)
    colors = _colors(comparison, declared, identical=identical).iloc[order].reset_index(drop=True)
    if len(comparison.items) > SIDE_BY_SIDE:
        _one_row_an_item(comparison, frame, colors)
    else:
        _one_column_an_item(comparison, *_in_parts(frame, colors))


def _in_parts(frame: pd.DataFrame, colors: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table without its column of parts, whose names are rows of their own: a phone has room for an item more."""
    names, shades, part = [], [], "metrics"
    for place, found in enumerate(frame["part"]):
        if found != part:
            part = found
            names.append(pd.DataFrame({"key": [f"{part}:"]}, index=[place - 0.5]))
            shades.append(pd.DataFrame("", index=[place - 0.5], columns=colors.columns))
    whole = pd.concat([frame.drop(columns="part"), *names]).sort_index().fillna("")
    return whole.reset_index(drop=True), pd.concat([colors, *shades]).sort_index().reset_index(drop=True)


def _one_column_an_item(comparison: Comparison, frame: pd.DataFrame, colors: pd.DataFrame) -> None:
    """The baseline no wider than its values: a candidate stands beside it on a phone too."""
    own = frame.columns[1 + comparison.baseline_index]
    titled = {own: f"baseline: {comparison.baseline.label}"}
    widths = {
        "key": _width(frame["key"], least=80, most=140),
        titled[own]: _width(frame[own], least=90, most=110),
    }
    widths |= {name: CANDIDATE for name in frame.columns[1:] if name != own}
    _grid(
        frame.rename(columns=titled),
        colors.rename(columns=titled),
        "key",
        widths,
        "Differences, one column an item",
    )


def _one_row_an_item(comparison: Comparison, frame: pd.DataFrame, colors: pd.DataFrame) -> None:
    """The baseline first: what all others are measured against is not looked for among 500."""
    names = [f"{part}: {key}" for part, key in zip(frame["part"], frame["key"], strict=True)]
    labels = unique_labels(comparison)
    own = labels[comparison.baseline_index]
    order = [own, *(label for label in labels if label != own)]
    turned, shades = (each[order].T.set_axis(names, axis=1) for each in (frame, colors))
    turned.insert(0, "item", [f"baseline: {comparison.baseline.label}", *order[1:]])
    metrics = {name: CANDIDATE for name in names if name.startswith("metrics")}
    widths = {"item": _width(order, least=90, most=190)} | metrics
    _grid(turned, shades, "item", widths, "Differences, one row an item")


def _grid(
    frame: pd.DataFrame, colors: pd.DataFrame, pinned: str, widths: Mapping[str, int], said: str
) -> None:
    shades = pd.DataFrame("", index=frame.index, columns=frame.columns)
    shades[colors.columns] = colors
    st.dataframe(
        frame.style.apply(lambda _: shades, axis=None),
        hide_index=True,
        height="content" if len(frame) <= WHOLE else 460,
        column_config={
            name: st.column_config.Column(width=width, pinned=name == pinned)
            for name, width in widths.items()
        },
        alt=said,
    )


def _width(texts: Iterable[str], *, least: int, most: int) -> int:
    """Pixels that the longest of these takes in a table, within bounds."""
    return min(max(least, 18 + round(7.4 * max(map(len, texts), default=0))), most)


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
    """Is any better? The answer in one line: how many candidates got which word, or the word of the only one."""
    found = [verdict for verdict in comparison.verdicts if verdict.metric == metric]
    answer = found[0].word.value if len(found) == 1 else tally(found)
    st.markdown(f"**Against {plain(comparison.baseline.label)} on {plain(metric)}: {answer}.**")


def verdict_panel(comparison: Comparison, metric: str, declared: Mapping[str, str]) -> None:
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
    best = direction(metric, declared)
    drawn = [verdict for verdict in found if verdict.difference is not None]
    if len(drawn) > DRAWN and best is not Direction.UNKNOWN:
        drawn = sorted(drawn, key=lambda verdict: verdict.difference, reverse=best is Direction.HIGHER)
    drawn = drawn[:DRAWN]
    if any(verdict.low is not None for verdict in drawn):
        st.plotly_chart(
            charts.interval_chart(drawn, labels, current_palette()),
            key="intervals",
            config=charts.PNG,
            alt=f"Difference on {metric} to the baseline with 95 % intervals",
        )
        if len(found) > len(drawn):
            which = "first" if best is Direction.UNKNOWN else "best"
            st.caption(f"The picture shows the {len(drawn)} {which} of {len(found)} candidates.")


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
    """Links to the items' own pages; behind a button when they would push the charts off the screen."""
    runs = [item for item in comparison.items if item.run_id][:SIDE_BY_SIDE]
    with st.container(horizontal=True, vertical_alignment="center"):
        way_back("experiments", "Back to the runs")
        few = len(runs) <= LINKS
        place = st.container(horizontal=True) if few else st.popover("Open a run", icon=":material/article:")
    with place:
        for item in runs:
            st.page_link(
                "app_pages/run.py", label=item.label, icon=":material/article:",
                query_params={"run": item.run_id}, help=f"Run {item.run_id} in full",
            )  # fmt: skip
