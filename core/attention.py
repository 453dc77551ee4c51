"""What needs somebody now, and what is live at a glance: read from ledger and registry, nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, decide
from core.errors import ModelDeskError
from core.registry.inventory import answers, readable_policy
from core.registry.queue import Queued, Turn, waiting
from core.registry.requests import CHANGES, OPEN

if TYPE_CHECKING:
    from core.ledger.state import OpenAlert, Service, State
    from core.registry.policy import Policy
    from core.registry.types import Model
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that waits for somebody: a status word, a sentence, and the page that deals with it.

    ``mine`` is True when this actor may act on it now.
    """

    word: str
    sentence: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    mine: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One model: what its production and staging aliases name, what the ledger says, and what is missing.

    ``untold`` are the questions of the model inventory that nobody answered.
    """

    model: str
    versions: int | None
    production: int | None
    challenger: int | None
    live: Service | None
    in_sync: bool | None
    frozen: bool
    gaps: tuple[str, ...]
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Models at a glance and what needs somebody; ``failure`` is set when MLflow did not answer."""

    models: tuple[Glance, ...]
    items: tuple[Item, ...]
    failure: ModelDeskError | None = None


def overview(ws: Workspace, actor: Actor, now: datetime) -> Overview:
    """The overview for ``actor``. When MLflow is down, what the ledger last recorded is shown instead."""
    state = ws.ledger.state()
    try:
        models, failure = ws.registry.models(), None
    except ModelDeskError as error:
        models, failure = (), error
    policy = readable_policy(ws)
    glances = tuple(_glance(ws, state, model, policy) for model in models) or _from_ledger(ws, state)
    return Overview(models=glances, items=_items(ws, state, glances, actor, now), failure=failure)


def _glance(ws: Workspace, state: State, model: Model, policy: Policy | None) -> Glance:
    aliases = ws.settings.environments
    production = model.aliases.get(aliases.get("production", "champion"))
    live = state.live(model.name, "production")
    return Glance(
        model=model.name,
        versions=model.versions_count,
        production=production,
        challenger=model.aliases.get(aliases.get("staging", "challenger")),
        live=live,
        in_sync=None if live is None else live.version == production,
        frozen=state.freeze(model.name, "production") is not None,
        gaps=_gaps(ws, model.name, production, live),
        untold=tuple(question for question, answer in answers(model, policy).items() if not answer),
    )


def _from_ledger(ws: Workspace, state: State) -> tuple[Glance, ...]:
    names = sorted({model for model, _ in state.services})
    return tuple(
        Glance(
            model=name,
            versions=None,
            production=None,
            challenger=None,
            live=state.live(name, "production"),
            in_sync=None,
            frozen=state.freeze(name, "production") is not None,
            gaps=_gaps(ws, name, None, state.live(name, "production")),
        )
        for name in names
    )


def _gaps(ws: Workspace, model: str, production: int | None, live: Service | None) -> tuple[str, ...]:
    monitored = any(monitor.model == model for monitor in ws.settings.monitors)
    found = []
    if production is None and live is None:
        found.append("nothing in production")
    elif live is None:
        found.append("no recorded decision")
    if not monitored:
        found.append("not monitored")
    return tuple(found)


def _items(
    ws: Workspace, state: State, glances: tuple[Glance, ...], actor: Actor, now: datetime
) -> tuple[Item, ...]:
    requests = [_request_item(item) for item in waiting(ws, actor)]
    outside = [
        Item(
            word="OUT OF SYNC",
            sentence=f"{glance.model}: the ledger says v{glance.live.version}, the alias says "
            f"{'nothing' if glance.production is None else f'v{glance.production}'}",
            page="deploy",
            query={"model": glance.model},
        )
        for glance in glances
        if glance.in_sync is False and glance.live is not None
    ]
    alerts = [_alert_item(ws, alert, actor) for alert in state.alerts.values() if alert.waits(now)]
    frozen = [
        Item(
            word="FROZEN",
            sentence=f"{freeze.model or 'every model'}: promotions are frozen since {freeze.since:%Y-%m-%d %H:%M} UTC"
            f" by {freeze.by.printed_name}: {freeze.reason}",
            page="deploy",
            query={"model": freeze.model} if freeze.model else {},
        )
        for freeze in state.freezes.values()
    ]
    reviews = [
        Item(
            word="OVERDUE" if record.event.review_due < now else "PENDING",
            sentence=f"{record.model}: the rollback of {record.at:%Y-%m-%d %H:%M} UTC waits for its review, "
            f"due {record.event.review_due:%Y-%m-%d %H:%M} UTC",
            page="requests",
            query={"tab": "reviews"},
            mine=record.actor.name != actor.name
            and decide(ws.settings, actor, Action.REVIEW, record.model).allowed,
        )
        for record in state.reviews_due.values()
    ]
    return tuple(outside + requests + reviews + alerts + frozen)


def _alert_item(ws: Workspace, alert: OpenAlert, actor: Actor) -> Item:
    event = alert.event
    words = {"degraded": "DEGRADED", "inconclusive": "INCONCLUSIVE"}
    return Item(
        word=words.get(event.finding, "DRIFT"),
        sentence=f"{event.model}: {event.summary}",
        page="drift",
        query={"model": event.model, "alert": event.alert_id},
        mine=decide(ws.settings, actor, Action.ACKNOWLEDGE, event.model, event.environment).allowed,
    )


def _request_item(item: Queued) -> Item:
    opened, found = item.request.opened, item.judgement
    word = "CHANGES WANTED" if found.state == CHANGES else found.state.upper()
    approvals = f" ({found.has} of {found.needs})" if found.state == OPEN else ""
    return Item(
        word=word,
        sentence=f"{opened.model} v{opened.version}: waits for {item.next_step}{approvals}",
        page="request",
        query={"id": item.request.request_id},
        mine=item.turn is Turn.MINE,
    )
