"""The table of runs, and what to do with the runs that are selected."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from core.experiments.columns import as_array
from dashboard.palette import mark

COMPARED_RUNS = 500
HEIGHT = 560
SELECTED = "selected"
SHORT_ID = 8
KEPT_RUNS = 50
FEW_WORDS = 500
AGAINST = ":material/compare_arrows:"


def run_grid(shown: pa.Table, key: str, *, one_experiment: bool, curve: str = "") -> list[int]:
    """The table; returns the positions of the selected runs, which the URL keeps.

    Pass a new ``key`` when the runs change. ``curve`` names the metric of the column of curves.
    """
    frame = _with(shown, "duration", _clock(shown["duration"]))
    frame = coded_words(_with(frame, "run_id", pc.utf8_slice_codeunits(shown["run_id"], 0, SHORT_ID)))
    status = as_array(frame["status"])
    marks = [mark(word).text for word in status.dictionary.to_pylist()]
    frame = _with(frame, "status", pa.DictionaryArray.from_arrays(status.indices, marks))
    same = pa.DictionaryArray.from_arrays(pa.repeat(0, frame.num_rows).cast(pa.int8()), [AGAINST])
    frame = frame.add_column(frame.column_names.index("status") + 1, "against", same)
    if one_experiment:
        frame = frame.drop_columns(["experiment"])
    event = st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=HEIGHT if frame.num_rows > 14 else "auto",
        column_config=_columns(frame, curve),
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        selection_default={"selection": {"rows": _rows_in_url(frame)}},
        alt="Runs, one a row",
    )
    for page, name in (("run", "run"), ("compare", "runs")):
        if clicked := st.session_state.get(f"row to {page}"):
            st.switch_page(
                f"app_pages/{page}.py", query_params={name: shown["run_id"][clicked["row"]].as_py()}
            )
    rows = [row for row in event.selection.rows if row < frame.num_rows]
    _keep_in_url([shown["run_id"][row].as_py() for row in rows])
    return rows


def coded_words(frame: pa.Table) -> pa.Table:
    """The table with repeated words as codes: a third less for the browser to be sent of 50,000 runs."""
    for name in frame.column_names:
        if name not in ("name", "run_id") and pa.types.is_string(frame.schema.field(name).type):
            first = frame[name].slice(0, 2 * FEW_WORDS)
            if pc.count_distinct(first).as_py() > FEW_WORDS:
                continue  # hashing as many words as there are runs would be felt
            coded = as_array(pc.dictionary_encode(frame[name]))
            if len(coded.dictionary) <= FEW_WORDS:
                codes = coded.indices.cast(pa.int16())
                frame = _with(frame, name, pa.DictionaryArray.from_arrays(codes, coded.dictionary))
    return frame


def _with(frame: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return frame.set_column(frame.column_names.index(name), name, column)


def _clock(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Seconds as durations, which are shown as h:min:s; tenths only below a minute."""
    tenths = pc.round(seconds, 1)
    rounded = pc.if_else(pc.less(seconds, 60), tenths, pc.round(seconds))
    return pc.multiply(rounded, 1000).cast(pa.int64(), safe=False).cast(pa.duration("ms"))


def _rows_in_url(frame: pa.Table) -> list[int]:
    written = [part for part in st.query_params.get(SELECTED, "").split(",") if len(part) == SHORT_ID]
    if not written:
        return []
    return pc.indices_nonzero(pc.is_in(frame["run_id"], value_set=pa.array(written, pa.string()))).to_pylist()


def _keep_in_url(run_ids: Sequence[str]) -> None:
    text = ",".join(run_id[:SHORT_ID] for run_id in run_ids[:KEPT_RUNS])
    if text:
        st.query_params[SELECTED] = text
    else:
        st.query_params.pop(SELECTED, None)


def _columns(frame: pa.Table, curve: str) -> dict[str, object]:
    column = st.column_config
    found: dict[str, object] = {
        "name": column.ButtonColumn(
            "run",
            pinned=True,
            width="medium",
            type="tertiary",
            alignment="left",
            key="row to run",
            help="A click opens the run.",
        ),
        "against": column.ButtonColumn(
            "vs live",
            width=64,
            type="tertiary",
            key="row to compare",
            help="Compare the run with production.",
        ),
        "status": column.TextColumn("status", width=110),
        "started": column.DatetimeColumn("started (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
        "duration": column.NumberColumn(
            "duration", format="compact", help="wall-clock time, h:min:s; empty while running"
        ),
        "git": column.TextColumn("git", help="commit of the code", width="small"),
        "data": column.TextColumn("data", help="content hash of the training data", width="small"),
        "run_id": column.TextColumn("run id", width="small"),
        "curve": column.LineChartColumn(curve, width=130, help=f"{curve} over its steps"),
    }
    for name in frame.column_names:
        kind, _, key = name.partition(".")
        if kind == "metrics":
            found[name] = column.NumberColumn(key, format="%.4g", help=f"metrics.{key}")
        elif kind in ("params", "tags") and key:
            found[name] = column.TextColumn(key, help=name)
    return found


def written(shown: pa.Table, most: int | None) -> tuple[list[str], list[list[object]]]:
    """Names and rows of the table as shown, without its pictures; at most ``most`` rows."""
    rows = shown.drop_columns([name for name in ("curve",) if name in shown.column_names]).slice(0, most)
    cells = zip(*(column.to_pylist() for column in rows.columns), strict=True)
    return rows.column_names, [list(row) for row in cells]


def selection_actions(run_ids: Sequence[str]) -> None:
    """Compare, compare with production, open: for the selected runs; a disabled button says why."""
    count = len(run_ids)
    too_many = f"At most {COMPARED_RUNS} runs can be compared." if count > COMPARED_RUNS else None
    joined = ",".join(run_ids)
    _go(
        f"Compare {count} runs" if count > 1 else "Compare runs",
        ":material/compare_arrows:",
        "compare",
        {"runs": joined},
        too_many or (None if count > 1 else "Select two or more runs in the table."),
        primary=count > 1,
    )
    _go(
        "Compare with production",
        ":material/rocket_launch:",
        "compare",
        {"runs": joined},
        too_many or (None if count == 1 else "Select one run in the table."),
        primary=count == 1,
    )
    _go(
        "Open run",
        ":material/article:",
        "run",
        {"run": joined},
        None if count == 1 else "Select one run in the table.",
    )


def _go(
    label: str, icon: str, page: str, query: dict[str, str], obstacle: str | None, *, primary: bool = False
) -> None:
    if st.button(
        label,
        icon=icon,
        key=f"go {page} {icon}",
        disabled=obstacle is not None,
        help=obstacle,
        type="primary" if primary else "secondary",
    ):
        st.switch_page(f"app_pages/{page}.py", query_params=query)
