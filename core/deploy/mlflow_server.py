"""One scoring server: MLflow's own, with a name tag and a pulse.

Started as ``uvicorn --uds SOCKET core.deploy.mlflow_server:app`` with ``__pyfunc_model_path__`` in the
environment. Around MLflow's application it does two things: every answer says which version gave it
(``X-Model-Version``), and ``/pulse`` turns 503 when a prediction hangs, which MLflow's ``/ping`` does not
notice. It reads no payload and writes no log of its own.
"""

from __future__ import annotations

import os
import time
from typing import Any

from mlflow.pyfunc.scoring_server.app import app as scoring_app

HANGS_AFTER_S = float(os.environ.get("MODELDESK_HANGS_AFTER_S", "10"))
NAME_TAG = [
    (b"x-model-version", os.environ.get("MODELDESK_VERSION", "").encode()),
    (b"x-model-sha256", os.environ.get("MODELDESK_SHA256", "").encode()),
]
_since: dict[int, float] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] != "http":
        await scoring_app(scope, receive, send)
        return

    async def tagged(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *NAME_TAG]
        await send(message)

    if scope["path"] == "/pulse":
        await _pulse(tagged)
        return
    request = id(scope)
    _since[request] = time.monotonic()
    try:
        await scoring_app(scope, receive, tagged)
    finally:
        del _since[request]


async def _pulse(send: Any) -> None:
    oldest = min(_since.values(), default=None)
    hangs = oldest is not None and time.monotonic() - oldest > HANGS_AFTER_S
    await send({"type": "http.response.start", "status": 503 if hangs else 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hangs\n" if hangs else b"beats\n"})
