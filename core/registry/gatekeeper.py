"""May this version go live now? Freezes and approvals; every way to production asks here, rollbacks excepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import Refused

if TYPE_CHECKING:
    from core.ledger.state import State
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Basis:
    """By what right a version goes live: ``no policy``, ``not required`` or ``approved``."""

    name: str
    request_id: str = ""
    policy_version: int | None = None


NO_POLICY = Basis("no policy")


def check_not_frozen(state: State, model: str, environment: str) -> None:
    """Raise Refused while promotions of the model are frozen, naming who froze them and why."""
    freeze = state.freeze(model, environment)
    if freeze is None:
        return
    where = f"{model} in {environment}" if environment else model
    raise Refused(
        f"Promotions of {where} are frozen since {freeze.since:%Y-%m-%d %H:%M} UTC by "
        f"{freeze.by.printed_name}: {freeze.reason or freeze.cause}.",
        f"Rolling back stays possible. Lift it with `freeze lift {model} --reason ...` when the cause is gone.",
    )


def basis_for(ws: Workspace, model: str, version: int, environment: str) -> Basis:
    """The right by which the version may go live. Raises Refused (frozen) and ApprovalMissing."""
    check_not_frozen(ws.ledger.state(), model, environment)
    if ws.settings.policy is None:
        return NO_POLICY
    from core.registry.requests import approved_basis

    return approved_basis(ws, model, version, environment)
