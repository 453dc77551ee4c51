"""The switch and its proof, shared by deployments and rollbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from core.deploy import model_files
from core.deploy.desk import Desk
from core.deploy.types import Artifact, Endpoint, Slot, SlotName
from core.errors import Conflict, Unavailable

VERIFY_S = 5.0
ASK_S = 2.0
CANARY_PROBES = 400


def switch(desk: Desk, endpoint: Endpoint) -> None:
    """Send traffic as the recorded state says; a router that is down is started."""
    try:
        desk.engine.set_weights(endpoint)
    except Unavailable:
        settle(desk)


def settle(desk: Desk) -> None:
    """Bring the router to the recorded state, all endpoints at once.

    The state is read again afterwards: a rollback that was decided meanwhile must not be undone by what was
    read before it. A port that the settings name by now is taken: it is the way out when another program has the old.
    """
    for endpoint in desk.store.endpoints():
        wanted = desk.settings.deploy.ports.get(str(endpoint.key), endpoint.port)
        if wanted != endpoint.port:
            desk.store.move(endpoint.key, wanted)
    _until_in_line(desk, desk.engine.apply)


def keep(desk: Desk) -> None:
    """Write down what a router that starts anew begins with; what the disk refuses now, deployd writes later."""
    with suppress(Unavailable):  # the switch has happened and was seen: it did not fail
        _until_in_line(desk, desk.engine.write_config)


def _until_in_line(desk: Desk, act: Callable[[tuple[Endpoint, ...]], object]) -> None:
    endpoints = desk.store.endpoints()
    while True:
        act(endpoints)
        now = desk.store.endpoints()
        if now == endpoints:
            return
        endpoints = now


def verify(desk: Desk, endpoint: Endpoint, slot: Slot) -> str:
    """Ask the endpoint as a client does until ``slot``'s version answers a scored request.

    Gives back the sentence of proof; raises Unavailable when another version, or none, answers.
    """
    deadline = time.monotonic() + VERIFY_S
    example = model_files.example_request(slot.artifact.directory)
    said: Any = "nothing"
    while time.monotonic() < deadline:
        try:
            answer = desk.engine.ask(endpoint, example, ASK_S)
        except Unavailable as error:
            said = error.what
            if not desk.engine.router_alive():
                settle(desk)
            time.sleep(0.02)
            continue
        if answer.version == slot.version and answer.status == 200:
            return f"v{answer.version} answered a request to {endpoint.key} with {answer.status}"
        said = f"v{answer.version} with status {answer.status}"
        time.sleep(0.005)
    raise Unavailable(
        f"Asked for {VERIFY_S:g} s, {endpoint.key} was answered by {said}, not by v{slot.version}.",
        "`python -m core status` shows what serves.",
    )


def verify_share(desk: Desk, endpoint: Endpoint, slot: Slot) -> str:
    """Ask until both live and the canary have answered; raises Unavailable when one never does."""
    seen: dict[int | None, int] = {}
    wanted = {s.version for s in endpoint.slots if endpoint.weights.get(s.name)}
    for _ in range(CANARY_PROBES):
        version = desk.engine.ask(endpoint, None, ASK_S).version
        seen[version] = seen.get(version, 0) + 1
        if wanted <= seen.keys():
            counts = ", ".join(f"v{version}: {count}" for version, count in sorted(seen.items()))
            return f"answers by {counts}"
    raise Unavailable(f"In {CANARY_PROBES} requests v{slot.version} never answered.", "Look at its log.")


def start_in(desk: Desk, endpoint: Endpoint, name: SlotName, version: int, artifact: Artifact) -> Slot:
    """Start a version in a slot without traffic, recorded and known to the router; it answers later."""
    process = desk.engine.start(endpoint, name, version, artifact)
    slot = Slot(name=name, version=version, artifact=artifact, process=process, started_at=datetime.now(UTC))
    desk.store.put_slot(endpoint.key, slot)
    settle(desk)
    return slot


def free_slot(desk: Desk, endpoint: Endpoint) -> SlotName:
    """A slot that serves nothing and backs nothing up; what it still holds is stopped.

    Raises Conflict while live, the way back and a trial's candidate need all three.
    """
    for name in SlotName:
        if endpoint.slot(name) is None:
            return name
    kept = (endpoint.live, endpoint.previous)
    unused = [name for name in SlotName if name not in kept and not endpoint.weights.get(name)]
    if not unused:
        raise Conflict(
            f"All slots of {endpoint.key} are in use: a trial shares its traffic.",
            "Finish or abort the trial first.",
        )
    name = unused[0]
    release(desk, endpoint, endpoint.slot(name))
    return name


def release(desk: Desk, endpoint: Endpoint, slot: Slot) -> None:
    """Stop a slot and forget it, unless another operation has taken it meanwhile."""
    now = desk.store.endpoint(endpoint.key)
    held = now.slot(slot.name) if now else None
    used = now is not None and (slot.name in (now.live, now.previous) or now.weights.get(slot.name))
    if held is None or held.process != slot.process or used:
        return
    desk.store.clear_slot(endpoint.key, slot.name)
    desk.engine.stop(endpoint, slot)


def only(name: SlotName) -> Mapping[SlotName, int]:
    """All traffic to one slot."""
    return {name: 100}


def tidy(desk: Desk, endpoint: Endpoint) -> None:
    """Stop what is neither live, nor the way back, nor a canary."""
    for slot in endpoint.slots:
        release(desk, endpoint, slot)
