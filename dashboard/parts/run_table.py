"""The table of runs, its column chooser, and what to do with the runs that are selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from core.compare.export import to_csv, to_latex, to_markdown
from core.experiments import overview
from core.experiments.types import RunTable
from dashboard.palette import mark

PASTED_RUNS = 1000
COMPARED_RUNS = 500
HEIGHT = 560


def choose_columns(table: RunTable, declared: Sequence[str]) -> pa.Table:
    """What to show of the runs; kept in the URL once somebody chose."""
    offered = {
        "metrics": table.metrics.column_names,
        "params": table.params.column_names,
        "tags": list(overview.own_tags(table)),
    }
    suggested = {
        "metrics": overview.suggested_metrics(table, declared),
        "params": overview.suggested_params(table),
        "tags": (),
    }
    chosen = {}
    for kind, names in offered.items():
        held = st.query_params.get(kind)
        asked = held.split(",") if held else [] if held == "" else suggested[kind]
        chosen[kind] = st.multiselect(
            f"{kind.capitalize()} ({len(names):,})",
            names,
            default=[name for name in asked if name in names],
            key=f"{kind} of {overview.fingerprint(table)}",
            placeholder="type to find one",
        )
        if held is not None or tuple(chosen[kind]) != tuple(suggested[kind]):
            st.query_params[kind] = ",".join(chosen[kind])
    return overview.shown_columns(table, chosen["metrics"], chosen["params"], chosen["tags"])


def run_grid(shown: pa.Table, key: str, *, one_experiment: bool) -> list[int]:
    """The table; returns the positions of the selected runs. Pass a new ``key`` when the runs change."""
    words = pc.unique(shown["status"]).to_pylist()
    marks = pa.array([mark(word).text for word in words], pa.string())
    statuses = marks.take(pc.index_in(shown["status"], value_set=pa.array(words, pa.string())))
    frame = shown.set_column(shown.column_names.index("status"), "status", statuses)
    hidden = {"experiment"} if one_experiment else set()
    event = st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=HEIGHT if frame.num_rows > 14 else "auto",
        column_order=[name for name in frame.column_names if name not in hidden],
        column_config=_columns(frame),
        on_select="rerun",
        selection_mode="multi-row",
        alt="Runs, one a row",
    )
    return [row for row in event.selection.rows if row < frame.num_rows]


def _columns(frame: pa.Table) -> dict[str, object]:
    column = st.column_config
    found: dict[str, object] = {
        "name": column.TextColumn("run", pinned=True, width="medium"),
        "status": column.TextColumn("status", width=110),
        "started": column.DatetimeColumn("started (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
        "duration": column.NumberColumn(
            "duration", format="%.1f s", help="wall-clock seconds; empty while running"
        ),
        "git": column.TextColumn("git", help="commit of the code", width="small"),
        "data": column.TextColumn("data", help="content hash of the training data", width="small"),
        "run_id": column.TextColumn("run id", width="small"),
    }
    for name in frame.column_names:
        kind, _, key = name.partition(".")
        if kind == "metrics":
            found[name] = column.NumberColumn(key, format="%.4g", help=f"metrics.{key}")
        elif kind in ("params", "tags") and key:
            found[name] = column.TextColumn(key, help=name)
    return found


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


def export_menu(shown: pa.Table) -> None:
    """The table as it is shown, as files; written only when asked for."""
    with st.popover("Export", icon=":material/download:"):
        for label, write, suffix, mime, most in (
            ("CSV", to_csv, "csv", "text/csv", None),
            ("Markdown", to_markdown, "md", "text/markdown", PASTED_RUNS),
            ("LaTeX", to_latex, "tex", "text/x-tex", PASTED_RUNS),
        ):
            st.download_button(
                label,
                _writer(shown, write, most),
                f"runs.{suffix}",
                mime,
                key=f"export {suffix}",
                on_click="ignore",
                help=f"the first {most:,} runs" if most and shown.num_rows > most else None,
            )


def _writer(
    shown: pa.Table, write: Callable[[Sequence[str], Sequence[Sequence[object]]], str], most: int | None
) -> Callable[[], bytes]:
    def written() -> bytes:
        rows = shown.slice(0, most)
        cells = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        return write(rows.column_names, [list(row) for row in cells]).encode()

    return written
