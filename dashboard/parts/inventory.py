"""All models at a glance, what any search text means, and what was live on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import streamlit as st

from core.attention import Glance
from core.errors import ModelDeskError
from core.registry.queue import Queued, Turn
from dashboard import services
from dashboard.palette import MISSING, mark, moment, short_hash
from dashboard.parts.failure import show_failure
from dashboard.parts.release import said


def model_table(glances: tuple[Glance, ...], queue: tuple[Queued, ...]) -> str | None:
    """One row a model: what is live, since when, by whom, and what is missing; gives back the selected one."""
    gaps = services.live_gaps()
    waiting = [item for item in queue if item.turn is not Turn.DONE]
    rows = [
        {
            "Model": glance.model,
            "State": mark(_state(glance)).text,
            "Live": said(glance.live.version if glance.live else glance.production),
            "Since": moment(glance.live.since) if glance.live else MISSING,
            "Missing": ", ".join(_missing(glance, gaps)) or "nothing",
            "Requests": sum(item.request.opened.model == glance.model for item in waiting),
            "By": glance.live.by.printed_name if glance.live else MISSING,
            "Challenger": said(glance.challenger),
            "Versions": glance.versions,
        }
        for glance in glances
    ]
    choice = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="models",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True),
            "Requests": st.column_config.NumberColumn(help="open requests for a release"),
            "Missing": st.column_config.TextColumn(
                help="of what is live: a monitor, a lineage that names code and data, an approval"
            ),
        },
    )
    return glances[choice.selection.rows[0]].model if choice.selection.rows else None


def _missing(glance: Glance, gaps: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*glance.gaps, *gaps.get(glance.model, ()))))


def _state(glance: Glance) -> str:
    if glance.in_sync is False:
        return "OUT OF SYNC"
    if glance.frozen:
        return "FROZEN"
    if glance.production is None and glance.live is None:
        return "NOT LIVE"
    return "IN SYNC" if glance.in_sync else "NOT RECORDED"


def search_results(text: str) -> None:
    """Versions of any model that the text means, and why each was found."""
    try:
        found = services.find_versions(text)
    except ModelDeskError as error:
        show_failure(error)
        return
    rows = [
        {
            "Model": item.entry.version.model,
            "Version": said(item.entry.version.version),
            "Found by": item.because,
            "Live in": ", ".join(item.live_in) or MISSING,
            "Run": item.entry.run.name if item.entry.run else MISSING,
            "Data": short_hash(item.entry.run.data_hash) if item.entry.run else MISSING,
            "Commit": short_hash(item.entry.run.git_commit) if item.entry.run else MISSING,
            "Registered": moment(item.entry.version.created_at),
        }
        for item in found
    ]
    st.caption(f"{len(rows)} version{'s' if len(rows) > 1 else ''} found")
    choice = st.dataframe(rows, hide_index=True, on_select="rerun", selection_mode="single-row", key="found")
    chosen = found[choice.selection.rows[0]] if choice.selection.rows else found[0]
    version = chosen.entry.version
    st.page_link(
        "app_pages/version.py",
        label=f"Open {version.model} v{version.version}",
        icon=":material/article:",
        query_params={"model": version.model, "version": str(version.version)},
    )


def live_on(day: date, models: tuple[str, ...]) -> None:
    """What the ledger says was live at the end of a day, and who had signed for it."""
    at = datetime.combine(day, time.max, UTC)
    rows = [
        {
            "Model": model,
            "Environment": was.environment,
            "Live": said(was.service.version),
            "Since": moment(was.service.since),
            "By": was.service.by.printed_name,
            "Approved by": ", ".join(was.approved_by) or "no approval was required then",
        }
        for model in models
        for was in services.as_of(model, at)
        if was.service
    ]
    st.markdown(f"**Live on {day}** (end of the day, UTC), by the ledger")
    if rows:
        st.table(rows, border="horizontal", hide_index=True)
    else:
        st.caption("The ledger knows of nothing that was live then.")
