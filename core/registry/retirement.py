"""Taking a version out of use: archiving it, which can be undone, and deleting it, which cannot.

Never one that serves, that a rollback may go back to, or that an alias or a request names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access import Action, Actor, require
from core.errors import BadInput, BadSettings, Conflict, Refused
from core.ledger.version_events import VersionArchived, VersionDeleted, VersionRestored
from core.registry.stages import ARCHIVED, NONE

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace


def archive_version(ws: Workspace, model: str, version: int, actor: Actor, reason: str) -> Record:
    """Take a version out of use until it is restored; nothing in MLflow changes but a mirrored stage.

    Raises Refused (no right, or the version is needed), Conflict when it is archived, BadInput without a reason,
    NotFound, Unavailable.
    """
    require(ws.settings, actor, Action.ARCHIVE_VERSION, model)
    _needed(reason, "Archiving needs a reason.", "Say what took its place, or what is wrong with it.")
    with ws.ledger.exclusive(f"alias {model}"):
        if refusal := refusal_to_retire(ws, model, version, "Nothing was archived."):
            raise refusal
        if (model, version) in ws.ledger.state().archived:
            raise Conflict(f"{model} v{version} is archived already.", "There is nothing left to do.")
        _mirror(ws, model, version, ARCHIVED)
        return ws.ledger.append(VersionArchived(model=model, version=version, reason=reason), actor)


def restore_version(ws: Workspace, model: str, version: int, actor: Actor, reason: str) -> Record:
    """Make an archived version a candidate again. Raises Refused, Conflict when it is not archived, BadInput."""
    require(ws.settings, actor, Action.ARCHIVE_VERSION, model)
    _needed(reason, "Restoring needs a reason.", "Say why it is wanted again.")
    with ws.ledger.exclusive(f"alias {model}"):
        if (model, version) not in ws.ledger.state().archived:
            raise Conflict(f"{model} v{version} is not archived.", "There is nothing to restore.")
        _mirror(ws, model, version, NONE)
        return ws.ledger.append(VersionRestored(model=model, version=version, reason=reason), actor)


def delete_version(ws: Workspace, model: str, version: int, actor: Actor, reason: str) -> Record:
    """Delete a version in MLflow, for good: its decisions stay on record, its files where they are.

    Raises Refused (no right, or the version is needed), BadInput without a reason, NotFound, Unavailable.
    """
    require(ws.settings, actor, Action.DELETE_VERSION, model)
    _needed(reason, "A deletion needs a reason.", "It cannot be undone: say why it is right.")
    with ws.ledger.exclusive(f"alias {model}"):
        if refusal := refusal_to_retire(ws, model, version, "Nothing was deleted."):
            raise refusal
        event = VersionDeleted(model=model, version=version, reason=reason)
        if not ws.ledger.rehearses:
            from core.registry.mlflow_writes import delete

            uri = ws.settings.registry_uri
            if uri is None:
                raise BadSettings("No MLflow store is configured.", "Set [mlflow] tracking_uri.")
            delete(uri, model, version)
        return ws.ledger.append(event, actor)


def refusal_to_retire(ws: Workspace, model: str, version: int, way_out: str) -> Refused | None:
    """Why the version is needed; None when it is not. Raises NotFound for one that does not exist."""
    found, state = ws.registry.version(model, version), ws.ledger.state()
    name = f"{model} v{version}"
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


def _mirror(ws: Workspace, model: str, version: int, stage: str) -> None:
    if not ws.ledger.rehearses:
        ws.registry.set_stage(model, version, stage)


def _needed(reason: str, what: str, way_out: str) -> None:
    if not reason.strip():
        raise BadInput(what, way_out)
