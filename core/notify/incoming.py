"""MLflow's registry webhooks: a knock on the door, never a fact. Who knocks is checked, then the state is read again.

MLflow signs ``delivery id . timestamp . body`` with HMAC-SHA-256 (``X-MLflow-Signature: v1,<base64>``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.errors import NotFound, Refused

if TYPE_CHECKING:
    from core.settings import Settings
    from core.workspace import Workspace

WINDOW = timedelta(minutes=5)
MAX_BYTES = 256 * 1024
_MOST_SEEN = 10_000


class Doorkeeper:
    """Lets a signed, fresh, new delivery in; what it has seen is kept as long as the window is open."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def check(self, settings: Settings, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """True for a new delivery, False for one that was here already.

        Raises NotFound while no secret is configured, Refused for a wrong signature or an old timestamp.
        """
        variable = settings.mlflow.webhook_secret_variable
        secret = os.environ.get(variable or "")
        if not secret:
            raise NotFound("No webhook secret is configured.", "Set [mlflow] webhook_secret_variable.")
        delivery, stamp = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
        if not hmac.compare_digest(
            signature(secret, delivery, stamp, body), headers.get("x-mlflow-signature", "")
        ):
            raise Refused("The signature is not MLflow's.", "Give the webhook the same secret.")
        age = abs(now.timestamp() - float(stamp)) if stamp.isdigit() else WINDOW.total_seconds() + 1
        if age > WINDOW.total_seconds():
            raise Refused("The delivery is too old to be taken for new.", "Are both clocks right?")
        with self._lock:
            self._seen = {one: at for one, at in self._seen.items() if now - at < 2 * WINDOW}
            known = delivery in self._seen or len(self._seen) >= _MOST_SEEN
            self._seen[delivery] = now
        return not known


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """MLflow's signature of a delivery."""
    signed = f"{delivery}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def look_again(ws: Workspace) -> int:
    """Read aliases anew and record what was moved outside; how many moves were new. Raises Unavailable."""
    from core.registry.standing import detect_outside_moves, standings

    return len(detect_outside_moves(ws, standings(ws)))
