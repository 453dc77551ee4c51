"""Signing in comes back to the page one came from.

Streamlit's sign-in ends on the home page. The page it began on is kept in a cookie of ten minutes, readable by
this server alone, and the home page hands it back once. Only paths of this site are kept.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "modeldesk_return_to"
LOGIN, HOME = "/auth/login", "/"
_KEPT_S = 600


class DeepLink:
    """Remembers the page at ``/auth/login`` and returns to it from ``/``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"] == LOGIN:
            await self.app(scope, receive, _with_cookie(send, _page_before(headers)))
            return
        kept = _kept(headers)
        if scope["path"] == HOME and kept:
            response = RedirectResponse(kept, status_code=303)
            response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _with_cookie(send: Send, page: str) -> Send:
    lifetime = f"Max-Age={_KEPT_S}" if page else "Max-Age=0"
    value = f"{COOKIE}={page}; Path=/; {lifetime}; HttpOnly; SameSite=Lax"

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", value)
        await send(message)

    return send_with_cookie


def _page_before(headers: Headers) -> str:
    """Path and query that the sign-in was asked from; '' for the home page, another site and odd characters."""
    parts = urlsplit(headers.get("referer", ""))
    if parts.netloc != headers.get("host"):
        return ""
    page = parts.path + (f"?{parts.query}" if parts.query else "")
    return page if _is_own(page) else ""


def _kept(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found and _is_own(found.value) else ""


def _is_own(page: str) -> bool:
    """A path below this site's root: ``//host`` and backslashes would lead elsewhere."""
    odd = set(page) & set("\\;,\"' \r\n\t")
    return page.startswith("/") and not page.startswith("//") and page != HOME and not odd
