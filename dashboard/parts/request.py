"""A request on one screen: what it would change, the checks, the decision so far, and where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from core.errors import ModelDeskError
from core.registry.dossier import Dossier
from core.registry.queue import Queued, Turn
from core.registry.requests import Judgement
from core.registry.words import sentence
from dashboard.palette import MISSING, ago, duration, mark, moment, short_hash
from dashboard.parts.answers import (
    APPROVE,
    CHANGES,
    COMMENT,
    OVERRIDE,
    REJECT,
    WITHDRAW,
    overridable,
)
from dashboard.parts.confirm import ask
from dashboard.parts.marks import request_word, status_badge
from dashboard.parts.text import literal, plain
from dashboard.services import requests

SHOWN_REASON = 240  # characters: six lines beside the evidence


def headline(found: Dossier, now: datetime) -> str:
    """``asked by ... 2 days ago · expires in 12 days · tier high, policy version 1 · 1 of 2 approvals``."""
    request = found.judgement.request
    opened = request.opened
    left = (opened.expires_at - now).total_seconds()
    expiry = f"expires in {duration(left)}" if left > 0 else f"expired {ago(opened.expires_at, now)}"
    parts = [f"asked by {literal(request.by.printed_name)} {ago(request.at, now)}"]
    if not (request.closed or request.used_by):
        parts.append(expiry)
    if opened.tier:
        parts.append(f"tier {literal(opened.tier)}, policy version {opened.policy_version}")
    else:
        parts.append("no policy rules this environment")
    missing = f", {literal(', '.join(found.judgement.missing))} missing" if found.judgement.missing else ""
    parts.append(f"{found.judgement.has} of {found.judgement.needs} approvals{missing}")
    return " · ".join(parts)


def decision_card(found: Dossier) -> None:
    """The requester's reason beside the buttons; what cannot be done is disabled and says why."""
    request, rights = found.judgement.request, found.rights
    _reason(request.by.printed_name, request.opened.reason)
    closed = bool(request.closed or request.used_by)
    unjudged_notice(found.judgement)
    if found.judgement.state in ("stale", "expired", "changes requested"):
        st.markdown(f":orange[:material/history: {literal('; '.join(found.judgement.reasons), 400)}]")
    if closed:
        st.caption(literal("; ".join(found.judgement.reasons)))
    else:
        with st.container(horizontal=True, gap="small"):
            _button("Approve", APPROVE, rights.approve, ":material/verified:", "primary")
            _button("Request changes", CHANGES, rights.answer)
            _button("Reject", REJECT, rights.answer)
        if rights.approve:
            st.caption(f":material/block: {literal(str(rights.approve))}")
        with st.container(horizontal=True, gap="small"):
            if overridable(found):
                _button("Accept a check", OVERRIDE, rights.override, ":material/rule:", "tertiary")
            _button("Withdraw", WITHDRAW, rights.withdraw, ":material/undo:", "tertiary")


def unjudged_notice(found: Judgement) -> None:
    """Said where an open request is shown as open because MLflow could not be asked."""
    if found.unjudged and not found.request.closed:
        st.warning(
            f"{literal(found.unjudged)} Whether it is stale cannot be told now.", icon=":material/cloud_off:"
        )


def _reason(name: str, reason: str) -> None:
    """Who asks and why; a long reason is cut, so that the buttons stay in sight, and read in full on demand."""
    st.markdown(f"**{literal(name)}:** “{literal(reason, SHOWN_REASON)}”")
    if len(reason) > SHOWN_REASON:
        with st.popover("Read the whole reason", type="tertiary", icon=":material/notes:"):
            st.markdown(plain(reason))


def _button(
    label: str,
    dialog: str,
    refusal: ModelDeskError | None,
    icon: str | None = None,
    kind: Literal["primary", "secondary", "tertiary"] = "secondary",
) -> None:
    st.button(
        label,
        key=f"open_{dialog.replace(' ', '_')}",
        icon=icon,
        type=kind,
        disabled=refusal is not None,
        help=str(refusal) if refusal else None,
        on_click=ask,
        args=(dialog, None),
    )


