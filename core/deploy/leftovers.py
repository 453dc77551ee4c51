"""What becomes of an operation whose process died on the way: never neither the old nor the new version."""

from __future__ import annotations

from core.deploy import traffic
from core.deploy.desk import Desk
from core.deploy.types import Operation, OperationKind
from core.errors import Unavailable


def settle(desk: Desk, operation: Operation) -> str:
    """Bring an aborted operation to an end that can be told; gives back the sentence for it.

    Before its switch was recorded nothing had changed: what it started is ended. After that the switch is a
    fact, and is completed: the router has been told, the endpoint is asked who answers.
    """
    what = f"{operation.kind} of {operation.key} to v{operation.to_version}, left behind by its process,"
    endpoint = desk.store.endpoint(operation.key)
    if endpoint is None or not desk.journal.switched(operation):
        if endpoint is not None:
            traffic.tidy(desk, endpoint)
        return f"{what} is aborted: v{endpoint.live_version if endpoint else None} is still live"
    slot = endpoint.slot_of(operation.to_version)
    try:
        if slot is not None and endpoint.live == slot.name:
            proof = traffic.verify(desk, endpoint, slot)
        else:
            proof = traffic.verify_share(desk, endpoint, slot)
    except Unavailable as error:
        return f"{what} had been recorded, but v{operation.to_version} does not answer: {error.what}"
    again = " again" if operation.kind is OperationKind.ROLLBACK else ""
    desk.journal.complete(
        operation, f"v{operation.to_version} serves {operation.key}{again}; completed by deployd."
    )
    traffic.tidy(desk, endpoint)
    return f"{what} is completed: {proof}"
