"""What happens to endpoints without anybody's decision is put on record: live fell over, live is back."""

from __future__ import annotations

from collections.abc import Iterator

from core.access import Actor
from core.deploy.desk import Desk
from core.deploy.observe import judge
from core.deploy.types import Endpoint, EndpointKey, Health
from core.errors import Unavailable
from core.ledger.serving_events import ServingChanged

DEPLOYD = Actor("deployd", "deployd", "automatic")


class Witness:
    """Compares what is seen with what was seen before, in memory.

    Until an endpoint has answered once, that it is down is no change: deployd may just be starting it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._before: dict[EndpointKey, Health] = {}

    def look(self, endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
        """Record each change since the last look in the ledger; gives back sentences for them."""
        for endpoint in endpoints:
            if endpoint.live is None:
                continue
            try:
                health, detail = judge(endpoint, self._desk.engine.observe(endpoint))
            except Unavailable as error:
                health, detail = Health.DOWN, error.what
            before = self._before.get(endpoint.key)
            if before is None and health is Health.DOWN:
                continue
            if health is not (before or Health.HEALTHY):
                yield self._record(endpoint, health, detail)
            self._before[endpoint.key] = health

    def _record(self, endpoint: Endpoint, health: Health, detail: str) -> str:
        answers = {
            Health.HEALTHY: endpoint.live_version,
            Health.FAILED_OVER: endpoint.previous_version,
        }.get(health)
        self._desk.ws.ledger.append(
            ServingChanged(
                model=endpoint.key.model,
                environment=endpoint.key.environment,
                reason=detail or f"v{endpoint.live_version} answers",
                health=str(health),
                live_version=endpoint.live_version,
                answering_version=answers,
            ),
            DEPLOYD,
        )
        return f"{endpoint.key} is {health}{f': {detail}' if detail else ''}"
