"""Code that a version's files would run when they are loaded, and the approval that allows it, name by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.deploy.serialization import Findings, inspect
from core.deploy.types import EndpointKey

if TYPE_CHECKING:
    from core.registry.gatekeeper import Basis
    from core.workspace import Workspace


def code_of(ws: Workspace, model: str, version: int, environment: str) -> Findings:
    """What loading the version would run, read from its files in a process of its own.

    Raises NotFound, Unavailable, and Refused for files that cannot be read safely.
    """
    folder = ws.registry.folder(model, version)
    return inspect(folder or ws.deployments.fetch(EndpointKey(model, environment), version).directory)


def listed(ws: Workspace, request_id: str, say: Callable[[str], None]) -> tuple[str, ...]:
    """Each name that loading the files of a request would run, said before somebody signs for it."""
    from core.registry.requests import find_request

    opened = find_request(ws, request_id).opened
    found = code_of(ws, opened.model, opened.version, opened.environment)
    say(f"loading {opened.model} v{opened.version} runs: {found.sentence}")
    for name in found.names:
        say(f"  {name}")
    return found.names


def allowed_by(basis: Basis, findings: Findings, flagged_by: str) -> str:
    """Who allowed the code, '' for nobody.

    Where a policy asks for an approval, that approval must name all of it, so that two people stand for it. Where
    none is asked for, ``flagged_by`` is the approver who said so with the command, '' when nobody did.
    """
    if basis.name != "approved":
        return flagged_by
    return f"approval {basis.request_id}" if basis.allows_code.issuperset(findings.names) else ""
