"""The parts of the Audit page: the chain and its check, access review, coverage, events."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.access import Action, Actor, decide
from core.audit.access_review import ACTIONS, Access
from core.audit.coverage import Recorded
from core.compare.export import to_csv
from core.errors import ModelDeskError
from core.ledger.types import Head, Verification
from dashboard import services
from dashboard.palette import MISSING, duration, mark, moment, short_hash
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state
from dashboard.parts.records import record_table
from dashboard.services import audit

_OUTCOME = "chain_checked"
_EVENTS = 200


def chain_card(head: Head, actor: Actor) -> None:
    """How long the chain is, the button that checks it, and what the last check in this session found."""
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            st.markdown(f"## {head.events:,} events")
            newest = audit.newest_events(1)
            st.caption(
                f"The last one {moment(newest[0].at)}, head `{short_hash(head.hash, 12)}`. "
                "Each carries the hash of the one before."
                if newest
                else "Nothing was decided yet: the chain begins with the first decision."
            )
            with st.container(horizontal=True):
                st.button(
                    "Verify the chain",
                    type="primary",
                    icon=":material/policy:",
                    disabled=not head.events,
                    on_click=_check,
                    help="Recomputes every hash, every link, and the state that pages read.",
                )
                st.download_button(
                    "Download anchor",
                    audit.anchor_file(),
                    "anchor.json",
                    "application/json",
                    icon=":material/anchor:",
                    disabled=not head.events,
                    on_click="ignore",
                    help="Count and head hash. Keep it where the ledger's keeper cannot reach it: only it shows "
                    "a cut tail or a chain that was built anew.",
                )
                _log_download(actor, head)
        right.file_uploader(
            "Anchor file to check against (optional)",
            type="json",
            max_upload_size=1,
            key="anchor",
            help="From `audit anchor`; the chain is checked against it as soon as it is here.",
            # Its name shows before it has arrived: who clicks at once would be told that no anchor was given.
            on_change=_check,
        )
        _show_outcome()


def _log_download(actor: Actor, head: Head) -> None:
    allowed = decide(services.workspace().settings, actor, Action.EXPORT)
    st.download_button(
        "Download audit log",
        audit.audit_log(actor),
        "audit-log.jsonl",
        "application/jsonl",
        icon=":material/download:",
        disabled=not (allowed.allowed and head.events),
        help="Every event as it is stored, one JSON line each; `audit verify --export FILE` checks it anywhere. "
        "The export is recorded."
        if allowed.allowed
        else allowed.reason,
    )


def _check() -> None:
    uploaded = st.session_state.get("anchor")
    try:
        kept = (uploaded.name, uploaded.getvalue()) if uploaded else None
        st.session_state[_OUTCOME] = audit.verify_chain(kept)
    except ModelDeskError as error:
        st.session_state[_OUTCOME] = error


def _show_outcome() -> None:
    outcome = st.session_state.get(_OUTCOME)
    if outcome is None:
        return
    if isinstance(outcome, ModelDeskError):
        show_failure(outcome)
        return
    found, seconds = outcome
    _show_verification(found, seconds)


def _show_verification(found: Verification, seconds: float) -> None:
    if found.ok:
        st.success(f"{found.sentence} Checked in {duration(seconds)}.", icon=":material/verified:")
    else:
        st.error(f"**{found.sentence}**", icon=":material/gpp_bad:")
        st.dataframe(
            [{"Event": p.seq, "What": str(p.kind), "Detail": p.detail} for p in found.problems],
            hide_index=True,
        )
    for notice in found.notices[:5]:
        st.caption(f":material/info: {notice}")


def access_tab() -> None:
    """Who may approve, promote and roll back, per model and environment, and when each last did."""
    rows = audit.access_review()
    if not rows:
        empty_state(
            "Nothing to list yet",
            "Rights are listed for each registered model. Roles are granted in modeldesk.toml under [access].",
        )
        return
    models = sorted({row.model for row in rows})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox("Model", ["", *models], format_func=lambda name: name or "All models", key="model",
                             bind="query-params", width=280)  # fmt: skip
        st.download_button(
            "CSV",
            _as_csv(rows),
            "access-review.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    st.dataframe(
        [_access_row(row) for row in rows if model in ("", row.model)],
        hide_index=True,
        alt="Who may approve, promote and roll back, per model and environment",
        column_config={name.capitalize(): st.column_config.TextColumn(width=95) for name in ACTIONS}
        | {"Look at": st.column_config.TextColumn(width=240)},
    )
    st.caption(
        "● may, with the day (UTC) of the last use; ○ may not, with the day of a last use. Rights are those of the "
        "settings now, deputies included."
    )


def _access_row(row: Access) -> dict[str, object]:
    return {
        "Model": row.model,
        "Environment": row.environment,
        "Person": row.person.printed_name,
        **{name.capitalize(): _right(row, name) for name in ACTIONS},
        "Look at": row.note or MISSING,
    }


def _right(row: Access, name: str) -> str:
    at = row.last_used.get(name)
    if row.rights[name]:
        return f"● {at:%Y-%m-%d}" if at else "● may"
    return f"○ {at:%Y-%m-%d}" if at else "○ may not"


def _as_csv(rows: Sequence[Access]) -> str:
    facts = [row.as_dict() for row in rows]
    return to_csv(list(facts[0]), [list(fact.values()) for fact in facts])


def coverage_tab() -> None:
    """What the ledger records, notices, and cannot see."""
    gaps_first = sorted(audit.coverage(), key=lambda line: line.recorded is Recorded.YES)
    st.table(
        [
            {"Action": line.action, "In the ledger": mark(line.recorded).text, "What exactly": line.how}
            for line in gaps_first
        ],
        border="horizontal",
        hide_index=True,
    )


def events_tab() -> None:
    """The last events of all models or of one, which may be gone from the registry."""
    model = st.selectbox(
        "Model",
        audit.models_on_record(),
        index=None,
        placeholder="All models",
        key="about",
        bind="query-params",
        width=280,
    )
    records = audit.newest_events(_EVENTS, model)
    if not records:
        empty_state("No event", "Nothing was decided yet.")
        return
    record_table(records, of_one_model=model is not None)
    if len(records) == _EVENTS:
        st.caption(f"The newest {_EVENTS}; `audit export` gives all of them.")
