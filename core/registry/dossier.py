"""Everything that a decision about a request rests on, gathered for one screen or one command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.access import Action, Actor, decide
from core.errors import ModelDeskError, Refused, Unavailable
from core.registry.four_eyes import refusal_to_sign
from core.registry.requests import (
    APPROVED,
    CHANGES,
    OPEN,
    Judgement,
    can_be_accepted,
    champion_seen,
    find_request,
    gate_results,
    judged_or_open,
    newest_request,
    unaccepted_failure,
)

if TYPE_CHECKING:
    from core.compare.types import Verdict
    from core.ledger.types import Record
    from core.registry.catalogue import Entry
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLine:
    """One gate as it was judged; ``overridden_by`` names who accepted it although inconclusive, and why."""

    name: str
    verdict: str
    value: float | None
    threshold: float | None
    reason: str
    overridden_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Why the actor cannot do something with the request; None where they can."""

    approve: ModelDeskError | None
    answer: ModelDeskError | None
    withdraw: ModelDeskError | None
    override: ModelDeskError | None
    comment: ModelDeskError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A request with its evidence; ``history`` is oldest first, ``entry`` None when the version is gone."""

    judgement: Judgement
    rights: Rights
    entry: Entry | None
    gates: tuple[GateLine, ...]
    history: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A version judged now, before anybody asks; a text says why there is nothing to show."""

    champion: int | None
    verdicts: tuple[Verdict, ...] | str
    gates: tuple[GateLine, ...] | str


def dossier(ws: Workspace, request_id: str, actor: Actor) -> Dossier:
    """The request as ``actor`` sees it. Raises NotFound for an unknown request."""
    from core.registry.catalogue import entry

    request = find_request(ws, request_id)
    found = judged_or_open(ws, request)
    opened = request.opened
    try:
        version = entry(ws, opened.model, opened.version)
    except ModelDeskError:
        version = None
    records = ws.ledger.records(model=opened.model)
    return Dossier(
        judgement=found,
        rights=_rights(ws, found, actor),
        entry=version,
        gates=gate_lines(found),
        history=tuple(
            item
            for item in records
            if request_id in (item.payload.get("request_id"), item.payload.get("name"))
        ),
    )


def against_champion(ws: Workspace, request_id: str) -> tuple[Verdict, ...] | str:
    """The candidate against what was live when it was requested, by paired test rows; or why not."""
    opened = find_request(ws, request_id).opened
    return _against(ws, opened.model, opened.version, opened.champion, opened.environment)


def outlook(ws: Workspace, model: str, version: int, environment: str) -> Outlook:
    """What a request would say if it were opened now; nothing is recorded. Raises NotFound and Unavailable."""
    champion = champion_seen(ws, ws.ledger.state(), model, version, environment)
    return Outlook(
        champion=champion,
        verdicts=_against(ws, model, version, champion, environment),
        gates=_gates_now(ws, model, version, champion, environment),
    )


def _against(
    ws: Workspace, model: str, version: int, champion: int | None, environment: str
) -> tuple[Verdict, ...] | str:
    from core.compare.engine import compare

    if champion is None:
        return f"Nothing of {model} was live in {environment}, so there is nothing to compare with."
    if champion == version:
        return "This version is live already."
    try:
        return compare(ws, [f"version:{model}/{version}"], f"version:{model}/{champion}").verdicts
    except ModelDeskError as error:
        return error.what


def _gates_now(
    ws: Workspace, model: str, version: int, champion: int | None, environment: str
) -> tuple[GateLine, ...] | str:
    """The gates on a candidate; of what is live those it was released with, for it is its own champion now."""
    from core.registry.gates import evaluate_version
    from core.registry.policy import policy_of

    if champion == version:
        request = newest_request(ws, model, version, environment)
        return gate_lines(judged_or_open(ws, request)) if request else "It went live without a request."
    try:
        policy = policy_of(ws)
        tier = policy.tier(model, environment) if policy else None
        if tier is None:
            return f"No policy rules {environment}, so nothing is checked."
        results = evaluate_version(ws, tier, model, version, champion)
    except ModelDeskError as error:
        return error.what
    return tuple(
        GateLine(
            name=result.name,
            verdict=str(result.verdict),
            value=result.value,
            threshold=result.threshold,
            reason=result.reason,
        )
        for result in results
    )


def gate_lines(found: Judgement) -> tuple[GateLine, ...]:
    """The gates of a request with the overrides that count."""
    digest = found.request.opened.digest
    accepted = {
        event.gate: f"{actor.printed_name}: {event.reason}"
        for actor, event in found.request.overrides
        if event.digest == digest
    }
    return tuple(
        GateLine(
            name=gate["name"],
            verdict=str(gate["verdict"]),
            value=gate["value"],
            threshold=gate["threshold"],
            reason=gate["reason"],
            overridden_by=accepted.get(gate["name"], ""),
        )
        for gate in gate_results(found.request)
    )


def _rights(ws: Workspace, found: Judgement, actor: Actor) -> Rights:
    request, opened = found.request, found.request.opened
    place = (opened.model, opened.environment)
    over = _over(found)
    answer = None if found.state in (OPEN, CHANGES, APPROVED) else over
    four_eyes = refusal_to_sign(ws, request, actor)
    sign = answer or _failed(found) or four_eyes or _unjudged(found)
    signed = any(item.by.name == actor.name for item in request.signatures)
    admin = decide(ws.settings, actor, Action.CHANGE_SETTINGS, *place).allowed
    mine = None
    if actor.name != request.by.name and not admin:
        mine = Refused(f"Only {request.by.printed_name} or an admin can withdraw it.")
    return Rights(
        approve=sign,
        answer=answer or (None if signed else four_eyes),
        withdraw=_used(found) or mine or _lacks(ws, actor, Action.REQUEST, place),
        override=answer or (None if signed else four_eyes) or _lacks(ws, actor, Action.OVERRIDE_GATE, place),
        comment=_lacks(ws, actor, Action.COMMENT, place),
    )


def _unjudged(found: Judgement) -> Unavailable | None:
    if not found.unjudged:
        return None
    return Unavailable("It cannot be approved before it can be judged.", "Try again when MLflow answers.")


def _lacks(ws: Workspace, actor: Actor, action: Action, place: tuple[str, str]) -> Refused | None:
    decision = decide(ws.settings, actor, action, *place)
    return None if decision.allowed else Refused(decision.reason)


def _used(found: Judgement) -> Refused | None:
    closed = found.request.used_by or found.request.closed
    return Refused("It is closed already.") if closed else None


def _over(found: Judgement) -> Refused:
    state = "used for a release" if found.request.used_by else found.state
    return Refused(f"This request is {state}: it cannot be answered any more.", "Request a new approval.")


def _failed(found: Judgement) -> Refused | None:
    failed = unaccepted_failure(found.request)
    if failed is None:
        return None
    if can_be_accepted(failed["name"], failed["verdict"]):
        return Refused(
            f"Gate '{failed['name']}' failed: it has to be accepted, with a reason, before anybody can approve.",
            "Accept the check, ask for changes, or reject it.",
        )
    return Refused(
        f"Gate '{failed['name']}' failed, and a failed gate cannot be approved.",
        "Ask for changes, or reject it.",
    )
