"""Metrics, params and plots of several revisions side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.pipeline.measures import Measures, Stored, differences
from core.pipeline.plots import Plot, Plots
from core.pipeline.types import Revision, RevisionKind
from dashboard.charts.pipeline import plot_chart
from dashboard.palette import MISSING, number, signed
from dashboard.parts.marks import current_palette
from dashboard.parts.pipeline import fetch_button

WORKING_TREE = "working tree"
REVISIONS = "revisions"
KINDS = {
    RevisionKind.BRANCH: "branch",
    RevisionKind.TAG: "tag",
    RevisionKind.EXPERIMENT: "experiment",
    RevisionKind.COMMIT: "",
}


def revision_labels(found: Sequence[Revision]) -> dict[str, str]:
    """What may be chosen: the working tree, then branches, tags, experiments and commits -> how it reads."""
    labels = {WORKING_TREE: WORKING_TREE}
    for one in found:
        kind = KINDS[one.kind]
        subject = one.subject if len(one.subject) <= 48 else f"{one.subject[:47]}…"
        when = f"{one.time:%Y-%m-%d}"
        told = " · ".join(filter(None, (kind, subject, when)))
        labels.setdefault(one.name, f"{one.name} · {told}")
    return labels


def choose(labels: Mapping[str, str], known: Sequence[Revision]) -> list[str]:
    """The revisions to compare, kept in the URL; at first the commit before the last one and the working tree."""
    commits = [one.name for one in known if one.kind is RevisionKind.COMMIT]
    written = [name for name in st.query_params.get_all(REVISIONS) if name in labels]
    if REVISIONS not in st.session_state:
        st.session_state[REVISIONS] = written or [*(commits[1:2] or commits[:1]), WORKING_TREE]

    def keep() -> None:
        st.query_params[REVISIONS] = st.session_state[REVISIONS]

    return st.multiselect(
        "Revisions, oldest first",
        list(labels),
        format_func=labels.__getitem__,
        key=REVISIONS,
        on_change=keep,
    )


def asked(name: str) -> str | None:
    """The revision as core takes it: None for the working tree."""
    return None if name == WORKING_TREE else name


def measure_table(
    found: Sequence[Measures], names: Sequence[str], what: str, *, only_different: bool
) -> None:
    """A row per metric or param, a column per revision, and the difference of last and first."""
    different = {(one.file, one.key): one for one in differences(found)}
    keys = dict.fromkeys(
        (file, key) for one in found for file, values in one.values.items() for key in values
    )
    shown = [key for key in keys if key in different or not only_different]
    if not keys:
        st.info(f"These revisions have no {what} that can be read here.")
        return
    rows = []
    for file, key in shown:
        change = different.get((file, key))
        row = {"file": file, what.removesuffix("s"): key}
        row |= {
            name: _cell(one.values.get(file, {}).get(key)) for name, one in zip(names, found, strict=True)
        }
        if len(names) > 1:
            row["change"] = signed(change.delta) if change else "same"
        rows.append(row)
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{what.capitalize()} of each revision")
    hidden = len(keys) - len(shown)
    if hidden:
        st.caption(f"{hidden} {what} are the same in all of them.")
    for name, one in zip(names, found, strict=True):
        for finding in one.findings:
            st.caption(f":material/info: {name}: {finding.file}: {finding.message}")


def stored_files(project: Path, stored: Sequence[Stored], name_of: Mapping[str | None, str]) -> None:
    """Files whose content is only in DVC's cache elsewhere or its remote, each with a button to bring it."""
    if not stored:
        return
    st.markdown("**Not on this machine**")
    st.caption("These files are kept by DVC; their content is only in its cache elsewhere or its remote.")
    for one in stored:
        with st.container(horizontal=True, vertical_alignment="center"):
            size = f", {one.size:,} bytes" if one.size is not None else ""
            digest = f"md5 {one.hash.value[:8]}" if one.hash else "no hash"
            st.markdown(f"`{one.path}` at {name_of.get(one.revision, one.revision)} ({digest}{size})")
            fetch_button(project, one.path, one.revision, one.way_out)


def plot_grid(found: Plots, names: Mapping[str | None, str]) -> None:
    """Charts with all revisions in one figure, images side by side."""
    families: dict[tuple[str, str], list[Plot]] = {}
    for plot in found.plots:
        families.setdefault((plot.name, plot.path), []).append(plot)
    if not families:
        st.info("These revisions have no plots that can be read here.")
    charts = [group for group in families.values() if any(plot.points for plot in group)]
    with st.container(horizontal=True, gap="medium"):
        for group in charts:
            _chart(group, names)
    for group in families.values():
        if any(plot.image for plot in group):
            _images(group, names)
    for finding in found.findings:
        st.caption(f":material/info: {finding.file}: {finding.message}")


def _chart(group: Sequence[Plot], names: Mapping[str | None, str]) -> None:
    drawn = [plot for plot in group if plot.points]
    several = str(drawn[0].options.get("template", "")).startswith("confusion")
    for number_of, plots in enumerate([[plot] for plot in drawn] if several else [drawn]):
        with st.container(width=460):
            suffix = f" · {names[plots[0].revision]}" if several else ""
            if suffix:
                st.caption(names[plots[0].revision])
            st.plotly_chart(
                plot_chart(plots, names, current_palette()),
                theme=None,
                key=f"plot {plots[0].name} {plots[0].path} {number_of}",
                alt=f"{plots[0].name}{suffix}",
            )


def _images(group: Sequence[Plot], names: Mapping[str | None, str]) -> None:
    st.markdown(f"**{group[0].name}**")
    with st.container(horizontal=True, gap="medium"):
        for plot in group:
            if plot.image:
                with st.container(width=420):
                    st.image(plot.image, caption=names[plot.revision])


def _cell(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return number(value, 5)
    return str(value)
