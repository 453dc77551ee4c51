"""Deputies and reviews: the two duties of a lead beside the requests."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from core.access import Action, Actor, decide
from core.errors import ModelDeskError
from core.ledger.types import Record
from core.registry.deputies import LONGEST
from dashboard import services
from dashboard.palette import ago, moment
from dashboard.parts.answers import DONE
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state
from dashboard.parts.marks import status_badge
from dashboard.parts.text import literal
from dashboard.services import requests


def deputies_tab(actor: Actor) -> None:
    """Who stands in for whom, and naming somebody until a date."""
    now = datetime.now(UTC)
    people = requests.people()
    settings = services.workspace().settings
    for item in requests.deputies():
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{literal(people.get(item.deputy, item.deputy))}** approves in place of "
                f"**{literal(people.get(item.principal, item.principal))}** until {moment(item.until)}"
            )
            if item.principal == actor.name:
                st.button(
                    "End it now",
                    key=f"end_{item.deputy}",
                    on_click=_end,
                    args=(actor, item.deputy),
                    type="tertiary",
                )
    if not requests.deputies():
        st.caption("Nobody stands in for anybody now.")
    refusal = decide(settings, actor, Action.NAME_DEPUTY)
    if not refusal.allowed:
        st.caption(literal(refusal.reason))
        return
    others = {name: shown for name, shown in people.items() if name != actor.name}
    if not others:
        empty_state("Nobody to name", "Add people to modeldesk.toml under [[access.users]].")
        return
    with st.form("deputy_form"):
        st.markdown("**Name a deputy** to approve in your place; it ends by itself.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.selectbox(
                "Deputy", list(others), format_func=others.__getitem__, key="deputy", width=260
            )
            until = st.date_input(
                "Until the end of (UTC)",
                (now + timedelta(days=7)).date(),
                min_value=now.date(),
                max_value=(now + LONGEST - timedelta(days=1)).date(),
                key="deputy_until",
                width=190,
                format="YYYY-MM-DD",
            )
            named = st.form_submit_button("Name deputy", type="primary", icon=":material/person_add:")
    if named:
        _name(actor, name, until)


def _name(actor: Actor, name: str, until: date) -> None:
    try:
        requests.name_deputy(actor, name, datetime.combine(until, time.max, UTC))
    except ModelDeskError as error:
        show_failure(error)
        return
    st.session_state[DONE] = f"{requests.people()[name]} may approve in your place until the end of {until}."
    st.rerun()


def _end(actor: Actor, name: str) -> None:
    try:
        requests.end_deputy(actor, name)
    except ModelDeskError as error:
        st.session_state["desk_error"] = error


def reviews_tab(actor: Actor) -> None:
    """Rollbacks that wait for their review, oldest first, each with the form that records it."""
    due = requests.reviews_due()
    if not due:
        st.caption("No rollback waits for a review.")
    for record in due:
        _review(actor, record)


def _review(actor: Actor, record: Record) -> None:
    event, now = record.event, datetime.now(UTC)
    late = event.review_due < now  # type: ignore[attr-defined]
    with st.container(border=True, key=f"review_{event.operation_id}"):  # type: ignore[attr-defined]
        with st.container(horizontal=True, vertical_alignment="center"):
            status_badge("OVERDUE" if late else "PENDING")
            st.markdown(
                f"**{literal(record.model)}** in {literal(record.environment)} was rolled back to "
                f"v{event.to_version} by {literal(record.actor.printed_name)} {ago(record.at, now)}; "  # type: ignore[attr-defined]
                f"review due {moment(event.review_due)}"  # type: ignore[attr-defined]
            )
        st.caption(f"Reason given: {literal(record.reason)}")
        if record.actor.name == actor.name:
            st.caption(":material/block: You did this rollback: somebody else must review it.")
            return
        with st.form(f"review_form_{event.operation_id}", border=False):  # type: ignore[attr-defined]
            finding = st.text_input("What did you find?", max_chars=1000)
            done = st.form_submit_button("Record the review", icon=":material/task_alt:")
        if done:
            try:
                requests.review(event.operation_id, actor, finding)  # type: ignore[attr-defined]
            except ModelDeskError as error:
                show_failure(error)
                return
            st.session_state[DONE] = "The review is recorded. The freeze stays until somebody lifts it."
            st.rerun()
