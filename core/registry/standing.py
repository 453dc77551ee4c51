"""What was decided, next to what MLflow says, per model and environment; and bringing the two together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from core.access import UNKNOWN, Action, Actor, require
from core.errors import BadInput
from core.ledger.events import AliasMovedOutside, AliasReconciled, OperationFailed
from core.ledger.types import Record
from core.registry.plans import alias_of
from core.registry.promotion import outside_key
from core.registry.stages import NONE, StageMove, stage_moves
from core.registry.types import said

if TYPE_CHECKING:
    from core.ledger.state import Freeze, Place, Service, State
    from core.workspace import Workspace

    Misplaced = Mapping[Place, tuple[StageMove, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model in one environment. ``alias_version`` is MLflow's word, ``live`` the ledger's.

    ``answered`` is False when MLflow could not be asked: its word is then unknown, not "unset". ``stage`` is
    MLflow's deprecated stage where the settings mirror it, ``misplaced`` the versions in it or out of it that
    should not be.
    """

    model: str
    environment: str
    alias: str
    alias_version: int | None
    live: Service | None
    previous: Service | None
    freeze: Freeze | None
    unfinished: Record | None = None
    answered: bool = True
    stage: str = ""
    misplaced: tuple[StageMove, ...] = ()

    @property
    def in_sync(self) -> bool:
        """False when the alias is not what was decided; without any decision there is nothing to compare."""
        agrees = self.live is None or self.live.version == self.alias_version
        return self.unfinished is None and agrees and not self.misplaced

    @property
    def moved(self) -> str:
        """What was moved behind the desk's back: the alias, or the stage alone."""
        alone = self.misplaced and self.live and self.live.version == self.alias_version
        return f"{self.stage} (stage)" if alone else self.alias

    @property
    def found(self) -> int | None:
        """The version that the mirror names which is not as decided; None when it names none."""
        if self.moved == self.alias:
            return self.alias_version
        return next((item.version for item in self.misplaced if item.before == self.stage), None)

    @property
    def stages_said(self) -> tuple[str, ...]:
        """A few words for each misplaced version."""
        return tuple(
            f"v{move.version} is in {move.before or NONE}, not in {move.after}" for move in self.misplaced
        )


def standings(ws: Workspace, model: str | None = None) -> tuple[Standing, ...]:
    """Every model and environment that has an alias or a decision; raises NotFound for an unknown model."""
    state = ws.ledger.state()
    models = ws.registry.models() if model is None else (ws.registry.model(model),)
    return _joined(ws, state, {item.name: item.aliases for item in models}, misplaced(ws, state, model))


def misplaced(ws: Workspace, state: State, model: str | None = None) -> Misplaced:
    """Versions whose stage in MLflow is not what was decided, per model and environment; empty without a mirror."""
    stages = ws.settings.stages
    versions = groupby(ws.registry.versions(model), key=attrgetter("model")) if stages else ()
    found: dict[Place, tuple[StageMove, ...]] = {}
    for name, own in versions:
        live = {place: service.version for place in stages if (service := state.live(name, place))}
        moves = stage_moves(own, live, stages) if live else ()
        for place, stage in stages.items():
            if place in live:
                about = (move for move in moves if move.version == live[place] or move.before == stage)
                found[name, place] = tuple(about)
    return found


def last_known(ws: Workspace, model: str | None = None) -> tuple[Standing, ...]:
    """:func:`standings` by the ledger alone, for when MLflow is down; empty when nothing was ever decided."""
    state = ws.ledger.state()
    names = sorted({place[0] for place in state.services})
    return _joined(ws, state, {name: None for name in names if model in (None, name)}, {})


def _joined(
    ws: Workspace, state: State, models: Mapping[str, Mapping[str, int] | None], moves: Misplaced
) -> tuple[Standing, ...]:
    """Decisions next to the aliases of each model; None instead of aliases when MLflow did not answer."""
    unfinished = {(item.model, item.environment): item for item in state.unfinished.values()}
    found = []
    for name, aliases in models.items():
        for environment, alias in ws.settings.environments.items():
            version, live = (aliases or {}).get(alias), state.live(name, environment)
            if version is None and live is None:
                continue
            found.append(
                Standing(
                    model=name,
                    environment=environment,
                    alias=alias,
                    alias_version=version,
                    live=live,
                    previous=next(iter(state.last_good(name, environment)), None),
                    freeze=state.freeze(name, environment),
                    unfinished=unfinished.get((name, environment)),
                    answered=aliases is not None,
                    stage=ws.settings.stages.get(environment, ""),
                    misplaced=moves.get((name, environment), ()),
                )
            )
    return tuple(found)


