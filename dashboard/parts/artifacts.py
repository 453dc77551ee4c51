"""A run's artifacts: folders to walk, and safe previews."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st
from PIL import Image  # Streamlit's own reader of pictures

from core.errors import BadInput, ModelDeskError
from core.experiments.preview import TABLE_BYTES, Preview, boxed, preview_of, without_small_counts
from core.experiments.table_summary import TableSummary, is_json_table, summary
from core.experiments.types import Artifact
from dashboard import services
from dashboard.palette import MISSING, number
from dashboard.parts.failure import show_failure
from dashboard.parts.header import wanted_but_unknown
from dashboard.parts.text import plain

WALKED = 200
SHORT_LINES = 18


def artifact_browser(run_id: str) -> None:
    """Everything the run stored, and a look at one file."""
    try:
        files = _files(run_id)
    except ModelDeskError as error:
        show_failure(error)
        return
    if not files:
        st.info("This run stored no artifacts, or they have been deleted.", icon=":material/inbox:")
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.dataframe(
            pd.DataFrame([{"file": file.path, "size": _size(file.size)} for file in files]),
            hide_index=True,
            alt="Artifacts of the run",
        )
        if len(files) == WALKED:
            st.caption(f"The first {WALKED} files.")
    with right:
        paths = [file.path for file in files]
        if gone := wanted_but_unknown("artifact", ("", *paths)):
            st.warning(f"This run has no artifact {plain(gone)}: it may have been deleted since.")
        chosen = st.selectbox("Look at", paths, key="artifact", bind="query-params")
        _show(run_id, next(file for file in files if file.path == chosen))


def _files(run_id: str) -> list[Artifact]:
    waiting, files = [""], []
    while waiting and len(files) < WALKED:
        entries = services.artifacts(run_id, waiting.pop(0))
        waiting += [entry.path for entry in entries if entry.is_dir]
        files += [entry for entry in entries if not entry.is_dir]
    return files[:WALKED]


def _show(run_id: str, file: Artifact) -> None:
    kind, reason = preview_of(file)
    if kind is Preview.NONE:
        st.info(reason, icon=":material/visibility_off:")
        return
    try:
        content = services.artifact_preview(run_id, file.path, TABLE_BYTES if kind is Preview.TABLE else None)
        _draw(kind, file.path, content)
    except ModelDeskError as error:
        show_failure(error)


def _draw(kind: Preview, path: str, content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    if kind is Preview.IMAGE:
        _show_picture(path, content)
    elif kind is Preview.TABLE:
        _show_summary(summary(path, content))
    elif kind is Preview.HTML:
        st.caption("Shown in a sandbox: its scripts do not run and nothing is loaded from elsewhere.")
        st.iframe(boxed(text), height=460, alt=path)
    elif kind is Preview.JSON and (parsed := _parsed(text)) is not None:
        if is_json_table(parsed):
            _show_summary(summary(path, content))
        else:
            st.json(without_small_counts(parsed))
    else:
        st.code(text, language=None, height=420 if text.count("\n") > SHORT_LINES else "content")


def _show_picture(path: str, content: bytes) -> None:
    try:
        st.image(content, caption=plain(path))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's own
        raise BadInput(
            f"{path} cannot be read as a picture.", "Download it with MLflow to look at it."
        ) from error


def _show_summary(found: TableSummary) -> None:
    st.caption(f"{found.rows} rows, {len(found.columns)} columns. Rows may be patients, so none is shown.")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "column": column.name,
                    "kind": column.kind,
                    "with a value": str(column.present),
                    "without": str(column.missing),
                    "mean": number(column.mean),
                    "sd": number(column.sd),
                }
                for column in found.columns
            ]
        ),
        hide_index=True,
        alt="Columns of the table",
    )


def _parsed(text: str) -> dict | list | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _size(size: int | None) -> str:
    if size is None:
        return MISSING
    return (
        f"{size:,} B"
        if size < 1024
        else f"{size / 1024:,.0f} KB"
        if size < 1024**2
        else f"{size / 1024**2:,.1f} MB"
    )
