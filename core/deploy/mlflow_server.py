"""One scoring server: MLflow's own, with a name tag, a pulse, a log and limits.

Started as ``uvicorn --uds SOCKET core.deploy.mlflow_server:app`` with ``__pyfunc_model_path__`` in the
environment. Around MLflow's application it does five things: every answer says which version gave it
(``X-Model-Version``) and under which id (``X-Request-Id``); ``/pulse`` turns 503 when a prediction hangs, which
MLflow's ``/ping`` does not notice; ``/probabilities`` gives what the smoke tests ask of a classifier (the router
does not let it through); what was asked and answered goes to served_log; and the process may not take more
memory than it was granted.
"""

# ruff: noqa: E402 - the limit comes before anything of the model's
from __future__ import annotations

import os

from core.deploy.limits import limit

limit(int(os.environ.get("MODELDESK_MEMORY_MB", "4096")))

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from core.deploy.model_files import read_model_file
from core.deploy.served_log import VARIABLE, Asked, LogConfig, ServedLog, request_id_of, scorer_of

HANGS_AFTER_S = float(os.environ.get("MODELDESK_HANGS_AFTER_S", "10"))
VERSION = os.environ.get("MODELDESK_VERSION", "")
NAME_TAG = [
    (b"x-model-version", VERSION.encode()),
    (b"x-model-sha256", os.environ.get("MODELDESK_SHA256", "").encode()),
]
_model_path = os.environ[scoring_server._SERVER_MODEL_PATH]
_model = scoring_server.load_model_with_mlflow_config(_model_path)
_scoring_app = scoring_server.init(_model)
_since: dict[int, float] = {}


def _open_log() -> ServedLog | None:
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    columns = read_model_file(Path(_model_path)).columns
    raw = _model.get_raw_model() if "sklearn" in _model.metadata.flavors else None
    log = ServedLog(LogConfig.read(text), int(VERSION or 0), columns, scorer_of(raw))
    log.start()
    return log


_log = _open_log()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] == "http":
        await _http(scope, receive, send)
    else:
        await _scoring_app(scope, receive, _closing(send))


async def _http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["path"] == "/pulse":
        await _pulse(_tagged(send, NAME_TAG))
        return
    if scope["path"] == "/probabilities":
        await _answer(send, *await asyncio.to_thread(_probabilities, await _body(receive)))
        return
    request = id(scope)
    _since[request] = time.monotonic()
    try:
        if scope["path"] == "/invocations":
            await _answered(scope, receive, send)
        else:
            await _scoring_app(scope, receive, _tagged(send, NAME_TAG))
    finally:
        del _since[request]


async def _answered(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A scored request, with its id in the answer and a copy for the log."""
    headers = dict(scope["headers"])
    request_id = request_id_of(headers.get(b"x-request-id", b"").decode("latin-1"))
    send = _tagged(send, [*NAME_TAG, (b"x-request-id", request_id.encode())])
    if _log is None or b"x-model-desk" in headers or not _log.keeps(request_id):
        await _scoring_app(scope, receive, send)
        return
    asked, answered, status = [], [], [0]
    at, begin = time.time(), time.perf_counter()

    async def hear() -> dict[str, Any]:
        message = await receive()
        asked.append(message.get("body", b""))
        return message

    async def say(message: dict[str, Any]) -> None:
        status[0] = message.get("status", status[0])
        answered.append(message.get("body", b""))
        await send(message)

    await _scoring_app(scope, hear, say)
    if status[0] == 200:
        unit = headers.get(b"x-assign", b"").decode("latin-1")
        seconds = time.perf_counter() - begin
        _log.offer(Asked(request_id, at, seconds, unit, b"".join(asked), b"".join(answered)))


def _tagged(send: Any, tag: list[tuple[bytes, bytes]]) -> Any:
    async def tagged(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *tag]
        await send(message)

    return tagged


def _closing(send: Any) -> Any:
    """The log is written to its end before the server says that it has ended."""

    async def closing(message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.shutdown.complete" and _log is not None:
            _log.close()
        await send(message)

    return closing


async def _pulse(send: Any) -> None:
    oldest = min(_since.values(), default=None)
    hangs = oldest is not None and time.monotonic() - oldest > HANGS_AFTER_S
    await _answer(send, 503 if hangs else 200, b"hangs\n" if hangs else b"beats\n")


def _probabilities(body: bytes) -> tuple[int, bytes]:
    """MLflow's own road from a request to an answer, by ``predict_proba`` in place of ``predict``."""
    raw = _model.get_raw_model() if "sklearn" in _model.metadata.flavors else None
    if not hasattr(raw, "classes_") or not hasattr(_model._model_impl, "predict_proba"):
        return 404, b"{}"
    asked = PyFuncModel(_model.metadata, _model._model_impl, predict_fn="predict_proba")
    try:
        schema = _model.metadata.get_input_schema()
        found = scoring_server.invocations(body, "application/json", asked, schema)
    except MlflowException as error:
        return error.get_http_status_code(), b"{}"
    answer = json.loads(found.response) | {"classes": raw.classes_.tolist()}
    return found.status, json.dumps(answer).encode()


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _answer(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})
