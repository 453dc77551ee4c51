"""Reports of checks, kept with a run: the document in MLflow for people, its verdict in the ledger for gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.access import Action, Actor, require
from core.errors import BadSettings
from core.ledger.canonical import digest
from core.ledger.report_events import ReportAttached

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace


def attach(
    ws: Workspace, run_id: str, name: str, verdict: str, document: Mapping[str, Any], actor: Actor
) -> str:
    """Keep ``document`` with a run; the artifact's path. Raises Refused, NotFound, Unavailable."""
    from core.registry.mlflow_writes import log_report

    require(ws.settings, actor, Action.REGISTER)
    run, uri = ws.runs.run(run_id), ws.settings.tracking_uri
    if uri is None:
        raise BadSettings("No MLflow store is configured.", "Set [mlflow] tracking_uri in modeldesk.toml.")
    path = f"checks/{name}.json"
    if not ws.ledger.rehearses:
        log_report(uri, run.run_id, path, document, {f"check.{name}": verdict})
    event = ReportAttached(run_id=run.run_id, name=name, verdict=verdict, sha256=digest(dict(document)))
    ws.ledger.append(event, actor)
    return path


def attached(ws: Workspace, run_id: str, name: str) -> Record | None:
    """The newest report of that name that was kept with the run. MLflow's own tags are no proof."""
    records = ws.ledger.records(kinds=(ReportAttached.kind,))
    mine = [one for one in records if (one.payload["run_id"], one.payload["name"]) == (run_id, name)]
    return mine[-1] if mine else None
