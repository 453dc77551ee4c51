"""What someone who is about to roll back must know and cannot see on the page: is the target fit, what differs,
who is affected, what is not undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.deploy import cold, served_files
from core.deploy import hash as tree
from core.deploy.types import Endpoint, EndpointKey, EndpointStatus
from core.errors import ModelDeskError
from core.privacy import shown_count

if TYPE_CHECKING:
    from core.workspace import Workspace

MOST_DIFFERENCES = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One finding: PASS, FAIL or INCONCLUSIVE, and its sentence."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The findings about a rollback, all known without MLflow."""

    checks: tuple[Line, ...]
    affected: str
    not_undone: str


def preflight(ws: Workspace, key: EndpointKey, target: int, status: EndpointStatus | None) -> Preflight:
    """What is known about going from what serves to ``target``; MLflow is not asked."""
    endpoint = ws.deployments.store.endpoint(key)
    live = endpoint.live_version if endpoint else None
    return Preflight(
        checks=_checks(ws, endpoint, target) if endpoint else (),
        affected=_affected(status),
        not_undone=_not_undone(ws, key, live),
    )


def _checks(ws: Workspace, endpoint: Endpoint, target: int) -> tuple[Line, ...]:
    try:
        artifact = cold.kept_artifact(ws.deployments, endpoint, target)
        tree.check_artifact(artifact)
    except ModelDeskError as error:
        return (Line("FAIL", error.what),)
    decided = {
        service.sha256
        for service in ws.ledger.state().services.get((endpoint.key.model, endpoint.key.environment), ())
        if service.version == target and service.sha256
    }
    found = [Line("PASS", "Its files are here, unchanged since they served.")]
    if decided:
        same = artifact.sha256 in decided
        says = "is the one" if same else "is NOT the one"
        digest = f"Digest {artifact.sha256[:12]} {says} on the record."
        found.append(Line("PASS" if same else "FAIL", digest))
    slot = endpoint.slot_of(target)
    warm = slot is not None and ws.deployments.engine.alive(endpoint, slot)
    found.append(
        Line("PASS", "Warm: it answers now; the switch takes milliseconds.")
        if warm
        else Line("INCONCLUSIVE", "Cold: it is started first, about 20 s; live goes on meanwhile.")
    )
    return tuple(found)


def differences(ws: Workspace, model: str, live: int, target: int) -> tuple[str, ...]:
    """Parameters of the runs behind both versions, as ``name: live → target``; raises Unavailable, NotFound."""
    versions = [ws.registry.version(model, number) for number in (live, target)]
    params = [dict(ws.runs.run(v.run_id).params) if v.run_id else {} for v in versions]
    names = sorted(name for name in params[0].keys() | params[1].keys())
    changed = [
        f"{name}: {params[0].get(name, 'not set')} → {params[1].get(name, 'not set')}"
        for name in names
        if params[0].get(name) != params[1].get(name)
    ]
    more = len(changed) - MOST_DIFFERENCES
    return (*changed[:MOST_DIFFERENCES], *([f"and {more} more"] if more > 0 else []))


def _affected(status: EndpointStatus | None) -> str:
    if status is None or status.requests_per_s is None:
        return "Traffic is not observed, so who is affected is not known."
    if not status.requests_per_s:
        return "No requests came in the last minute."
    shares = ", ".join(f"v{version} {share:.0%}" for version, share in sorted(status.traffic.items()))
    return f"All callers: {status.requests_per_s:.1f} requests/s in the last minute ({shares})."


def _not_undone(ws: Workspace, key: EndpointKey, live: int | None) -> str:
    """Answers that were given are not recalled; how many, from the log of the last days."""
    count = served_files.count_of(served_files.folder_of(ws.settings, key), live) if live else 0
    known = f" The log holds {shown_count(count)} answers by v{live}." if count else ""
    return f"Answers that were already given are not recalled.{known}"
