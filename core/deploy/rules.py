"""Whether a deployment may happen now: freezes and approvals. Rollbacks are never asked this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.deploy.types import EndpointKey
from core.errors import Refused

if TYPE_CHECKING:
    from core.ledger.types import Record
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Basis:
    """By what right a version goes live."""

    name: str


def freeze_of(ws: Workspace, key: EndpointKey) -> Record | None:
    """The freeze that holds for the endpoint; None when there is none."""
    found: Record | None = None
    for record in ws.ledger.records(model=key.model, kinds=("freeze_set", "freeze_lifted")):
        if record.environment in ("", key.environment):
            found = record if record.kind == "freeze_set" else None
    return found


def check_may_deploy(ws: Workspace, key: EndpointKey, version: int) -> Basis:
    """Raises Refused under a freeze."""
    freeze = freeze_of(ws, key)
    if freeze is not None:
        raise Refused(
            f"Promotions of {key} are frozen by {freeze.actor.printed_name} since "
            f"{freeze.at:%Y-%m-%d %H:%M} UTC: {freeze.reason}",
            "Lift the freeze first; rollbacks are always possible.",
        )
    return Basis("no policy")
