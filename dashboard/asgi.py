"""The server: the Streamlit app with health routes, security headers and an error hook.

``python -m dashboard`` starts it; any ASGI server can too (``uvicorn dashboard.asgi:app``).
"""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import ModelDeskError
from dashboard.background import reading_ahead
from dashboard.deep_link import DeepLink
from dashboard.parts.failure import show_failure, show_unexpected
from dashboard.webhooks import mlflow_webhook

log = logging.getLogger("modeldesk")

# 'unsafe-eval' is what Plotly and ECharts need to compile their accessors, and the hash is Streamlit's one
# inline script; styles are inline by Streamlit's design. Everything comes from this server alone.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' "
        "'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob: data:",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds the headers Streamlit leaves out to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


async def healthz(_: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


def on_script_error(error: Exception) -> bool:
    """Show what went wrong in plain words; the details go to the log, never to the page."""
    if isinstance(error, ModelDeskError):
        show_failure(error)
    else:
        log.error("unexpected error on a page", exc_info=error)
        show_unexpected(error)
    return True


app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[Route("/healthz", healthz), Route("/webhooks/mlflow", mlflow_webhook, methods=["POST"])],
    middleware=[Middleware(SecurityHeaders), Middleware(DeepLink)],
    on_script_error=on_script_error,
    lifespan=reading_ahead,
)
