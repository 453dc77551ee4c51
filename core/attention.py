"""What needs somebody now, and what is live at a glance: read from ledger and registry, nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, decide
from core.deploy.types import EndpointKey
from core.deploy.views import untold_aliases
from core.errors import ModelDeskError
from core.registry.inventory import answers, readable_policy
from core.registry.queue import Queued, Turn, waiting
from core.registry.requests import CHANGES, OPEN
from core.registry.standing import misplaced
from core.registry.types import said

if TYPE_CHECKING:
    from core.ledger.state import OpenAlert, Service, State
    from core.registry.policy import Policy
    from core.registry.stages import StageMove
    from core.registry.types import Model
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that waits for somebody: a status word, what it is about, what there is to say, and the page
    that deals with it.

    ``mine`` is True when this actor may act on it now.
    """

    word: str
    about: str
    what: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    mine: bool

    @property
    def sentence(self) -> str:
        """What it is about and what there is to say, on one line."""
        return f"{self.about}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One model: what its production and staging aliases name, what the ledger says, and what is missing.

    ``in_sync`` is None with nothing to compare, and while a switch is on its way to MLflow. ``requests`` counts those
    that wait for somebody; ``untold`` are the questions of the model inventory that nobody answered; ``misplaced``
    the versions whose deprecated stage in MLflow is not what was decided, where the settings mirror stages.
    """

    model: str
    production: int | None
    challenger: int | None
    live: Service | None
    in_sync: bool | None
    frozen: bool
    requests: int
    gaps: tuple[str, ...]
    untold: tuple[str, ...] = ()
    misplaced: tuple[StageMove, ...] = ()


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
        models, moves, failure = ws.registry.models(), misplaced(ws, state), None
    except ModelDeskError as error:
        models, moves, failure = (), {}, error
    policy, on_its_way = readable_policy(ws), untold_aliases(ws)
    glances = tuple(
        _glance(
            ws,
            state,
            model,
            policy,
            moves.get((model.name, "production"), ()),
            on_its_way=EndpointKey(model.name, "production") in on_its_way,
        )
        for model in models
    )
    glances = glances or _from_ledger(ws, state)
    return Overview(models=glances, items=_items(ws, state, glances, actor, now), failure=failure)


def _glance(
    ws: Workspace,
    state: State,
    model: Model,
    policy: Policy | None,
    moves: tuple[StageMove, ...],
    *,
    on_its_way: bool,
) -> Glance:
    aliases = ws.settings.environments
    production = model.aliases.get(aliases.get("production", "champion"))
    live = state.live(model.name, "production")
    return Glance(
        model=model.name,
        production=production,
        challenger=model.aliases.get(aliases.get("staging", "challenger")),
        live=live,
        in_sync=None if live is None or on_its_way else live.version == production and not moves,
        frozen=state.freeze(model.name, "production") is not None,
        requests=_open_requests(state, model.name),
        gaps=_gaps(ws, model.name, production, live),
        untold=tuple(question for question, answer in answers(model, policy).items() if not answer),
        misplaced=moves,
    )


def _from_ledger(ws: Workspace, state: State) -> tuple[Glance, ...]:
    names = sorted({model for model, _ in state.services})
    return tuple(
        Glance(
            model=name,
            production=None,
            challenger=None,
            live=state.live(name, "production"),
            in_sync=None,
            frozen=state.freeze(name, "production") is not None,
            requests=_open_requests(state, name),
            gaps=_gaps(ws, name, None, state.live(name, "production")),
        )
        for name in names
    )


def _open_requests(state: State, model: str) -> int:
    return sum(not item.closed and item.opened.model == model for item in state.requests.values())


def _gaps(ws: Workspace, model: str, production: int | None, live: Service | None) -> tuple[str, ...]:
    monitored = any(monitor.model == model for monitor in ws.settings.monitors)
    found = []
    if production is None and live is None:
        found.append("live version")
    elif live is None:
        found.append("recorded decision")
    if not monitored:
        found.append("monitor")
    return tuple(found)


def _items(
    ws: Workspace, state: State, glances: tuple[Glance, ...], actor: Actor, now: datetime
) -> tuple[Item, ...]:
    requests = [_request_item(item) for item in waiting(ws, actor)]
    outside = [
        Item(
            word="OUT OF SYNC",
            about=glance.model,
            what=f"the ledger says v{glance.live.version}, {_mirror_says(glance)}",
            page="deploy",
            query={"model": glance.model},
            mine=decide(ws.settings, actor, Action.RECONCILE, glance.model, "production").allowed,
        )
        for glance in glances
        if glance.in_sync is False and glance.live is not None
    ]
    alerts = [_alert_item(ws, alert, actor) for alert in state.alerts.values() if alert.waits(now)]
    frozen = [
        Item(
            word="FROZEN",
            about=freeze.model or "every model",
            what=f"promotions are frozen since {freeze.since:%Y-%m-%d %H:%M} UTC"
            f" by {freeze.by.printed_name}: {freeze.reason}",
            page="deploy",
            query={"model": freeze.model} if freeze.model else {},
            mine=decide(ws.settings, actor, Action.LIFT_FREEZE, freeze.model, freeze.environment).allowed,
        )
        for freeze in state.freezes.values()
    ]
    reviews = [
        Item(
            word="OVERDUE" if record.event.review_due < now else "PENDING",
            about=str(record.model),
            what=f"the rollback of {record.at:%Y-%m-%d %H:%M} UTC waits for its review, due "
            f"{record.event.review_due:%Y-%m-%d %H:%M} UTC",
            page="requests",
            query={"tab": "reviews"},
            mine=record.actor.name != actor.name
            and decide(ws.settings, actor, Action.REVIEW, record.model).allowed,
        )
        for record in state.reviews_due.values()
    ]
    return tuple(outside + requests + reviews + alerts + frozen)


def _mirror_says(glance: Glance) -> str:
    if glance.misplaced and glance.live and glance.live.version == glance.production:
        return "MLflow's stages do not"
    return f"the alias says {said(glance.production)}"


def _alert_item(ws: Workspace, alert: OpenAlert, actor: Actor) -> Item:
    event = alert.event
    words = {"degraded": "DEGRADED", "inconclusive": "INCONCLUSIVE"}
    return Item(
        word=words.get(event.finding, "DRIFT"),
        about=event.model,
        what=event.summary,
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
        about=f"{opened.model} v{opened.version}",
        what=f"waits for {item.next_step}{approvals}",
        page="request",
        query={"id": item.request.request_id},
        mine=item.turn is Turn.MINE,
    )
