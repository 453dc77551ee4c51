"""What the Request and Requests pages read, and the answers they write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.compare.types import Verdict
    from core.deploy.serialization import Findings
    from core.ledger.events import RequestOpened
    from core.ledger.state import Deputy, Request
    from core.ledger.types import Record
    from core.registry.dossier import Dossier, Outlook
    from core.registry.queue import Queued
    from core.registry.requests import Judgement
    from core.registry.signing import SigningSession


T = TypeVar("T")


def queue(actor: Actor) -> tuple[Queued, ...]:
    """Every request as the actor sees it: open ones oldest first, then those that are done."""
    return _queue(workspace(), actor)


@st.cache_data(ttl=10, max_entries=32, show_spinner="Reading requests…", hash_funcs={Workspace: id})
def _queue(ws: Workspace, actor: Actor) -> tuple[Queued, ...]:
    from core.registry.queue import queue

    return queue(ws, actor)


def dossier(request_id: str, actor: Actor) -> Dossier:
    """One request with its evidence, never older than this run. Raises NotFound."""
    from core.registry.dossier import dossier

    return dossier(workspace(), request_id, actor)


def against_champion(request_id: str) -> tuple[Verdict, ...] | str:
    """The candidate against what was live when it was requested; or why not."""
    return _against_champion(workspace(), request_id)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _against_champion(ws: Workspace, request_id: str) -> tuple[Verdict, ...] | str:
    from core.registry.dossier import against_champion

    return against_champion(ws, request_id)


def outlook(model: str, version: int) -> Outlook:
    """A version judged now for production, before anybody asks. Raises NotFound and Unavailable."""
    return _outlook(workspace(), model, version)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _outlook(ws: Workspace, model: str, version: int) -> Outlook:
    from core.registry.dossier import outlook

    return outlook(ws, model, version, "production")


def newest_request(model: str, version: int, environment: str) -> Judgement | None:
    """The latest request for a version, judged now; None when nobody has asked."""
    from core.registry.requests import judged_or_open, newest_request

    found = newest_request(workspace(), model, version, environment)
    return judged_or_open(workspace(), found) if found else None


def open_request(model: str, version: int, environment: str, actor: Actor, reason: str) -> Judgement:
    """Ask that a version may go live."""
    from core.registry import approvals

    return _written(approvals.open_request(workspace(), model, version, environment, actor, reason))


def is_enrolled(actor: Actor) -> bool:
    """Whether the actor has a passphrase to sign with."""
    from core.registry.signing import is_enrolled

    return is_enrolled(workspace(), actor.name)


def enrol(actor: Actor, passphrase: str, current: str | None = None) -> None:
    """Set or change the actor's passphrase."""
    from core.registry import signing

    signing.enrol(workspace(), actor, passphrase, current)


def signing_session(actor: Actor, passphrase: str | None, session: SigningSession | None) -> SigningSession:
    """The session at hand while it holds, else a new one by passphrase. Raises Refused."""
    from core.registry import signing

    ws = workspace()
    if session is not None and session.holds(actor, ws.ledger.now()):
        return signing.renewed(ws, session)
    return signing.open_session(ws, actor, passphrase or "")


def session_holds(actor: Actor, session: SigningSession | None) -> bool:
    """Whether the actor may sign without giving the passphrase again."""
    return session is not None and session.holds(actor, workspace().ledger.now())


def code_of(opened: RequestOpened) -> Findings | ModelDeskError:
    """What loading the request's files would run, or why that cannot be told; looked at once for the same files."""
    return _code_of(
        workspace(), opened.model, opened.version, opened.environment, opened.evidence.get("files", "")
    )


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _code_of(
    ws: Workspace, model: str, version: int, environment: str, _files: str
) -> Findings | ModelDeskError:
    from core.deploy.code import code_of

    try:
        return code_of(ws, model, version, environment)
    except ModelDeskError as error:
        return error


def allowed_code(request: Request) -> frozenset[str]:
    """What of it the signatures allow."""
    from core.registry.requests import allowed_code

    return allowed_code(request)


def approve(
    request_id: str, actor: Actor, meaning: str, session: SigningSession, allows_code: Sequence[str]
) -> Judgement:
    """Sign a request within a signing session; ``allows_code`` names what loading its files may run."""
    from core.registry import approvals

    return _written(
        approvals.approve(workspace(), request_id, actor, meaning, session=session, allows_code=allows_code)
    )


def reject(request_id: str, actor: Actor, reason: str, session: SigningSession) -> Judgement:
    """Say no, signed."""
    from core.registry import approvals

    return _written(approvals.reject(workspace(), request_id, actor, reason, session=session))


def request_changes(request_id: str, actor: Actor, reason: str, about: Sequence[str]) -> Judgement:
    """Ask for something else before deciding."""
    from core.registry import approvals

    return _written(approvals.request_changes(workspace(), request_id, actor, reason, about))


def withdraw(request_id: str, actor: Actor, reason: str) -> Judgement:
    """Take a request back."""
    from core.registry import approvals

    return _written(approvals.withdraw(workspace(), request_id, actor, reason))


def override_gate(request_id: str, gate: str, actor: Actor, reason: str) -> Judgement:
    """Accept an inconclusive gate, with a reason."""
    from core.registry import approvals

    return _written(approvals.override_gate(workspace(), request_id, gate, actor, reason))


def comment(request_id: str, actor: Actor, text: str) -> Judgement:
    """Add a remark."""
    from core.registry import approvals

    return _written(approvals.comment(workspace(), request_id, actor, text))


def deputies() -> tuple[Deputy, ...]:
    """Who stands in for whom now."""
    from core.registry.deputies import deputies

    return deputies(workspace())


def people() -> dict[str, str]:
    """The people of the workspace, name -> what to call them."""
    from core.registry.deputies import known_people

    return known_people(workspace())


def name_deputy(actor: Actor, deputy: str, until: datetime) -> Record:
    """Let somebody approve in the actor's place until a date."""
    from core.registry import deputies

    return _written(deputies.name_deputy(workspace(), actor, deputy, until))


def end_deputy(actor: Actor, deputy: str) -> Record:
    """End it before its date."""
    from core.registry import deputies

    return _written(deputies.end_deputy(workspace(), actor, deputy))


def reviews_due() -> tuple[Record, ...]:
    """Rollbacks that nobody has looked at yet."""
    from core.registry.reviews import reviews_due

    return reviews_due(workspace())


def review(operation_id: str, actor: Actor, finding: str) -> Record:
    """Record what was found about a rollback."""
    from core.registry import reviews

    return _written(reviews.review(workspace(), operation_id, actor, finding))


def _written(outcome: T) -> T:
    forget()
    return outcome