def detect_outside_moves(ws: Workspace, found: tuple[Standing, ...]) -> tuple[Record, ...]:
    """Record, once each, the aliases that somebody moved without the desk; the actor is unknown."""
    records = []
    for standing in found:
        if standing.in_sync or standing.live is None or standing.unfinished:
            continue
        event = AliasMovedOutside(
            model=standing.model,
            environment=standing.environment,
            alias=standing.moved,
            from_version=standing.live.version,
            to_version=standing.found,
            reason="found by comparing MLflow with the ledger",
        )
        key = outside_key(standing.model, standing.moved, standing.live, standing.found)
        records.append(ws.ledger.append(event, UNKNOWN, key=key))
    return tuple(records)


def repair_plan(ws: Workspace, model: str | None, environment: str, *, accept: bool = False) -> str:
    """What :func:`repair` would do, in a sentence; nothing is written."""
    if model is None:
        return "Nothing would be repaired: name a model to repair or to accept."
    alias = alias_of(ws, environment)
    now = ws.registry.model(model).aliases.get(alias)
    state = ws.ledger.state()
    live = state.live(model, environment)
    decided = live.version if live else None
    if now == decided and (moves := misplaced(ws, state, model).get((model, environment))):
        moved = ", ".join(f"v{move.version} from {move.before or NONE} to {move.after}" for move in moves)
        return f"Stages of {model} would be put back: {moved}. Nothing was changed."
    if now == decided:
        return f"Nothing to repair: {model}@{alias} is {said(now)}, as was decided."
    if accept:
        return (
            f"The ledger would take {model} {said(now)} in {environment} as live, "
            f"not {said(decided)}. Nothing was changed."
        )
    return f"{model}@{alias} would be put back from {said(now)} to {said(decided)}. Nothing was changed."


def repair(
    ws: Workspace, model: str, environment: str, actor: Actor, reason: str, *, accept: bool = False
) -> Record:
    """Put the alias back to what was decided, or ``accept`` what MLflow says as the new live version.

    Also closes an operation that was begun and never finished. Raises Refused without the right, BadInput when
    there is nothing to repair or no reason, and what moving an alias raises.
    """
    require(ws.settings, actor, Action.RECONCILE, model, environment)
    if not reason.strip():
        raise BadInput("A repair needs a reason.", "Say what happened, as far as you know.")
    alias = alias_of(ws, environment)
    with ws.ledger.exclusive(f"alias {model}"):
        state = ws.ledger.state()
        _close_unfinished(ws, state, model, environment, actor)
        live = state.live(model, environment)
        now = ws.registry.model(model).aliases.get(alias)
        if live is None and not (accept and now):
            raise BadInput(
                f"The ledger has no decision about {model} in {environment}.", "Promote a version."
            )
        if accept and live and now == live.version and misplaced(ws, state, model):
            raise BadInput(
                f"{model}@{alias} is v{now} as decided: there is nothing to accept.",
                "A stage follows the alias: repair without --accept, or promote another version.",
            )
        target = now if accept else live.version if live else None
        if target is None:
            raise BadInput(
                f"{model}@{alias} names nothing: there is nothing to accept.", "Repair without --accept."
            )
        if not accept:
            ws.registry.move_alias(model, alias, target, now)
        event = AliasReconciled(
            model=model,
            environment=environment,
            reason=reason,
            alias=alias,
            from_version=now if not accept else live.version if live else None,
            to_version=target,
            accepted=accept,
        )
        return ws.ledger.append(event, actor)


def _close_unfinished(ws: Workspace, state: State, model: str, environment: str, actor: Actor) -> None:
    for record in state.unfinished.values():
        if (record.model, record.environment) == (model, environment):
            event = OperationFailed(
                model=model,
                environment=environment,
                reason="it was begun and never finished; closed by a repair",
                operation_id=record.payload["operation_id"],
                verb=record.payload["verb"],
                from_version=record.payload["from_version"],
                to_version=record.payload["to_version"],
                live_version=None,
                error="Unfinished",
            )
            ws.ledger.append(event, actor)
