"""A scoring server that starts at once: what a slot runs where a test is about the road and not about the model.

It keeps the contract of core.deploy.mlflow_server towards the router: a pulse, scored answers, the name tag.
"""

from __future__ import annotations

import os
from typing import Any

TAG = [(b"x-model-version", os.environ.get("MODELDESK_VERSION", "").encode())]
ROUTES = {
    "/pulse": (200, b"beats\n"),
    "/invocations": (200, b'{"predictions": [0, 0, 0]}'),
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status, answer = ROUTES.get(scope["path"], (404, b"{}"))
    if scope["path"] == "/invocations" and b'"age"' not in body:
        status = 400
    headers = [*TAG, (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