def signatures(found: Dossier) -> None:
    """Printed name, time and meaning of every signature, and whether it still counts."""
    request = found.judgement.request
    if not request.signatures:
        st.caption("Nobody has signed yet.")
    for item in request.signatures:
        stale = found.judgement.state == "stale" or item.event.digest != request.opened.digest
        shown = mark("STALE" if stale else "APPROVED")
        proof = "passphrase checked" if item.event.authenticated else "local mode, no passphrase"
        deputy = f", for {literal(item.event.deputy_for)}" if item.event.deputy_for else ""
        deputy += f" ({literal(', '.join(item.event.groups))})" if item.event.groups else ""
        st.markdown(
            f":small[:{shown.color}[{shown.icon} {shown.word}] **{literal(item.event.printed_name)}**{deputy} · "
            f"{moment(item.at)} · “{literal(item.event.meaning)}” · {proof}]"
        )


def code_facts(found: Dossier) -> None:
    """What loading the version's files would run, each name with whether the signatures allow it; nothing for none."""
    request = found.judgement.request
    told = requests.code_of(request.opened)
    if isinstance(told, ModelDeskError):
        st.caption(f"What loading the files would run is not known: {literal(told.what)}")
        return
    if not told.runs_code:
        return
    allowed = requests.allowed_code(request)
    shown = mark("APPROVED" if allowed.issuperset(told.names) else "FAIL")
    word = "allowed by the approval" if allowed.issuperset(told.names) else "not allowed so far"
    with st.container(border=True, gap="xsmall", key="code"):
        st.markdown(f"**Loading it runs code** :{shown.color}[{shown.icon} {word}]")
        st.caption(
            "Whoever trained it chose what runs. It is served only when an approval names all of this:"
        )
        st.markdown(" ".join(f"`{name}`" for name in told.names))


def lineage_facts(found: Dossier) -> None:
    """Where the version comes from, in six short facts; what the request is bound to is told without MLflow too."""
    opened, run = found.judgement.request.opened, found.entry.run if found.entry else None
    unread = "not read" if found.judgement.unjudged else "gone"
    data = opened.evidence.get("data_hash")
    facts = {
        "Run": literal(run.name) if run else unread,
        "Trained by": literal(opened.run_author) or MISSING,
        "Commit": _hash_or(run.git_commit, "not recorded") if run else unread,
        "Training data": _hash_or(data, "not recorded"),
        "DVC stage": literal(run.tags.get("dvc.stage", "")) or MISSING if run else unread,
        "Files": _hash_or(opened.evidence.get("files"), MISSING),
    }
    st.markdown(f":small[{' · '.join(f':gray[{name}] {value}' for name, value in facts.items())}]")


def _hash_or(value: str | None, otherwise: str) -> str:
    return f"`{short_hash(value, 9)}`" if value else otherwise


def history(found: Dossier) -> None:
    """What happened to the request, newest first, and a word to add."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**History and comments**", width="content")
        _button("Comment", COMMENT, found.rights.comment, ":material/comment:", "tertiary")
    for record in reversed(found.history):
        said = f" “{literal(record.reason)}”" if record.reason and record.kind != "request_opened" else ""
        st.markdown(
            f":small[**{literal(sentence(record))}** · {literal(record.actor.printed_name)} · "
            f"{moment(record.at)}{said}]"
        )


def request_row(item: Queued, now: datetime) -> None:
    """One request: what, how old, how long it still counts, and one line of what it would change."""
    opened, found = item.request.opened, item.judgement
    with st.container(border=True, gap="xsmall", key=f"row_{item.request.request_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            status_badge(request_word(found))
            st.page_link(
                "app_pages/request.py",
                label=f"**{literal(opened.model, 60)} v{opened.version}** to {opened.environment}",
                icon=":material/article:",
                query_params={"id": item.request.request_id},
            )
            st.caption(f"by {literal(item.request.by.printed_name)} {ago(item.request.at, now)}")
            if item.turn is not Turn.DONE:
                left = (opened.expires_at - now).total_seconds()
                st.caption(
                    f"expires in {duration(left)}" if left > 0 else f"expired {ago(opened.expires_at, now)}"
                )
        checks = ", ".join(f"{count} {verdict}" for verdict, count in item.verdicts.items()) or "no checks"
        waits = f"waits for {literal(item.next_step)} · " if item.next_step else ""
        delta = f"{literal(item.delta)} · " if item.delta else ""
        st.caption(f"{waits}{delta}{checks} · {found.has} of {found.needs} approvals")


def now() -> datetime:
    """The moment that ages are told from."""
    return datetime.now(UTC)
