"""All models at a glance, what any search text means, and what was live on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import streamlit as st

from core.attention import Glance
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, ago, mark, moment, short_hash
from dashboard.parts.failure import show_failure
from dashboard.parts.release import said
from dashboard.parts.text import literal


def model_table(glances: tuple[Glance, ...], key: str) -> str | None:
    """One row a model: what is live, since when, by whom, and what is missing; gives back the selected one.

    A click on the model's name is told by :func:`opened_model` in the run that follows.
    """
    gaps, now = services.live_gaps(), datetime.now(UTC)
    rows = [
        {
            "Model": glance.model,
            "State": mark(_state(glance)).text,
            "Live": said(glance.live.version if glance.live else glance.production),
            "Since (UTC)": moment(glance.live.since).removesuffix(" UTC") if glance.live else MISSING,
            "For": ago(glance.live.since, now).removesuffix(" ago") if glance.live else MISSING,
            "By": glance.live.by.printed_name if glance.live else MISSING,
            "Challenger": said(glance.challenger),
            "Requests": glance.requests,
            "Missing": ", ".join((*glance.gaps, *gaps.get(glance.model, ()))) or "nothing",
        }
        for glance in glances
    ]
    choice = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt="Models: what is live, since when, and what is missing",
        column_config={
            "Model": st.column_config.ButtonColumn(
                pinned=True,
                type="tertiary",
                alignment="left",
                key=f"{key} opened",
                help="A click shows its versions.",
            ),
            "Challenger": st.column_config.TextColumn(help="the version in staging"),
            "Requests": st.column_config.NumberColumn(help="open requests for a release"),
            "Missing": st.column_config.TextColumn(
                help="of what is live: a recorded decision, a monitor, an approval, a lineage that names code and data"
            ),
        },
    )
    return glances[choice.selection.rows[0]].model if choice.selection.rows else None


def opened_model(key: str) -> str | None:
    """The model whose name was just clicked in the table of this key."""
    clicked = st.session_state.get(f"{key} opened")
    return clicked["label"] if clicked else None


def untold_answers(glances: tuple[Glance, ...]) -> None:
    """Which questions of the model inventory nobody answered, and the tags that answer them."""
    untold = sum(len(glance.untold) for glance in glances)
    if not untold:
        return
    st.caption(
        f":material/assignment: {untold} answer{'s' if untold > 1 else ''} of the model inventory "
        f"{'are' if untold > 1 else 'is'} missing: "
        + "; ".join(f"{literal(one.model)} lacks {', '.join(one.untold)}" for one in glances if one.untold)
        + ". Tags of the model in MLflow give them: "
        + ", ".join(f"`{tag}`" for tag in services.inventory_tags())
        + "."
    )


def _state(glance: Glance) -> str:
    """The worst that can be said of what is live, in one word."""
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
