"""Saved views: a page as somebody set it up, under a name that the team shares.

A view is nothing but the page's address. The ledger keeps who saved and removed which, so a view needs no
store of its own and is there for everybody who shares the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, Conflict, NotFound
from core.ledger.view_events import ViewRemoved, ViewSaved

if TYPE_CHECKING:
    from core.workspace import Workspace

PAGES = ("experiments", "compare")
LONGEST_NAME = 80
LONGEST_QUERY = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A saved view; ``query`` is what stands after the ``?`` of the page's address."""

    name: str
    page: str
    query: str
    by: Actor
    at: datetime


def views(ws: Workspace, page: str | None = None) -> tuple[View, ...]:
    """Views of a page (None: of all), by name."""
    found: dict[tuple[str, str], View] = {}
    for record in ws.ledger.records(kinds=(ViewSaved.kind, ViewRemoved.kind)):
        event = record.event
        if isinstance(event, ViewRemoved):
            found.pop((event.page, event.name), None)
        elif isinstance(event, ViewSaved):
            found[event.page, event.name] = View(
                name=event.name, page=event.page, query=event.query, by=record.actor, at=record.at
            )
    chosen = (view for view in found.values() if page in (None, view.page))
    return tuple(sorted(chosen, key=lambda view: (view.page, view.name.lower())))


def save_view(ws: Workspace, page: str, name: str, query: str, actor: Actor) -> View:
    """Keep ``query`` as the view ``name``. Raises Refused, BadInput, and Conflict when the name is taken."""
    require(ws.settings, actor, Action.COMMENT)
    name, query = name.strip(), query.strip().lstrip("?")
    if page not in PAGES:
        raise BadInput(f"'{page}' has no views to save.", f"Pages with views: {', '.join(PAGES)}.")
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"A view needs a name of 1 to {LONGEST_NAME} characters on one line.")
    if len(query) > LONGEST_QUERY:
        raise BadInput(
            f"This view's address has more than {LONGEST_QUERY:,} characters.",
            "Choose columns by a pattern such as val_*, or compare fewer runs.",
        )
    with ws.ledger.exclusive("views"):
        taken = next((view for view in views(ws, page) if view.name == name), None)
        if taken is not None and taken.query != query:
            raise Conflict(
                f"{taken.by.printed_name} has saved another view as '{name}'.",
                "Choose another name, or remove that view first.",
            )
        if taken is not None:
            return taken
        ws.ledger.append(ViewSaved(name=name, page=page, query=query), actor)
    return _named(ws, page, name)


def remove_view(ws: Workspace, page: str, name: str, actor: Actor) -> None:
    """Offer the view no longer; one's own, or as an admin anybody's. Raises Refused and NotFound."""
    with ws.ledger.exclusive("views"):
        own = _named(ws, page, name).by.name == actor.name
        require(ws.settings, actor, Action.COMMENT if own else Action.CHANGE_SETTINGS)
        ws.ledger.append(ViewRemoved(name=name, page=page), actor)


def _named(ws: Workspace, page: str, name: str) -> View:
    for view in views(ws, page):
        if view.name == name:
            return view
    raise NotFound(f"There is no saved view '{name}' of {page}.", "`views list` shows what there is.")
