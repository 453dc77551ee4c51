"""What runs on a node of the Ray engine: a version behind MLflow's scoring, and the ingress that splits traffic.

Imported by Ray Serve on the node alone (requirements-ray.txt); the dashboard only names it in the configuration
that it sends. One application serves one version. Another, the ingress, holds no model: its ``user_config`` says
which application gets what share, so a switch starts nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import time
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from core.deploy.limits import limit
from core.deploy.model_files import read_model_file
from core.deploy.scoring import MARK
from core.deploy.served_log import Asked, LogConfig, ServedLog, request_id_of, scorer_of

ANSWER_S = 20.0
REPORT_S = 0.5
KEPT = 10_000
Answer = tuple[int, dict[str, str], bytes]
Seen = tuple[float, str, int, int]
"""A request of a caller: when (Unix seconds), by which slot, status, milliseconds."""


@serve.deployment(max_ongoing_requests=100)
class Version:
    """One replica of one version."""

    _log: ServedLog | None = None

    def __init__(self, model_path: str, version: int, sha256: str, memory_mb: int, log: str) -> None:
        limit(memory_mb)
        from mlflow.pyfunc import PyFuncModel, scoring_server

        self._scoring = scoring_server
        self._model = scoring_server.load_model_with_mlflow_config(model_path)
        self._schema = self._model.metadata.get_input_schema()
        raw = self._model.get_raw_model() if "sklearn" in self._model.metadata.flavors else None
        self._classes = raw.classes_.tolist() if hasattr(raw, "predict_proba") else None
        self._asked_for_classes = self._classes and PyFuncModel(
            self._model.metadata, self._model._model_impl, predict_fn="predict_proba"
        )
        self._tag = {"X-Model-Version": str(version), "X-Model-Sha256": sha256}
        self._log = _open_log(log, version, model_path, raw)

    def __del__(self) -> None:
        """Ray ends a replica so; what waits for the log is written first."""
        if self._log is not None:
            self._log.close()

    async def logged(self, path: str, body: bytes, content_type: str, request_id: str, unit: str) -> Answer:
        """One request of a caller, as the ingress hands it on; what was scored goes to the log."""
        at, begin = time.time(), time.perf_counter()
        answer = await self.answer(path, body, content_type)
        scored = answer[0] == 200 and path.endswith("/invocations")
        if scored and self._log is not None and self._log.keeps(request_id):
            self._log.offer(Asked(request_id, at, time.perf_counter() - begin, unit, body, answer[2]))
        return answer

    async def answer(self, path: str, body: bytes, content_type: str) -> Answer:
        """One request, not for the log."""
        if path.endswith("/pulse"):
            return 200, self._tag, b"beats\n"
        if path.endswith("/probabilities"):
            return await self._scored(self._asked_for_classes, body, content_type)
        if path.endswith("/invocations"):
            return await self._scored(self._model, body, content_type)
        return 404, self._tag, b"{}"

    async def __call__(self, request: Request) -> Response:
        """One request past the ingress, as the smoke tests make it."""
        content_type = request.headers.get("content-type", "application/json")
        return _response(await self.answer(request.url.path, await request.body(), content_type))

    async def _scored(self, model: Any, body: bytes, content_type: str) -> Answer:
        from mlflow.exceptions import MlflowException

        if model is None:
            return 404, self._tag, b"{}"
        try:
            found = await asyncio.to_thread(
                self._scoring.invocations, body, content_type, model, self._schema
            )
        except MlflowException as error:
            return error.get_http_status_code(), self._tag, error.serialize_as_json().encode()
        text = found.response
        if model is self._asked_for_classes:
            text = json.dumps(json.loads(text) | {"classes": self._classes})
        return found.status, self._tag | {"Content-Type": found.mimetype}, text.encode()


@serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0.1})
class Traffic:
    """Sums what the replicas of the ingress saw, and keeps the newest; begins anew when it is started anew."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._recent: deque[Seen] = deque(maxlen=KEPT)

    def add(self, counts: dict[str, int], seen: list[Seen]) -> dict[str, int]:
        """Take what a replica saw since its last report; gives back the sums."""
        self._counts.update(counts)
        self._recent.extend(seen)
        return dict(self._counts)

    def recent(self) -> list[Seen]:
        """The newest requests of callers, oldest first."""
        return sorted(self._recent)


