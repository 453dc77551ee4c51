"""Requests to an MLflow server's REST interface, without importing MLflow (its client takes 4 s to import).

A dead server is found by ``/health`` within seconds; MLflow's own client would retry for minutes.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, NotFound, Refused, Unavailable
from core.outages import asking

if TYPE_CHECKING:
    import httpx

HEALTH_SECONDS = 3.0
ANSWER_SECONDS = 60.0
"""A page of 1,000 runs costs a server 2.4 s of CPU; a busy one needs several times that."""


class NoSuchRoute(Unavailable):
    """The server does not know what it was asked for: not every server has every route."""


class MlflowServer:
    """Requests to one MLflow server; its errors as ours. Signs in as MLflow's own variables say."""

    serves_artifacts = True

    def __init__(self, uri: str, timeout_s: float = HEALTH_SECONDS) -> None:
        self.uri = re.sub(r"//[^@/]*@", "//", uri).rstrip("/")
        self._root = uri.rstrip("/")
        self._timeout_s = min(timeout_s, HEALTH_SECONDS)
        self._opened: httpx.Client | None = None

    def greet(self) -> None:
        """Raise Unavailable unless something answers; what it answers does not matter yet."""
        self._send("GET", f"{self._root}/health", timeout=self._timeout_s)

    def get(self, path: str, query: Any, door: str = "api") -> dict[str, Any]:
        """The JSON answer of a GET."""
        return _parsed(self._checked(self._send("GET", self._url(path, door), params=query)))

    def get_pages(self, path: str, query: dict[str, Any], field: str) -> Iterator[dict[str, Any]]:
        """Every item of a paged GET."""
        while True:
            answer = self.get(path, query)
            yield from answer.get(field, ())
            if not (token := answer.get("next_page_token")):
                return
            query = {**query, "page_token": token}

    def pages(
        self, path: str, body: dict[str, Any], field: str, together: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Every item of a paged POST with ``max_results``.

        Where the server's tokens are plain offsets, ``together`` pages are asked for at the same time.
        """
        answer = self._post(path, body)
        yield from answer.get(field, ())
        token = answer.get("next_page_token")
        if together > 1 and token and _offset(token) == body["max_results"]:
            yield from self._pages_together(path, body, field, together)
            return
        while token:
            answer, asked = self._post(path, {**body, "page_token": token}), token
            yield from answer.get(field, ())
            token = answer.get("next_page_token")
            if token == asked:
                raise Unavailable(
                    f"The MLflow server at {self.uri} answers with the same page again and again."
                )

    def _pages_together(
        self, path: str, body: dict[str, Any], field: str, together: int
    ) -> Iterator[dict[str, Any]]:
        size = body["max_results"]
        offsets = count(size, size)
        with ThreadPoolExecutor(together) as pool:
            while True:
                bodies = [{**body, "page_token": _token(offset)} for offset in islice(offsets, together)]
                for answer in pool.map(lambda asked: self._post(path, asked), bodies):
                    yield from answer.get(field, ())
                    if not answer.get("next_page_token"):
                        return

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _parsed(self._checked(self._send("POST", self._url(path, "api"), json=body)))

    def file(self, run_id: str, path: str, max_bytes: int) -> bytes:
        """An artifact of at most ``max_bytes``, which is not fetched further when it is longer."""
        query = {"run_id": run_id, "path": path}
        url = f"{self._root}/get-artifact"
        with asking(self._root, self.uri), self._client.stream("GET", url, params=query) as answer:
            if answer.status_code >= 400:
                answer.read()
                self._checked(answer)
            found = bytearray()
            for chunk in answer.iter_bytes():
                found += chunk
                if len(found) > max_bytes:
                    raise BadInput(f"{path} is larger than {max_bytes:,} bytes.", "Download it with MLflow.")
        return bytes(found)

    def _url(self, path: str, door: str) -> str:
        return f"{self._root}/{door}/2.0/mlflow/{path}"

    @property
    def _client(self) -> httpx.Client:
        if self._opened is None:
            import httpx

            user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
            insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
            self._opened = httpx.Client(
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=self._timeout_s),
                auth=(user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None,
                headers={"Authorization": f"Bearer {token}"} if token and not user else None,
                verify=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure,
                follow_redirects=True,
            )
        return self._opened

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        with asking(self._root, self.uri):
            return self._client.request(method, url, **options)

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code < 400:
            return answer
        try:
            detail = answer.json()
        except ValueError:
            detail = {}
        message = str(detail.get("message") or answer.text[:200] or answer.reason_phrase)
        if detail.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(message)
        if answer.status_code in (401, 403):
            raise Refused(
                f"The MLflow server at {self.uri} refuses: {message}",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; "
                "for 'Invalid Host header' start the server with --allowed-hosts.",
            )
        kind = NoSuchRoute if answer.status_code == 404 else Unavailable
        raise kind(f"The MLflow server at {self.uri} answers {answer.status_code}: {message}")


def _offset(token: str) -> int | None:
    """The offset in a page token of MLflow's own server; None for any other."""
    try:
        return int(json.loads(base64.b64decode(token, validate=True))["offset"])
    except (ValueError, KeyError, TypeError):
        return None


def _token(offset: int) -> str:
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    found = _json(answer.content)
    if not isinstance(found, dict):
        raise Unavailable(
            f"{answer.url.copy_with(username=None, password=None)} did not answer in MLflow's JSON.",
            "Check that the tracking URI names an MLflow server.",
        )
    return found


def _json(content: bytes) -> Any:
    """What the text says, None where it is no JSON."""
    import orjson

    with suppress(orjson.JSONDecodeError):
        return orjson.loads(content)
    with suppress(ValueError):
        # MLflow's bulk answers hold bare NaN, which is not JSON but which Python reads.
        return json.loads(content)
    return None
