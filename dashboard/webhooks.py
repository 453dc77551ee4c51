"""The one door for machines: MLflow says that something in its registry changed."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from core.errors import ModelDeskError, NotFound, Refused, Unavailable
from core.notify.incoming import MAX_BYTES, Doorkeeper, look_again
from core.workspace import open_workspace

log = logging.getLogger("modeldesk")
_door = Doorkeeper()
_STATUS = {Refused: 401, NotFound: 404, Unavailable: 503}


async def mlflow_webhook(request: Request) -> JSONResponse:
    """Check who knocks, then read the registry again; the body itself is believed in nothing."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return JSONResponse({"error": "The body is too large."}, 413)
    try:
        return JSONResponse(await run_in_threadpool(_answer, dict(request.headers), body))
    except ModelDeskError as error:
        log.warning("MLflow webhook: %s", error.what)
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        return JSONResponse({"error": error.what}, status)


def _answer(headers: dict[str, str], body: bytes) -> dict[str, object]:
    ws = open_workspace(Path(os.environ.get("MODELDESK_WORKSPACE", ".")))
    if not _door.check(ws.settings, headers, body, datetime.now(UTC)):
        return {"status": "known already"}
    moved = look_again(ws)
    if moved:
        from dashboard.services import forget

        forget()
    return {"status": "read again", "moved_outside": moved}
