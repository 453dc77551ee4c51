"""Pieces of the Run page: tables of names and values, curves over the steps, nested runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.errors import ModelDeskError
from core.experiments.types import Run
from dashboard import services
from dashboard.charts.comparison import PNG
from dashboard.charts.histories import history_chart, with_steps
from dashboard.palette import moment
from dashboard.parts.failure import show_failure
from dashboard.parts.marks import current_palette
from dashboard.parts.text import plain

CURVES, SMALL_CURVES = 8, 16
ASKED = 24
ROWS = 10
CHILDREN = 50


def pairs(name: str, value: str, values: Mapping[str, str], none: str) -> None:
    """Names and values as a table of at most ten rows before it scrolls; or that there are none."""
    if not values:
        st.info(f"This run has logged {none}.", icon=":material/info:")
        return
    st.dataframe(
        pd.DataFrame([{name: key, value: values[key]} for key in sorted(values)]),
        hide_index=True,
        height="auto" if len(values) <= ROWS else 37 + 35 * ROWS,
        alt=f"{name.capitalize()}s of the run",
    )


def curves(run: Run, names: Sequence[str], title: str, key: str, *, small: bool = False) -> None:
    """The metrics that were logged over steps, two in a row; which ones can be chosen when there are many.

    ``small`` ones, four in a row, are over the time since their first value: what a machine measures by the clock.
    """
    likely = sorted(names, key=lambda name: (not name.startswith("val"), not name.startswith("train"), name))
    asked = likely[:ASKED]
    if len(names) > ASKED:
        asked = st.multiselect(
            f"{title} of", likely, default=likely[:CURVES], key=key, bind="query-params", max_selections=ASKED
        )
    try:
        found = [item for name in asked for item in services.step_histories((run.run_id,), name)]
    except ModelDeskError as error:
        show_failure(error)
        return
    drawn = with_steps(found)
    if not drawn:
        if asked and len(names) > ASKED:
            st.info("None of these was logged more than once.", icon=":material/show_chart:")
        return
    st.header(title, anchor=False)
    shown = drawn if len(names) > ASKED else drawn[: SMALL_CURVES if small else CURVES]
    beside, height = (4, 180) if small else (2, 260)
    for start in range(0, len(shown), beside):
        for column, history in zip(st.columns(beside), shown[start : start + beside], strict=False):
            chart = history_chart(
                history, current_palette(), color=shown.index(history), height=height, relative=small
            )
            column.plotly_chart(
                chart, key=f"curve {history.metric}", config=PNG, alt=f"{history.metric} over steps"
            )
            if history.reduced:
                column.caption(f"{len(history.steps):,} of {history.points:,} points: {history.reduced}.")
    if len(shown) < len(drawn):
        st.caption(f"The first {len(shown)} of {len(drawn)} curves; Compare draws any of them.")


def nested(run: Run) -> None:
    """The runs inside this one, if there are any."""
    try:
        found = services.children(run)
    except ModelDeskError as error:
        show_failure(error)
        return
    if not len(found):
        return
    st.header(f"{found.total:,} nested run{'' if found.total == 1 else 's'}", anchor=False)
    rows = found.attributes.slice(0, CHILDREN).to_pylist()
    with st.container(horizontal=True):
        for row in rows:
            st.page_link(
                "app_pages/run.py", label=plain(row["name"] or row["run_id"][:8]),
                icon=":material/subdirectory_arrow_right:", query_params={"run": row["run_id"]},
                help=f"{row['status']}, {moment(row['start_time'])}",
            )  # fmt: skip
        if len(rows) > 1:
            st.page_link(
                "app_pages/compare.py", label=f"Compare all {len(rows)}", icon=":material/compare_arrows:",
                query_params={"runs": ",".join(row["run_id"] for row in rows)},
            )  # fmt: skip
    if found.total > CHILDREN:
        st.caption(f"The newest {CHILDREN} of {found.total:,}.")
