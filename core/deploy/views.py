"""What the Deploy page and ``status`` show of each endpoint: decided, mirrored in MLflow, and really serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.deploy.observe import observe
from core.deploy.outbox import ALIAS
from core.deploy.types import EndpointKey, EndpointStatus, Health
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.ledger.state import Freeze, OpenAlert, Service, State
    from core.ledger.types import Record
    from core.workspace import Workspace

MOVES = (
    "promoted", "deployed", "rolled_back", "traffic_switched", "serving_changed", "operation_failed",
    "alias_moved_outside",
)  # fmt: skip
SIDE_EVENTS = (
    "freeze_set", "freeze_lifted", "drift_alert_raised", "rollback_reviewed", "alias_reconciled",
    "drift_alert_acknowledged", "drift_alert_resolved", "trial_started", "trial_paused", "trial_resumed", "trial_ended",
    "shadow_replayed", "rollback_drilled",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """One model in one environment. ``live`` is the best that is known: traffic, then alias, then ledger.

    ``untold`` is why MLflow was not told of the last switch yet ('' before the first try), None when it was.
    """

    key: EndpointKey
    alias: str
    live: int | None
    decided: Service | None
    registry_says: int | None
    serving: EndpointStatus | None
    freeze: Freeze | None
    untold: str | None = None
    alerts: tuple[OpenAlert, ...] = ()
    review_due: Record | None = None

    @property
    def moved_outside(self) -> bool:
        """True when the alias says something else and no message of ours is on its way to put it right."""
        return self.in_sync is False and self.untold is None

    @property
    def in_sync(self) -> bool | None:
        """Whether MLflow's alias says what was decided; None when one of them is not known."""
        known = self.serving.live_version if self.serving else self.decided and self.decided.version
        if known is None or self.registry_says is None:
            return None
        return known == self.registry_says

    @property
    def since(self) -> datetime | None:
        """Since when the live version serves; None when nobody wrote it down."""
        if self.serving and self.serving.since:
            return self.serving.since
        return self.decided.since if self.decided and self.decided.version == self.live else None

    @property
    def by(self) -> str:
        """Who made it live; '' when nobody wrote it down."""
        return self.decided.by.printed_name if self.decided and self.decided.version == self.live else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """All endpoints; ``failure`` is why MLflow did not answer, and ``known_at`` how old the rest is then."""

    endpoints: tuple[EndpointView, ...]
    failure: ModelDeskError | None = None
    known_at: datetime | None = None


def endpoint_views(ws: Workspace) -> Views:
    """Every model in every environment where something is or was live; works while MLflow is down."""
    state = ws.ledger.state()
    serving = {status.key: status for status in observe(ws)}
    untold = untold_aliases(ws)
    failure: ModelDeskError | None = None
    aliases: Mapping[str, Mapping[str, int]] = {}
    try:
        aliases = {model.name: model.aliases for model in ws.registry.models()}
    except ModelDeskError as error:
        failure = error
    models = sorted({*aliases, *(model for model, _ in state.services), *(key.model for key in serving)})
    found = (
        _view(EndpointKey(model, environment), alias, state, aliases, serving, untold)
        for model in models
        for environment, alias in ws.settings.environments.items()
    )
    endpoints = tuple(sorted(found, key=_most_pressing))
    return Views(endpoints=endpoints, failure=failure, known_at=_newest(ws) if failure else None)


def untold_aliases(ws: Workspace) -> dict[EndpointKey, str]:
    """Where a message to MLflow about a switch is on its way, with why its last try failed ('' before the first)."""
    waiting = ws.deployments.outbox.pending(ALIAS) if ws.deployments.serves else ()
    return {message.key: message.last_error for message in waiting}


def history(ws: Workspace, key: EndpointKey, limit: int = 200) -> tuple[Record, ...]:
    """What happened to an endpoint, newest first."""
    records = ws.ledger.records(model=key.model, kinds=(*MOVES, *SIDE_EVENTS))
    own = [record for record in records if record.environment in ("", key.environment)]
    return tuple(reversed(own))[:limit]


def what_happened(record: Record) -> str:
    """One event in a few words."""
    payload = record.payload
    before, after = payload.get("from_version"), payload.get("to_version")
    move = f"v{before} -> v{after}" if before else f"v{after}"
    match record.kind:
        case "promoted" | "deployed":
            return f"{record.kind} {move}"
        case "rolled_back":
            return f"rolled back {move}"
        case "operation_failed":
            return f"{payload['verb']} to v{after} failed; v{payload['live_version']} stayed live"
        case "traffic_switched":
            shares = ", ".join(f"v{version} {share:.0%}" for version, share in payload["shares"].items())
            return f"traffic split: {shares}"
        case "alias_moved_outside":
            return f"alias moved outside Model Desk: {move}"
        case "serving_changed":
            answering = payload["answering_version"]
            return f"{payload['health']}: {f'v{answering}' if answering else 'nothing'} answers (automatic)"
        case "drift_alert_raised":
            return f"alert ({payload['severity']}): {payload['summary']}"
        case "rollback_drilled":
            took = max(payload["seconds"].values(), default=0) * 1000
            return f"rollback drill {move} and back: {took:.0f} ms, {payload['failed']} requests failed"
        case "trial_started":
            return f"{payload['trial']} begun: v{payload['candidate']} beside v{payload['live_version']}"
        case "trial_ended":
            return f"trial {payload['outcome']}"
        case "shadow_replayed":
            return f"logged requests replayed to v{payload['version']}"
        case _:
            return record.kind.replace("_", " ")


def _view(
    key: EndpointKey,
    alias: str,
    state: State,
    aliases: Mapping[str, Mapping[str, int]],
    serving: Mapping[EndpointKey, EndpointStatus],
    untold: Mapping[EndpointKey, str],
) -> EndpointView:
    place = (key.model, key.environment)
    decided = state.live(key.model, key.environment)
    says = aliases.get(key.model, {}).get(alias)
    status = serving.get(key)
    live = status.live_version if status else says or (decided.version if decided else None)
    return EndpointView(
        key=key,
        alias=alias,
        live=live,
        decided=decided,
        registry_says=says,
        serving=status,
        freeze=state.freeze(*place),
        untold=untold.get(key),
        alerts=tuple(a for a in state.alerts.values() if (a.event.model, a.event.environment) == place),
        review_due=next((r for r in state.reviews_due.values() if (r.model, r.environment) == place), None),
    )


def _most_pressing(view: EndpointView) -> tuple[bool, bool, bool, bool, bool, EndpointKey]:
    """What is down or fails over, then alerts, then what is served for real; production first, then what is live."""
    well = view.serving is None or view.live is None or view.serving.health is Health.HEALTHY
    quiet = (well, not view.alerts, view.serving is None)
    return *quiet, view.key.environment != "production", view.live is None, view.key


def _newest(ws: Workspace) -> datetime | None:
    records = ws.ledger.records(after=max(0, ws.ledger.head().events - 1))
    return records[-1].at if records else None
