"""Watching a version for a while after it took the traffic: what breaks under real requests breaks here."""

from __future__ import annotations

import time

from core.deploy import traffic
from core.deploy.desk import Desk
from core.deploy.smoke import Failed
from core.deploy.types import Endpoint, Operation, OperationState, Slot, SlotTraffic
from core.errors import Conflict, Unavailable

LOOK_S = 0.5
# Fewer requests say nothing about a rate; of more, this share may fail.
FEWEST, WORST_SHARE = 20, 0.05


def bake(desk: Desk, operation: Operation, endpoint: Endpoint, slot: Slot, seconds: float) -> str:
    """Watch the router's counters of ``slot`` for ``seconds``; gives back what was seen.

    Raises Failed when the slot goes down or too many requests to it fail, Conflict when a rollback took over.
    """
    begin, deadline = _seen(desk, endpoint, slot), time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(LOOK_S, left))
        now = _seen(desk, endpoint, slot)
        requests, failed = since(begin, now)
        if not now.up:
            raise Failed(f"v{slot.version} went down {seconds - left:.0f} s after the switch.")
        if requests >= FEWEST and failed > WORST_SHARE * requests:
            raise Failed(f"v{slot.version} failed {failed} of {requests} requests after the switch.")
        if desk.journal.operation(operation.id).state is not OperationState.RUNNING:
            raise Conflict(f"A rollback of {operation.key} took over while v{slot.version} was watched.")
    return f"{requests} requests in {seconds:g} s, {failed} failed"


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
