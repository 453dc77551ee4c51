"""The queue of requests as one person sees it: what waits for me, for others, and what is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from core.access import Action, Actor, decide
from core.errors import ModelDeskError
from core.registry.four_eyes import refusal_to_sign
from core.registry.requests import (
    APPROVED,
    CHANGES,
    EXPIRED,
    STALE,
    Judgement,
    gate_results,
    judged_or_open,
)

if TYPE_CHECKING:
    from core.ledger.state import Request
    from core.workspace import Workspace


class Turn(StrEnum):
    """Whose turn it is with a request."""

    MINE = "waiting for me"
    OTHERS = "waiting for others"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A request in somebody's queue. ``next_step`` says what it waits for; ``delta`` is one metric
    against the champion."""

    judgement: Judgement
    turn: Turn
    next_step: str
    delta: str = ""
    verdicts: Mapping[str, int]

    @property
    def request(self) -> Request:
        """The request itself."""
        return self.judgement.request


def queue(ws: Workspace, actor: Actor, model: str | None = None) -> tuple[Queued, ...]:
    """Every request as ``actor`` sees it: open ones oldest first, then those that are done, newest first.

    While MLflow does not answer, what would be stale cannot be told: open requests are then shown as open.
    """
    requests = [item for item in ws.ledger.state().requests.values() if model in (None, item.opened.model)]
    metrics: dict[tuple[str, int], Mapping[str, float]] = {}
    found = [_queued(ws, item, actor, metrics) for item in requests]
    open_ones = [item for item in found if item.turn is not Turn.DONE]
    done = [item for item in found if item.turn is Turn.DONE]
    return (*open_ones, *reversed(done))


def waiting(ws: Workspace, actor: Actor) -> tuple[Queued, ...]:
    """The requests of :func:`queue` that are not done, oldest first, without their delta: every page asks this."""
    open_ones = [item for item in ws.ledger.state().requests.values() if not item.closed]
    return tuple(_queued(ws, item, actor, None) for item in open_ones)


def _queued(
    ws: Workspace, request: Request, actor: Actor, metrics: dict[tuple[str, int], Mapping[str, float]] | None
) -> Queued:
    found = judged_or_open(ws, request)
    turn, step = _turn(ws, found, actor)
    return Queued(
        judgement=found,
        turn=turn,
        next_step=step,
        delta="" if turn is Turn.DONE or metrics is None else _delta(ws, request, metrics),
        verdicts=Counter(str(gate["verdict"]) for gate in gate_results(request)),
    )


def _turn(ws: Workspace, found: Judgement, actor: Actor) -> tuple[Turn, str]:
    request, opened = found.request, found.request.opened
    if request.closed or request.used_by:
        return Turn.DONE, ""
    requester = Turn.MINE if actor.name == request.by.name else Turn.OTHERS
    name = request.by.printed_name
    if found.state in (STALE, EXPIRED):
        return requester, f"{name} to request it anew"
    if found.state == CHANGES:
        return requester, f"{name} to change it"
    if found.state == APPROVED:
        may = decide(ws.settings, actor, Action.PROMOTE, opened.model, opened.environment).allowed
        return Turn.MINE if may else Turn.OTHERS, "an operator to promote it"
    mine = refusal_to_sign(ws, request, actor) is None
    return Turn.MINE if mine else Turn.OTHERS, _missing(found) or "somebody to accept a check"


def _missing(found: Judgement) -> str:
    """``2 approvals (clinical)``: how many are missing, and of which groups; '' when none is."""
    missing = max(found.needs - found.has, len(found.missing))
    of = f" ({', '.join(found.missing)})" if found.missing else ""
    return f"{missing} approval{'s' if missing > 1 else ''}{of}" if missing else ""


def _delta(ws: Workspace, request: Request, known: dict[tuple[str, int], Mapping[str, float]]) -> str:
    """One metric against the champion, as logged: the first that a gate compares, else the first both have."""
    opened = request.opened
    own = opened.evidence.get("metrics", {})
    if opened.champion is None:
        return "nothing is live to compare with"
    place = (opened.model, opened.champion)
    if place not in known:
        known[place] = _metrics(ws, *place)
    theirs = known[place]
    compared = [
        gate["name"].removesuffix(" against champion")
        for gate in gate_results(request)
        if gate["name"].endswith(" against champion")
    ]
    shared = [name for name in (*compared, "auroc", *sorted(own)) if name in own and name in theirs]
    if not shared and not (own and theirs):
        return ""  # one of the runs is gone, or MLflow does not answer: nothing can be said
    if not shared:
        return f"no metric in common with v{opened.champion}"
    metric = shared[0]
    difference = f"{own[metric] - theirs[metric]:+.4f}".replace("-", "−")
    return f"{metric} {own[metric]:.4f}, {difference} against v{opened.champion}"


def _metrics(ws: Workspace, model: str, version: int) -> Mapping[str, float]:
    try:
        run_id = ws.registry.version(model, version).run_id
        return ws.runs.run(run_id).metrics if run_id else {}
    except ModelDeskError:
        return {}
