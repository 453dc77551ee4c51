"""Asking for a release and answering: every write checks rights, four eyes and the digest, and is recorded.

The writes take the model's lock, the same as promotions do: a release never overtakes a rejection.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.access import Action, Actor, decide, require
from core.errors import BadInput, Conflict, Refused
from core.experiments.told import told_metrics
from core.ledger import events as ev
from core.ledger.canonical import digest
from core.registry.four_eyes import check_four_eyes, may_answer, refusal_to_sign
from core.registry.gatekeeper import check_not_archived
from core.registry.gates import evaluate_version
from core.registry.policy import policy_of, version_for_request
from core.registry.quorum import groups_of
from core.registry.requests import (
    APPROVED,
    CHANGES,
    EXPIRED,
    OPEN,
    Judgement,
    can_be_accepted,
    find_request,
    gate_results,
    judge,
    judged_facts,
    judged_or_open,
    newest_request,
    unaccepted_failure,
)
from core.registry.signing import authenticate

if TYPE_CHECKING:
    from core.ledger.state import Request
    from core.registry.policy import Tier
    from core.registry.signing import SigningSession
    from core.workspace import Workspace

DEFAULT_MEANING = "I approve release to {environment}"
_WITHOUT_POLICY = timedelta(days=14)


def open_request(
    ws: Workspace, model: str, version: int, environment: str, actor: Actor, reason: str
) -> Judgement:
    """Ask that a version may go live; asking again gives the open request back.

    The gates of the model's tier are evaluated and recorded with it. Raises Refused without the right or when
    the policy text is not published, BadInput without a reason, NotFound, BadSettings, Unavailable.
    """
    require(ws.settings, actor, Action.REQUEST, model, environment)
    _needed(reason, "A request needs a reason.", "Say what gets better for whom.")
    policy = policy_of(ws)
    tier = policy.tier(model, environment) if policy else None
    number = version_for_request(ws, policy, actor) if policy else None
    with ws.ledger.exclusive(f"alias {model}"):
        check_not_archived(ws.ledger.state(), model, version)
        facts = judged_facts(ws, model, version, environment, policy, number)
        earlier = newest_request(ws, model, version, environment)
        if earlier is not None:
            found = judge(ws, earlier)
            if found.state in (OPEN, CHANGES) or found.usable:
                return found
        event = _opening(ws, tier, number, facts, reason)
        if earlier is not None and not earlier.closed:
            _close_earlier(ws, earlier, actor, event.request_id)
        ws.ledger.append(event, actor)
        return judged_or_open(ws, find_request(ws, event.request_id), thorough=True)


def approve(
    ws: Workspace,
    request_id: str,
    actor: Actor,
    meaning: str = "",
    passphrase: str | None = None,
    *,
    session: SigningSession | None = None,
    allows_code: Sequence[str] = (),
) -> Judgement:
    """Sign the request, by passphrase or within the actor's signing session.

    ``allows_code`` names what loading the files may run (core.deploy.code finds it out).
    Raises Refused (no right, four eyes, a failed gate, the passphrase) and Conflict.
    """
    with _open(ws, request_id) as request:
        opened = request.opened
        if refusal := refusal_to_sign(ws, request, actor):
            raise refusal
        deputy_for = may_answer(ws, request, actor)
        if allows_code:
            require(ws.settings, actor, Action.OVERRIDE_GATE, opened.model, opened.environment)
        if failed := unaccepted_failure(request):
            accepted = can_be_accepted(failed["name"], failed["verdict"])
            raise Refused(
                f"Gate '{failed['name']}' failed: {failed['reason']}.",
                "Accept that data have changed, with a reason (`approval override`), or reject the request."
                if accepted
                else "A failed gate cannot be approved: reject the request, or ask for changes.",
            )
        event = ev.ApprovalSigned(
            **_place(request),
            version=opened.version,
            digest=opened.digest,
            printed_name=actor.printed_name,
            meaning=meaning.strip() or DEFAULT_MEANING.format(environment=opened.environment),
            authenticated=authenticate(ws, actor, passphrase, session),
            deputy_for=deputy_for,
            groups=groups_of(ws.settings, deputy_for or actor.name),
            allows_code=tuple(allows_code),
        )
        ws.ledger.append(event, actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def reject(
    ws: Workspace,
    request_id: str,
    actor: Actor,
    reason: str,
    passphrase: str | None = None,
    *,
    session: SigningSession | None = None,
) -> Judgement:
    """Say no; the request is closed. Raises as :func:`approve` does."""
    _needed(reason, "A rejection needs a reason.", "The requester will read it.")
    with _unused(ws, request_id) as request:
        may_answer(ws, request, actor)
        event = ev.RequestRejected(
            **_place(request),
            reason=reason,
            printed_name=actor.printed_name,
            authenticated=authenticate(ws, actor, passphrase, session),
        )
        ws.ledger.append(event, actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def request_changes(
    ws: Workspace, request_id: str, actor: Actor, reason: str, about: Sequence[str] = ()
) -> Judgement:
    """Ask for something else before deciding; the request does not suffice until somebody approves after.

    ``about`` names gates of the request that are concerned; the requester is told. Raises BadInput for others.
    """
    _needed(reason, "Say what should change.", "The requester will read it.")
    with _open(ws, request_id) as request:
        may_answer(ws, request, actor)
        known = {gate["name"] for gate in gate_results(request)}
        if unknown := [name for name in about if name not in known]:
            raise BadInput(
                f"'{unknown[0]}' is no gate of this request.",
                f"Its gates: {', '.join(sorted(known)) or '-'}.",
            )
        event = ev.ChangesRequested(
            **_place(request), reason=reason, about=tuple(about), addressed_to=request.by.printed_name
        )
        ws.ledger.append(event, actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def withdraw(ws: Workspace, request_id: str, actor: Actor, reason: str = "") -> Judgement:
    """Take the request back: the requester, or an admin. Raises Refused and Conflict."""
    with _unused(ws, request_id) as request:
        opened = request.opened
        admin = decide(ws.settings, actor, Action.CHANGE_SETTINGS, opened.model, opened.environment).allowed
        if actor.name != request.by.name and not admin:
            raise Refused(
                f"Only {request.by.printed_name} or an admin can withdraw this request.", "Reject it instead."
            )
        require(ws.settings, actor, Action.REQUEST, opened.model, opened.environment)
        ws.ledger.append(ev.RequestWithdrawn(**_place(request), reason=reason), actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def comment(ws: Workspace, request_id: str, actor: Actor, text: str) -> Judgement:
    """Add a remark to a request, whatever its state. Raises Refused without the right, BadInput, NotFound."""
    _needed(text, "A comment needs words.", "Say what the others should know.")
    request = find_request(ws, request_id)
    require(ws.settings, actor, Action.COMMENT, request.opened.model, request.opened.environment)
    ws.ledger.append(ev.Commented(**_place(request), reason=text), actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def override_gate(ws: Workspace, request_id: str, gate: str, actor: Actor, reason: str) -> Judgement:
    """Accept a gate by name, with a reason: an inconclusive one, or a failed one on drift; no other failed one."""
    _needed(reason, "An override needs a reason.", "An auditor will read it.")
    with _open(ws, request_id) as request:
        opened = request.opened
        require(ws.settings, actor, Action.OVERRIDE_GATE, opened.model, opened.environment)
        check_four_eyes(ws, request, actor.name, actor)
        verdicts = {item["name"]: item["verdict"] for item in gate_results(request)}
        if gate not in verdicts or not can_be_accepted(gate, verdicts[gate]):
            known = ", ".join(name for name, verdict in verdicts.items() if can_be_accepted(name, verdict))
            raise BadInput(
                f"'{gate}' is no inconclusive gate of this request, nor a failed one on drift.",
                f"Those are: {known or '-'}.",
            )
        event = ev.GateOverridden(**_place(request), gate=gate, digest=opened.digest, reason=reason)
        ws.ledger.append(event, actor)
    return judged_or_open(ws, find_request(ws, request_id), thorough=True)


def _opening(
    ws: Workspace, tier: Tier | None, number: int | None, facts: dict[str, Any], reason: str
) -> ev.RequestOpened:
    run_id, results = facts["run_id"], ()
    if tier is not None:
        results = evaluate_version(ws, tier, facts["model"], facts["version"], facts["champion"])
    return ev.RequestOpened(
        model=facts["model"],
        environment=facts["environment"],
        reason=reason,
        request_id=f"req-{uuid.uuid4().hex[:12]}",
        version=facts["version"],
        run_id=run_id,
        run_author=ws.runs.run(run_id).user if run_id else "",
        digest=digest(facts),
        # The digest binds every metric; the record, which leaves the house in exports, tells no small count.
        evidence=facts
        | {"metrics": told_metrics(facts["metrics"]), "gates": [asdict(result) for result in results]},
        policy_version=number,
        tier=tier.name if tier else "",
        needs=tier.approvals if tier else 1,
        groups=dict(tier.groups) if tier else {},
        champion=facts["champion"],
        expires_at=ws.ledger.now() + (tier.expiry if tier else _WITHOUT_POLICY),
    )


def _close_earlier(ws: Workspace, earlier: Request, actor: Actor, successor: str) -> None:
    """What expired or became stale is closed when a new request takes its place."""
    if judge(ws, earlier).state == EXPIRED:
        ws.ledger.append(ev.RequestExpired(**_place(earlier), reason=f"replaced by {successor}"), actor)
        return
    reason = f"what was judged has changed; replaced by {successor}"
    ws.ledger.append(ev.RequestWithdrawn(**_place(earlier), reason=reason), actor)


@contextmanager
def _unused(ws: Workspace, request_id: str) -> Iterator[Request]:
    """The request under the model's lock; raises NotFound, and Conflict when it was answered or used."""
    model = find_request(ws, request_id).opened.model
    with ws.ledger.exclusive(f"alias {model}"):
        request = find_request(ws, request_id)
        if request.closed or request.used_by:
            state = "was used for a release" if request.used_by else f"is {request.closed}"
            raise Conflict(
                f"Request {request_id} {state} by now; nothing was changed.", "Request a new approval."
            )
        yield request


@contextmanager
def _open(ws: Workspace, request_id: str) -> Iterator[Request]:
    """As :func:`_unused`; a stale or expired request raises Conflict too."""
    with _unused(ws, request_id) as request:
        found = judge(ws, request)
        if found.state not in (OPEN, CHANGES, APPROVED):
            raise Conflict(
                f"Request {request_id} is {found.state}: {'; '.join(found.reasons)}.",
                "Request a new approval.",
            )
        yield request


def _place(request: Request) -> dict[str, str]:
    opened = request.opened
    return {
        "model": opened.model,
        "environment": opened.environment,
        "request_id": opened.request_id,
    }


def _needed(reason: str, what: str, way_out: str) -> None:
    if not reason.strip():
        raise BadInput(what, way_out)