@serve.deployment(max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1})
class Ingress:
    """Sends each request to a version by weight, and to the previous one when that fails."""

    def __init__(self, endpoint: str, desk_token: str, traffic: Any) -> None:
        self._endpoint, self._desk_token, self._traffic = endpoint, desk_token, traffic
        self._weights: dict[str, int] = {}
        self._previous: str | None = None
        self._handles: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._seen: list[Seen] = []
        self._reporting: asyncio.Task[None] | None = None

    def reconfigure(self, config: dict[str, Any]) -> None:
        """New weights, without a restart; slots in the order in which they divide the scale of units."""
        self._weights, self._previous = dict(config["weights"]), config.get("previous")

    async def __call__(self, request: Request) -> Response:
        """One request from a client."""
        if request.url.path.endswith("/traffic"):
            return Response(json.dumps(await self._report()), media_type="application/json")
        if request.url.path.endswith("/recent"):
            await self._report()
            return Response(json.dumps(await self._traffic.recent.remote()), media_type="application/json")
        if request.url.path.endswith("/probabilities"):
            return Response("{}", 404)
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._keep_reporting())
        at, begin = time.time(), time.perf_counter()
        headers = request.headers
        slot = self._chosen(headers.get("x-assign"))
        asked = (request.url.path, await request.body(), headers.get("content-type", "application/json"))
        method = "answer"
        if not hmac.compare_digest(headers.get(MARK, "").encode(), self._desk_token.encode()):
            method = "logged"  # Ray's proxy gives every request an id, and gives it back with the answer
            asked += (request_id_of(headers.get("x-request-id", "")), headers.get("x-assign", ""))
        for candidate in dict.fromkeys((slot, self._previous)):
            try:
                ask = getattr(self._handle(candidate), method)
                answer = await asyncio.wait_for(ask.remote(*asked), ANSWER_S)
            except Exception:  # noqa: BLE001 - whatever the version's own failure is, the previous one is asked
                self._counts[f"{candidate} error"] += 1
                continue
            self._counts[f"{candidate} {answer[0] // 100}xx"] += 1
            if method == "logged":
                took = round((time.perf_counter() - begin) * 1000)
                self._seen.append((at, str(candidate), answer[0], took))
            return _response(answer)
        self._seen.append((at, "", 503, round((time.perf_counter() - begin) * 1000)))
        return Response("no version answers\n", 503)

    def _chosen(self, unit: str | None) -> str | None:
        total = sum(self._weights.values())
        if not total:
            return self._previous
        if unit is None:
            place = random.random() * total
        else:  # the same unit lands on the same place of the scale, whatever the shares are
            place = int.from_bytes(hashlib.sha256(unit.encode()).digest()[:8]) / 2**64 * total
        for slot, weight in self._weights.items():
            place -= weight
            if place < 0:
                return slot
        return self._previous

    def _handle(self, slot: str | None) -> Any:
        if slot not in self._handles:
            self._handles[slot] = serve.get_app_handle(f"{self._endpoint}-{slot}")
        return self._handles[slot]

    async def _report(self) -> dict[str, int]:
        counts, self._counts = dict(self._counts), Counter()
        seen, self._seen = self._seen, []
        return await self._traffic.add.remote(counts, seen)

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            await self._report()


def version(args: dict[str, str]) -> Any:
    """The application of one version, built by Ray Serve from the arguments in the configuration."""
    return Version.bind(
        args["model_path"], int(args["version"]), args["sha256"], int(args["memory_mb"]), args["log"]
    )


def ingress(args: dict[str, str]) -> Any:
    """The application that clients talk to."""
    return Ingress.bind(args["endpoint"], args["desk_token"], Traffic.bind())


def _open_log(text: str, version: int, model_path: str, raw: Any) -> ServedLog | None:
    if not text:
        return None
    config = LogConfig.read(text)
    # Processes of several nodes may have the same number.
    config = replace(config, name=f"{config.name}-{secrets.token_hex(3)}")
    log = ServedLog(config, version, read_model_file(Path(model_path)).columns, scorer_of(raw))
    log.start()
    return log


def _response(answer: Answer) -> Response:
    status, headers, body = answer
    return Response(body, status, headers)
