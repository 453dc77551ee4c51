"""Deleting a version: never one that serves, that a rollback may go back to, or that an alias or a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, BadSettings, Refused
from core.ledger.events import VersionDeleted

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace


def delete_version(ws: Workspace, model: str, version: int, actor: Actor, reason: str) -> Record:
    """Delete a version in MLflow, for good: its decisions stay on record, its files where they are.

    Raises Refused (no right, or the version is needed), BadInput without a reason, NotFound, Unavailable.
    """
    require(ws.settings, actor, Action.DELETE_VERSION, model)
    if not reason.strip():
        raise BadInput("A deletion needs a reason.", "It cannot be undone: say why it is right.")
    with ws.ledger.exclusive(f"alias {model}"):
        if refusal := refusal_to_delete(ws, model, version):
            raise refusal
        event = VersionDeleted(model=model, version=version, reason=reason)
        if not ws.ledger.rehearses:
            from core.registry.mlflow_writes import delete

            uri = ws.settings.registry_uri
            if uri is None:
                raise BadSettings("No MLflow store is configured.", "Set [mlflow] tracking_uri.")
            delete(uri, model, version)
        return ws.ledger.append(event, actor)


def refusal_to_delete(ws: Workspace, model: str, version: int) -> Refused | None:
    """Why the version is needed; None when it is not. Raises NotFound for one that does not exist."""
    found, state = ws.registry.version(model, version), ws.ledger.state()
    name, way_out = f"{model} v{version}", "Nothing was deleted."
    if found.aliases:
        return Refused(f"{name} is what the alias {', '.join(found.aliases)} names.", way_out)
    for place in sorted(state.services):
        if place[0] != model:
            continue
        live = state.live(*place)
        if live and live.version == version:
            return Refused(f"{name} serves in {place[1]}.", way_out)
        if any(item.version == version for item in state.last_good(*place)):
            return Refused(f"{name} served in {place[1]} and is a target of a rollback.", way_out)
    for request in state.requests.values():
        if not request.closed and (request.opened.model, request.opened.version) == (model, version):
            return Refused(
                f"Request {request.request_id} asks for a release of {name}.", f"Answer it first. {way_out}"
            )
    return None
