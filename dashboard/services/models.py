"""What the Registry and Model version pages read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.ledger.types import Record
    from core.registry.catalogue import AsOf, Entry
    from core.registry.finding import Found
    from core.registry.standing import Standing
    from core.registry.types import Signature


def model_names() -> tuple[str, ...]:
    """Registered models, by name. Raises Unavailable."""
    return _model_names(workspace())


@st.cache_data(ttl=20, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _model_names(ws: Workspace) -> tuple[str, ...]:
    return tuple(model.name for model in ws.registry.models())


def versions(model: str) -> tuple[Entry, ...]:
    """The versions of a model with their runs, newest first. Raises NotFound and Unavailable."""
    return _versions(workspace(), model)


@st.cache_data(ttl=20, max_entries=32, show_spinner="Reading versions…", hash_funcs={Workspace: id})
def _versions(ws: Workspace, model: str) -> tuple[Entry, ...]:
    from core.registry.catalogue import entries

    return entries(ws, model)


def version(model: str, number: int) -> Entry:
    """One version with its run. Raises NotFound and Unavailable."""
    return _version(workspace(), model, number)


@st.cache_data(ttl=20, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _version(ws: Workspace, model: str, number: int) -> Entry:
    from core.registry.catalogue import entry

    return entry(ws, model, number)


def aliases(model: str) -> dict[str, int]:
    """The aliases of a model as MLflow has them now. Raises NotFound and Unavailable."""
    return dict(workspace().registry.model(model).aliases)


def champion(model: str) -> Entry | None:
    """The version that the production alias names; None without one."""
    ws = workspace()
    number = ws.registry.model(model).aliases.get(ws.settings.environments.get("production", "champion"))
    return None if number is None else version(model, number)


def signature(model: str, number: int) -> Signature | ModelDeskError:
    """Inputs and outputs of a version, or why they cannot be read."""
    return _signature(workspace(), model, number)


@st.cache_data(ttl=600, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _signature(ws: Workspace, model: str, number: int) -> Signature | ModelDeskError:
    try:
        return ws.registry.signature(model, number)
    except ModelDeskError as error:
        return error


def as_of(model: str, at: datetime) -> tuple[AsOf, ...]:
    """What was live at a moment, per environment, and who had approved it."""
    from core.registry.catalogue import as_of

    return as_of(workspace(), model, at)


def live_gaps() -> dict[str, tuple[str, ...]]:
    """Per model what its live version lacks: an approval, a lineage. Empty while MLflow does not answer."""
    return _live_gaps(workspace())


@st.cache_data(ttl=30, max_entries=4, show_spinner=False, hash_funcs={Workspace: id})
def _live_gaps(ws: Workspace) -> dict[str, tuple[str, ...]]:
    from core.registry.gaps import live_gaps

    state = ws.ledger.state()
    alias = ws.settings.environments.get("production", "champion")
    try:
        live = {
            model.name: (model.aliases[alias], state.live(model.name, "production"))
            for model in ws.registry.models()
            if alias in model.aliases
        }
        return live_gaps(ws, live)
    except ModelDeskError:
        return {}


def find_versions(text: str) -> tuple[Found, ...]:
    """Versions of any model that a text means. Raises NotFound and BadInput."""
    return _find_versions(workspace(), text)


@st.cache_data(ttl=20, max_entries=64, show_spinner="Looking…", hash_funcs={Workspace: id})
def _find_versions(ws: Workspace, text: str) -> tuple[Found, ...]:
    from core.registry.finding import find

    return find(ws, text)


def moved_outside(model: str | None) -> tuple[Standing, ...]:
    """Where the alias is not what was decided; each such move is put on the record once, actor unknown."""
    from core.registry.standing import detect_outside_moves, standings

    ws = workspace()
    try:
        found = tuple(item for item in standings(ws, model) if not item.in_sync and item.unfinished is None)
        detect_outside_moves(ws, found)
    except ModelDeskError:
        return ()
    return found


def reconcile(standing: Standing, actor: Actor, reason: str, accept: bool) -> Record:
    """Put the alias back to what was decided, or take what MLflow says as the new decision."""
    from core.registry.standing import repair

    done = repair(workspace(), standing.model, standing.environment, actor, reason, accept=accept)
    forget()
    return done


def archived(model: str) -> dict[int, Record]:
    """The archived versions of a model, each with the event that archived it."""
    held = workspace().ledger.state().archived
    return {place[1]: held[place] for place in held if place[0] == model}


def refusal_to_archive(model: str, number: int) -> str:
    """Why a version cannot be archived; '' when it can."""
    from core.registry.retirement import refusal_to_retire

    try:
        refusal = refusal_to_retire(workspace(), model, number, "")
    except ModelDeskError as error:
        return error.what
    return refusal.what if refusal else ""


def archive(model: str, number: int, actor: Actor, reason: str) -> str:
    """Take a version out of use."""
    from core.registry.retirement import archive_version

    archive_version(workspace(), model, number, actor, reason)
    forget()
    return f"{model} v{number} is archived: nobody can ask for its release until it is restored."


def restore(model: str, number: int, actor: Actor, reason: str) -> str:
    """Make an archived version a candidate again."""
    from core.registry.retirement import restore_version

    restore_version(workspace(), model, number, actor, reason)
    forget()
    return f"{model} v{number} is a candidate again."


def version_history(model: str, number: int) -> tuple[Record, ...]:
    """Decisions about one version, newest first."""
    records = workspace().ledger.records(model=model)
    about = ("version", "to_version", "from_version")
    return tuple(
        record for record in reversed(records) if number in [record.payload.get(name) for name in about]
    )
