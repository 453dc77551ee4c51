"""Who may approve, promote and roll back, per model and environment, and when each last did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.access import LOCAL, Action, Actor, decide, local_actor
from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.settings import Settings
    from core.workspace import Workspace

ACTIONS = {"approve": Action.APPROVE, "promote": Action.PROMOTE, "roll back": Action.ROLL_BACK}
_USES = {
    "approval_signed": "approve",
    "request_rejected": "approve",
    "promoted": "promote",
    "deployed": "promote",
    "rolled_back": "roll back",
}
Place = tuple[str, str]
Uses = Mapping[tuple[str, Place, str], datetime]
"""(person, (model, environment), right) -> when it was last used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One person in one place. ``rights`` and ``last_used`` have the keys approve, promote and roll back.

    ``note`` says what an auditor should look at: a right by deputyship, one that is gone or was never used.
    """

    model: str
    environment: str
    person: Actor
    rights: Mapping[str, bool]
    last_used: Mapping[str, datetime]
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row as the command line and the CSV file give it."""
        used = {f"last_{name.replace(' ', '_')}": self.last_used.get(name) for name in ACTIONS}
        return {
            "model": self.model,
            "environment": self.environment,
            "person": self.person.printed_name,
            "id": self.person.name,
            **{f"may_{name.replace(' ', '_')}": self.rights[name] for name in ACTIONS},
            **{name: at.isoformat(timespec="seconds") if at else None for name, at in used.items()},
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class AccessReview:
    """The rows; with ``unanswered``, MLflow's failure, models that the ledger never saw are missing."""

    rows: tuple[Access, ...]
    unanswered: ModelDeskError | None = None


def access_review(ws: Workspace, now: datetime, model: str | None = None) -> AccessReview:
    """Everybody who has one of the rights or used it, by model and environment; MLflow may be down.

    Rights are those of the settings at this moment, deputies counted in; past use is the ledger's.
    """
    used = _uses(ws)
    models, unanswered = _models(ws)
    places = [place for place in _places(ws, used, models) if model in (None, place[0])]
    deputies = {name: ws.ledger.state().principals(name, now) for name in _deputy_names(ws)}
    people = tuple(_people(ws.settings, used, deputies))
    found = (_access(ws.settings, person, place, used, deputies) for place in places for person in people)
    return AccessReview(tuple(row for row in found if any(row.rights.values()) or row.last_used), unanswered)


def _access(
    settings: Settings,
    person: Actor,
    place: Place,
    used: Uses,
    deputies: Mapping[str, tuple[str, ...]],
) -> Access:
    principals = deputies.get(person.name, ())
    own = {name: decide(settings, person, action, *place).allowed for name, action in ACTIONS.items()}
    rights = {
        name: decide(settings, person, action, *place, stands_in_for=principals).allowed
        for name, action in ACTIONS.items()
    }
    last = {name: at for name in ACTIONS if (at := used.get((person.name, place, name)))}
    return Access(
        model=place[0],
        environment=place[1],
        person=person,
        rights=rights,
        last_used=last,
        note=_note(own, rights, last, principals),
    )


def _note(
    own: Mapping[str, bool],
    rights: Mapping[str, bool],
    last: Mapping[str, datetime],
    principals: Iterable[str],
) -> str:
    said = []
    if any(rights[name] and not own[name] for name in ACTIONS):
        said.append(f"as deputy of {', '.join(principals)}")
    if gone := [name for name in last if not rights[name]]:
        said.append(f"no right any more to {', '.join(gone)}")
    if any(rights.values()) and not last:
        said.append("never used")
    if rights["approve"] and rights["promote"]:
        said.append("approves and promotes")
    return "; ".join(said)


def _uses(ws: Workspace) -> dict[tuple[str, Place, str], datetime]:
    found: dict[tuple[str, Place, str], datetime] = {}
    for use in ws.ledger.last_uses(tuple(_USES)):
        key = (use.actor.name, (use.model, use.environment), _USES[use.kind])
        found[key] = max(use.at, found.get(key, use.at))
    return found


def _models(ws: Workspace) -> tuple[list[str], ModelDeskError | None]:
    try:
        return [item.name for item in ws.registry.models()], None
    except ModelDeskError as error:
        return [], error


def _places(ws: Workspace, used: Uses, models: Iterable[str]) -> list[Place]:
    known = {(name, environment) for name in models for environment in ws.settings.environments}
    return sorted(known | {place for _, place, _ in used} | set(ws.ledger.state().services))


def _deputy_names(ws: Workspace) -> set[str]:
    return {item.deputy for item in ws.ledger.state().deputies}


def _people(settings: Settings, used: Uses, deputies: Iterable[str]) -> Iterator[Actor]:
    """Everybody who is configured, granted something, stands in for somebody or acted; each once."""
    local = settings.access.mode == LOCAL
    me = local_actor(settings) if local else None
    if me:
        yield me
    known = {user.name: user for user in settings.access.users}
    granted = (grant.user for grant in settings.access.grants)
    acted = sorted({name for name, _, _ in used})
    for name in dict.fromkeys((*known, *granted, *sorted(deputies), *acted)):
        if me and name == me.name:
            continue
        user = known.get(name)
        display, demo = (user.display_name, user.demo) if user else ("", False)
        yield Actor(name, display, "demo" if demo else "settings", demo)
