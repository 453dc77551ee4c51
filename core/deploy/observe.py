"""What serves now, read back from the router and from the servers themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from core.deploy import paths, processes
from core.deploy.smoke import START_S
from core.deploy.types import (
    Endpoint,
    EndpointKey,
    EndpointStatus,
    Health,
    Request,
    Served,
    Slot,
    SlotName,
    SlotTraffic,
)
from core.errors import Unavailable

if TYPE_CHECKING:
    from core.deploy.desk import Desk
    from core.workspace import Workspace

WINDOW_S = 60
DEGRADED_ERROR_RATE = 0.05
PING_S = 1.0


def observe(ws: Workspace, only: EndpointKey | None = None) -> tuple[EndpointStatus, ...]:
    """Every endpoint of the workspace, or one; empty when no engine is set or nothing was ever deployed.

    A router that is down is a status, not an error.
    """
    desk = ws.deployments
    endpoints = desk.store.endpoints() if desk.serves else ()
    endpoints = tuple(endpoint for endpoint in endpoints if only in (None, endpoint.key))
    if not endpoints:
        return ()
    try:
        recent = desk.engine.recent()
    except Unavailable:
        recent = ()
    running = {operation.key: operation for operation in desk.journal.running()}
    statuses = (_status(desk, endpoint, recent) for endpoint in endpoints)
    return tuple(replace(status, running=running.get(status.key)) for status in statuses)


def _status(desk: Desk, endpoint: Endpoint, recent: tuple[Request, ...]) -> EndpointStatus:
    live = endpoint.slot(endpoint.live)
    previous = endpoint.slot(endpoint.previous)
    stretch = next((item for item in desk.store.served(endpoint.key) if item.until is None), None)
    try:
        counted = desk.engine.observe(endpoint)
        says = _serving_says(desk, endpoint)
    except Unavailable as error:
        return _unseen(endpoint, stretch, error.what)
    health, detail = judge(endpoint, counted)
    if health is Health.DOWN and _starting(live):
        health, detail = Health.STARTING, f"v{endpoint.live_version} is being started"
    status = EndpointStatus(
        key=endpoint.key,
        port=endpoint.port,
        live_version=endpoint.live_version,
        live_sha256=live.artifact.sha256 if live else None,
        since=stretch.since if stretch else None,
        by=stretch.by if stretch else None,
        previous_version=endpoint.previous_version,
        previous_warm=previous is not None and _up(counted, previous.name),
        traffic=shares(endpoint, counted),
        health=health,
        serving_says=says,
        detail=detail,
        slots={slot.version: "up" if _up(counted, slot.name) else "down" for slot in endpoint.slots},
    )
    return _with_traffic(status, recent, time.time())


def answered_since(ws: Workspace, key: EndpointKey, at: datetime) -> Mapping[str, int]:
    """Who answered the requests since ``at``: version (as ``v7``) -> answers, and ``failed``.

    As far back as the router remembers, some ten thousand requests; empty when it does not answer.
    """
    desk = ws.deployments
    endpoint = desk.store.endpoint(key) if desk.can_serve(key) else None
    if endpoint is None:
        return {}
    try:
        recent = desk.engine.recent()
    except Unavailable:
        return {}
    own, after = f"e{paths.endpoint_id(key)}", at.timestamp()
    by = {str(slot.name): f"v{slot.version}" for slot in endpoint.slots}
    by["previous"] = f"v{endpoint.previous_version}"
    found: Counter[str] = Counter()
    for request in recent:
        if request.backend == own and request.at >= after:
            failed = request.status >= 500 or request.status < 0
            found["failed" if failed else by.get(request.server, "unknown")] += 1
    return dict(found)


def _starting(slot: Slot | None) -> bool:
    if slot is None or not processes.alive(slot.process):
        return False
    return processes.age_s(slot.process) < START_S


def judge(endpoint: Endpoint, counted: Mapping[SlotName, SlotTraffic]) -> tuple[Health, str]:
    """Health from the router's checks: who is up among those that should get traffic."""
    if endpoint.live is None:
        return Health.DOWN, "nothing is live"
    wanted = [name for name, weight in endpoint.weights.items() if weight]
    if any(_up(counted, name) for name in wanted):
        return Health.HEALTHY, ""
    if endpoint.previous and _up(counted, endpoint.previous):
        return Health.FAILED_OVER, f"v{endpoint.live_version} is down, v{endpoint.previous_version} answers"
    return Health.DOWN, f"v{endpoint.live_version} is down and nothing stands in"


def shares(endpoint: Endpoint, counted: Mapping[SlotName, SlotTraffic]) -> dict[int, float]:
    """Version -> its share of the traffic as the router sends it now; sums to 1, or empty when all are down."""
    up = {slot.version: counted[slot.name].weight for slot in endpoint.slots if _up(counted, slot.name)}
    total = sum(up.values())
    if total:
        return {version: weight / total for version, weight in up.items() if weight}
    if endpoint.previous and _up(counted, endpoint.previous):
        return {endpoint.previous_version: 1.0}
    return {}


def _with_traffic(status: EndpointStatus, recent: tuple[Request, ...], now: float) -> EndpointStatus:
    """Rates and latencies over the last minute, from the router's ring of requests."""
    own = f"e{paths.endpoint_id(status.key)}"
    # Both ways: after a clock was set back, requests of the future are not of the last minute.
    window = [request for request in recent if request.backend == own and abs(now - request.at) < WINDOW_S]
    seconds = [0] * WINDOW_S
    for request in window:
        seconds[min(WINDOW_S - 1, max(0, int(request.at - (now - WINDOW_S))))] += 1
    if not window:
        return replace(status, requests_per_s=0.0, per_second=tuple(seconds))
    errors = sum(request.status >= 500 or request.status < 0 for request in window) / len(window)
    times = sorted(request.milliseconds for request in window)
    degraded = status.health is Health.HEALTHY and errors > DEGRADED_ERROR_RATE
    return replace(
        status,
        health=Health.DEGRADED if degraded else status.health,
        detail=f"{errors:.1%} of requests fail" if degraded else status.detail,
        requests_per_s=len(window) / WINDOW_S,
        error_rate=errors,
        refused_rate=sum(400 <= request.status < 500 for request in window) / len(window),
        p50_ms=float(times[len(times) // 2]),
        p99_ms=float(times[min(len(times) - 1, int(len(times) * 0.99))]),
        per_second=tuple(seconds),
    )


def _unseen(endpoint: Endpoint, stretch: Served | None, why: str) -> EndpointStatus:
    live = endpoint.slot(endpoint.live)
    return EndpointStatus(
        key=endpoint.key,
        port=endpoint.port,
        live_version=endpoint.live_version,
        live_sha256=live.artifact.sha256 if live else None,
        since=stretch.since if stretch else None,
        by=stretch.by if stretch else None,
        previous_version=endpoint.previous_version,
        previous_warm=False,
        traffic={},
        health=Health.DOWN,
        serving_says=None,
        detail=why,
    )


def _serving_says(desk: Desk, endpoint: Endpoint) -> int | None:
    try:
        return desk.engine.ask(endpoint, None, PING_S).version
    except Unavailable:
        return None


def _up(counted: Mapping[SlotName, SlotTraffic], name: SlotName) -> bool:
    return name in counted and counted[name].up
