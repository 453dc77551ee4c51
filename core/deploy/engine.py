"""The protocol that serving engines keep; tests/contract/test_deploy_engines.py holds each of them to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from core.deploy.types import (
    Answer,
    Artifact,
    Endpoint,
    EndpointKey,
    Process,
    Request,
    Slot,
    SlotName,
    SlotTraffic,
)


class Engine(Protocol):
    """What a serving engine does; it keeps no state of its own. Every method raises ``core.errors`` alone.

    Slots are where versions run; the router is what sends requests to them by weight. Both outlive the process
    that asks for them.
    """

    name: str

    def start(self, endpoint: Endpoint, name: SlotName, version: int, artifact: Artifact) -> Process | None:
        """Begin to serve ``artifact`` in a slot that gets no traffic yet; returns at once.

        The process is None where the engine looks after its own. What was left in the slot is ended first.
        """
        ...

    def alive(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when the slot answers, with the version that it should hold."""
        ...

    def ended(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when the slot will not answer any more without a new start."""
        ...

    def score(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """Ask one slot directly, past the weights; raises Unavailable when it does not answer in time."""
        ...

    def probabilities(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """``{"predictions": rows, "classes": [...]}`` from one slot; status 404 when its model offers none."""
        ...

    def ask(self, endpoint: Endpoint, payload: Any, timeout_s: float) -> Answer:
        """One request through the router, as a client makes it; a ping when ``payload`` is None."""
        ...

    def apply(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Bring the router to the desired state, starting it if need be: all endpoints, slots and weights."""
        ...

    def set_weights(self, endpoint: Endpoint) -> None:
        """Send traffic as ``endpoint.weights`` and ``endpoint.previous`` say; never restarts anything."""
        ...

    def write_config(self, endpoints: tuple[Endpoint, ...]) -> bool:
        """Keep what a router that starts anew begins with; True when it was not in line with ``endpoints``."""
        ...

    def router_alive(self) -> bool:
        """True when the router takes commands."""
        ...

    def observe(self, endpoint: Endpoint) -> Mapping[SlotName, SlotTraffic]:
        """The router's own counters per slot; raises Unavailable."""
        ...

    def recent(self) -> tuple[Request, ...]:
        """Recent requests to all endpoints, oldest first, as far as the router keeps them."""
        ...

    def last_words(self, endpoint: Endpoint, name: SlotName) -> str:
        """The last thing that the slot's server said: why it ended."""
        ...

    def stop(self, endpoint: Endpoint, slot: Slot) -> None:
        """End the slot: asked first, killed after five seconds."""
        ...

    def drop_strays(self, endpoints: tuple[Endpoint, ...], busy: Callable[[], frozenset[EndpointKey]]) -> int:
        """End what runs in slots that are not recorded, left by a process that died; gives back how many.

        ``busy`` is asked after looking: an endpoint whose operation runs may have a slot not recorded yet.
        """
        ...

    def stop_router(self) -> None:
        """End the router; every endpoint of this workspace stops answering."""
        ...
