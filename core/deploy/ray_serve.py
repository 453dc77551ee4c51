"""The engine for a Ray cluster: Ray Serve, over its REST API alone.

A PUT to Ray Serve replaces everything that it serves, so this workspace must be its only writer: writers here
take turns by a lock, and each sends the whole. Nothing is kept on the Ray side that is not in our database; a head
that comes back empty is sent the same again.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.deploy import paths, ray_config
from core.deploy.scoring import MARK
from core.deploy.served_files import desk_token
from core.deploy.types import (
    Answer,
    Artifact,
    Endpoint,
    EndpointKey,
    Request,
    Slot,
    SlotName,
    SlotTraffic,
)
from core.errors import Unavailable
from core.settings import Settings

if TYPE_CHECKING:
    import httpx

API = "/api/serve/applications/"
API_S, PING_S = 10.0, 3.0
SETTLE_S = 60.0


class RayEngine:
    """Serves on a Ray cluster; nodes must see the artifact cache under the same path."""

    name = "ray"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._where = settings.deploy.ray

    def start(self, endpoint: Endpoint, name: SlotName, version: int, artifact: Artifact) -> None:
        """Nothing yet: the slot is recorded next, and :meth:`apply` sends it to Ray with the rest."""

    def alive(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when a replica of the slot answers with its version."""
        try:
            answer = self._ask(ray_config.slot_name(endpoint.key, slot.name), None, PING_S)
        except Unavailable:
            return False
        return answer.status == 200 and answer.version == slot.version

    def ended(self, endpoint: Endpoint, slot: Slot) -> bool:
        """True when Ray has given the application up."""
        found = self._applications().get(ray_config.slot_name(endpoint.key, slot.name))
        return found is not None and found["status"] == "DEPLOY_FAILED"

    def score(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """One request to the slot's own route."""
        return self._ask(ray_config.slot_name(endpoint.key, slot), payload, timeout_s)

    def probabilities(self, endpoint: Endpoint, slot: SlotName, payload: Any, timeout_s: float) -> Answer:
        """What the slot's classifier says of each class."""
        name = ray_config.slot_name(endpoint.key, slot)
        return self._ask(name, payload, timeout_s, "probabilities")

    def ask(self, endpoint: Endpoint, payload: Any, timeout_s: float) -> Answer:
        """One request through the ingress."""
        return self._ask(paths.endpoint_id(endpoint.key), payload, timeout_s)

    def apply(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Send the whole desired state."""
        with self._turn():
            self._put(ray_config.render(endpoints, self._settings))

    def set_weights(self, endpoint: Endpoint) -> None:
        """Send the ingress its new weights and wait until Ray has taken them; everything else stays as it is."""
        name = paths.endpoint_id(endpoint.key)
        with self._turn():
            configs = {n: found["deployed_app_config"] for n, found in self._applications().items()}
            if name not in configs:
                raise Unavailable(
                    f"Ray serves no ingress for {endpoint.key}.", "It is sent again by deployd."
                )
            wanted = ray_config.user_config(endpoint)
            if configs[name]["deployments"][0].get("user_config") == wanted:
                return
            configs[name]["deployments"][0]["user_config"] = wanted
            self._put(list(configs.values()))
        self._wait_settled(name)

    def write_config(self, endpoints: tuple[Endpoint, ...]) -> bool:
        """True when Ray does not hold what our database says, a head that came back empty above all."""
        held = {name: found["deployed_app_config"] for name, found in self._applications().items()}
        wanted = {item["name"]: item for item in ray_config.render(endpoints, self._settings)}
        return held.keys() != wanted.keys() or any(not _contains(held[name], wanted[name]) for name in wanted)

    def router_alive(self) -> bool:
        """True when Ray's API answers."""
        try:
            self._applications()
        except Unavailable:
            return False
        return True

    def observe(self, endpoint: Endpoint) -> Mapping[SlotName, SlotTraffic]:
        """What the ingress counted, and what Ray says of each version's application."""
        found = self._applications()
        counts = self._ask(paths.endpoint_id(endpoint.key), None, PING_S, "traffic").body or {}
        return {slot.name: _traffic(endpoint, slot.name, found, counts) for slot in endpoint.slots}

    def recent(self) -> tuple[Request, ...]:
        """Recent requests of callers to all endpoints, as far as each ingress keeps them; raises Unavailable."""
        ingresses = [name for name in self._applications() if "-" not in name]
        found = [
            Request(at=at, backend=f"e{name}", server=server, status=status, milliseconds=took)
            for name in ingresses
            for at, server, status, took in self._ask(name, None, PING_S, "recent").body or ()
        ]
        return tuple(sorted(found, key=lambda request: request.at))

    def last_words(self, endpoint: Endpoint, name: SlotName) -> str:
        """Ray's own message about the slot's application."""
        found = self._applications().get(ray_config.slot_name(endpoint.key, name), {})
        lines = [line for line in str(found.get("message", "")).splitlines() if line.strip()]
        return lines[-1] if lines else "Ray says nothing about it"

    def stop(self, endpoint: Endpoint, slot: Slot) -> None:
        """Send everything but the slot's application."""
        name = ray_config.slot_name(endpoint.key, slot.name)
        with self._turn():
            held = self._applications()
            if name in held:
                self._put([found["deployed_app_config"] for n, found in held.items() if n != name])

    def drop_strays(self, endpoints: tuple[Endpoint, ...], busy: Callable[[], frozenset[EndpointKey]]) -> int:
        """Nothing to do: what is not recorded is not in the whole that :meth:`apply` sends."""
        return 0

    def stop_router(self) -> None:
        """End everything that Ray serves; the cluster itself stays."""
        self._call("DELETE", API_S)

    def _applications(self) -> dict[str, dict[str, Any]]:
        return self._call("GET", API_S).json()["applications"]

    def _put(self, applications: list[dict[str, Any]]) -> None:
        self._call("PUT", API_S, json={"applications": applications})

    def _wait_settled(self, name: str) -> None:
        """Until every replica of the ingress has the new weights."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            if self._applications().get(name, {}).get("status") == "RUNNING":
                return
            time.sleep(0.05)
        raise Unavailable(f"Ray did not take new weights within {SETTLE_S:g} s.", "See the Ray dashboard.")

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(trust_env=False, timeout=SETTLE_S)

    @cached_property
    def _desk_token(self) -> str:
        return desk_token(self._settings)

    def _call(self, method: str, timeout_s: float, **more: Any) -> httpx.Response:
        import httpx

        token = self._where.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            response = self._client.request(
                method, self._where.address.rstrip("/") + API, headers=headers, timeout=timeout_s, **more
            )
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            way_out = "Check deploy.ray.token." if status in (401, 403) else "See the Ray dashboard."
            raise Unavailable(f"Ray refused the request with {status}.", way_out) from error
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Ray does not answer at {self._where.address} ({type(error).__name__}).",
                "Start the cluster; deployd sends it what should serve.",
            ) from error
        return response

    def _ask(self, application: str, payload: Any, timeout_s: float, route: str | None = None) -> Answer:
        import httpx

        route = route or ("pulse" if payload is None else "invocations")
        own = {MARK: self._desk_token}
        url = f"{self._where.serve_address.rstrip('/')}/{application}/{route}"
        begin = time.perf_counter()
        try:
            if payload is None:
                response = self._client.get(url, headers=own, timeout=timeout_s)
            else:
                response = self._client.post(url, headers=own, json=payload, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"No answer from Ray within {timeout_s:g} s ({type(error).__name__}).",
                "See the Ray dashboard.",
            ) from error
        seconds, version = time.perf_counter() - begin, response.headers.get("x-model-version", "")
        return Answer(
            status=response.status_code,
            body=_json(response),
            seconds=seconds,
            version=int(version) if version.isdigit() else None,
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with (paths.run_dir(self._settings) / "ray.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _traffic(
    endpoint: Endpoint, name: SlotName, found: Mapping[str, Any], counts: Mapping[str, int]
) -> SlotTraffic:
    own = found.get(ray_config.slot_name(endpoint.key, name), {})
    ingress = found.get(paths.endpoint_id(endpoint.key), {}).get("deployed_app_config", {})
    weights = ingress.get("deployments", [{}])[0].get("user_config", {}).get("weights", {})
    kinds = {kind: counts.get(f"{name} {kind}", 0) for kind in ("2xx", "4xx", "5xx", "error")}
    return SlotTraffic(
        up=own.get("status") == "RUNNING",
        weight=weights.get(str(name), 0),
        requests=sum(kinds.values()),
        status_2xx=kinds["2xx"],
        status_4xx=kinds["4xx"],
        status_5xx=kinds["5xx"],
        connection_errors=kinds["error"],
        failed_checks=0,
    )


def _contains(held: Any, wanted: Any) -> bool:
    """Ray adds its defaults to what it was sent; what it was sent must be there unchanged."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return all(key in held and _contains(held[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(held, list):
        return len(held) == len(wanted) and all(map(_contains, held, wanted))
    return bool(held == wanted)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
