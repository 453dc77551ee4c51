"""Watching a version for a while after it took the traffic: what breaks under real requests breaks here.

MLflow's scoring server says 400 both to a bad request and when the model's own code fails. So answers of 4xx are held
against the share of them that the version before gave to the same callers.
"""

from __future__ import annotations

import time

from core.deploy import traffic
from core.deploy.canary_analysis import FEWEST_FAILURES, wilson_low
from core.deploy.desk import Desk
from core.deploy.paths import endpoint_id
from core.deploy.smoke import Failed
from core.deploy.trial import ArmTraffic, Judgement
from core.deploy.types import Endpoint, Operation, OperationState, Slot, SlotTraffic
from core.errors import Conflict, Unavailable

LOOK_S = 0.5
# Fewer requests say nothing about a rate; of more, this share may fail.
FEWEST, WORST_SHARE = 20, 0.05


def bake(desk: Desk, operation: Operation, endpoint: Endpoint, slot: Slot, seconds: float) -> str:
    """Watch the router's counters of ``slot`` for ``seconds``; gives back what was seen.

    Raises Failed when the slot goes down, too many requests to it fail or clearly more than before are answered with
    4xx; Conflict when a rollback took over.
    """
    begin, deadline = _seen(desk, endpoint, slot), time.monotonic() + seconds
    earlier, words = _refused_before(desk, endpoint, slot), ""
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(LOOK_S, left))
        now = _seen(desk, endpoint, slot)
        requests, failed = since(begin, now)
        if not now.up:
            raise Failed(f"v{slot.version} went down {seconds - left:.0f} s after the switch.")
        if requests >= FEWEST and failed > WORST_SHARE * requests:
            raise Failed(f"v{slot.version} failed {failed} of {requests} requests after the switch.")
        refused = refused_since(begin, now)
        judgement, words = judge_refused(earlier, ArmTraffic(requests=requests, failed=refused))
        if judgement is Judgement.ABORT:
            raise Failed(f"v{slot.version} after the switch: {words}.")
        if desk.journal.operation(operation.id).state is not OperationState.RUNNING:
            raise Conflict(f"A rollback of {operation.key} took over while v{slot.version} was watched.")
    return f"{requests} requests in {seconds:g} s, {failed} failed; {words}"


def judge_refused(before: ArmTraffic, now: ArmTraffic) -> tuple[Judgement, str]:
    """CONTINUE, PAUSE (more than before, not clear whose fault) or ABORT, of ``failed`` = answers of 4xx; and why.

    ABORT: even the lowest share that fits now is above the highest that fits before (Wilson, 99 %) and above the
    share before by more than WORST_SHARE. Too few requests before are no measure: that is PAUSE at most.
    """
    was, share = _share(before), _share(now)
    words = f"{share:.1%} of {now.requests} requests were answered with 4xx"
    known = before.requests >= FEWEST
    words += (
        f", before it {was:.1%} of {before.requests}" if known else ", too few requests before it to compare"
    )
    if now.failed < FEWEST_FAILURES or share <= was + WORST_SHARE:
        return Judgement.CONTINUE, words
    if known:
        highest = 1 - wilson_low(before.requests - before.failed, before.requests)
        if wilson_low(now.failed, now.requests) > max(highest, was + WORST_SHARE):
            return Judgement.ABORT, words
    return Judgement.PAUSE, f"{words}: not clear whether the version or its callers are at fault"


def _share(arm: ArmTraffic) -> float:
    return arm.failed / arm.requests if arm.requests else 0.0


def _refused_before(desk: Desk, endpoint: Endpoint, slot: Slot) -> ArmTraffic:
    """What the version that served until the switch answered with 4xx, as far back as the router remembers."""
    other = endpoint.slot(endpoint.previous if slot.name == endpoint.live else endpoint.live)
    if other is None:
        return ArmTraffic(requests=0, failed=0)
    backend, since_then = f"e{endpoint_id(endpoint.key)}", other.started_at.timestamp()
    statuses = [
        request.status
        for request in desk.engine.recent()
        if (request.backend, request.server) == (backend, other.name) and request.at >= since_then
    ]
    return ArmTraffic(requests=len(statuses), failed=sum(400 <= status < 500 for status in statuses))


def refused_since(begin: SlotTraffic, now: SlotTraffic) -> int:
    """Answers of 4xx between two readings; a router that started anew counts from zero."""
    return now.status_4xx - (begin.status_4xx if now.requests >= begin.requests else 0)


def _seen(desk: Desk, endpoint: Endpoint, slot: Slot) -> SlotTraffic:
    """A router that died meanwhile is started: that is no fault of the version."""
    try:
        return desk.engine.observe(endpoint)[slot.name]
    except Unavailable:
        traffic.settle(desk)
        return desk.engine.observe(endpoint)[slot.name]


def since(begin: SlotTraffic, now: SlotTraffic) -> tuple[int, int]:
    """Requests and failures between two readings; a router that started anew counts from zero."""
    if now.requests < begin.requests:
        begin = SlotTraffic(
            up=True,
            weight=0,
            requests=0,
            status_2xx=0,
            status_4xx=0,
            status_5xx=0,
            connection_errors=0,
            failed_checks=0,
        )
    failed = now.status_5xx + now.connection_errors - begin.status_5xx - begin.connection_errors
    return now.requests - begin.requests, failed
