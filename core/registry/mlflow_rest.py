"""Registered models over HTTP from an MLflow server, in plain REST: no MLflow import, no retries, own timeouts.

MLflow's client hangs for minutes on a server that is down; here a silent server costs one timeout.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.errors import NotFound, Refused, Unavailable
from core.experiments.types import utc
from core.outages import asking
from core.registry.mlflow_sql import unknown_model, unknown_version
from core.registry.types import Model, ModelVersion

if TYPE_CHECKING:
    import httpx

_API = "/api/2.0/mlflow"
_LOGGED = "models:/m-"
_PAGE = 1000
_MANY = 10_000


@dataclass
class RestRegistry:
    """The models of the MLflow server at ``url``."""

    url: str
    timeout_s: float = 3.5

    def models(self) -> tuple[Model, ...]:
        """Every registered model, by name; versions are counted with one more search."""
        counts: dict[str, list[int]] = {}
        for raw in self._pages("model-versions/search", "model_versions", {"max_results": _MANY}):
            counts.setdefault(raw["name"], []).append(int(raw["version"]))
        found = self._pages("registered-models/search", "registered_models", {"max_results": _PAGE})
        return tuple(
            sorted((_model(raw, counts.get(raw["name"], [])) for raw in found), key=lambda m: m.name)
        )

    def model(self, name: str) -> Model:
        """One registered model; raises NotFound."""
        raw = self._registered(name)
        return _model(raw, [int(item["version"]) for item in self._raw_versions(name)])

    def versions(self, model: str | None = None) -> tuple[ModelVersion, ...]:
        """Versions of a model (None: of all), newest first; raises NotFound for an unknown model."""
        if model is not None:
            aliases = {model: _aliases(self._registered(model))}
        else:
            every = self._pages("registered-models/search", "registered_models", {"max_results": _PAGE})
            aliases = {raw["name"]: _aliases(raw) for raw in every}
        found = [
            self._version(raw, aliases[raw["name"]])
            for raw in self._raw_versions(model)
            if raw["name"] in aliases
        ]
        return tuple(sorted(found, key=lambda item: (item.model, -item.version)))

    def aliased(self, alias: str) -> tuple[ModelVersion, ...]:
        """The version that ``alias`` names of every model that has it, by model; a request each."""
        every = self._pages("registered-models/search", "registered_models", {"max_results": _PAGE})
        holders = {raw["name"]: found for raw in every if alias in (found := _aliases(raw))}
        return tuple(
            self._version(self._raw_version(model, holders[model][alias]), holders[model])
            for model in sorted(holders)
        )

    def version(self, model: str, version: int) -> ModelVersion:
        """One version; raises NotFound."""
        aliases = _aliases(self._registered(model))
        try:
            return self._version(self._raw_version(model, version), aliases)
        except NotFound as error:
            raise unknown_version(model, version, (item.version for item in self.versions(model))) from error

    def artifact_uri(self, model: str, version: int) -> str:
        """Where the version's files lie: a path or a URI; raises NotFound."""
        query = {"name": model, "version": str(version)}
        return self._get("model-versions/get-download-uri", query).get("artifact_uri", "")

    def write_alias(self, model: str, alias: str, version: int) -> None:
        """Set an alias, whatever it was; callers compare before and read back after."""
        body = {"name": model, "alias": alias, "version": str(version)}
        self._send("POST", "registered-models/alias", json=body)

    def write_stage(self, model: str, version: int, stage: str) -> None:
        """Put a version into one of MLflow's deprecated stages; other versions stay where they are."""
        body = {"name": model, "version": str(version), "stage": stage, "archive_existing_versions": False}
        self._send("POST", "model-versions/transition-stage", json=body)

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        headers, auth = {}, None
        if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        elif user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
            auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
        verify = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in ("true", "1")
        timeout = httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, 3.0))
        return httpx.Client(
            base_url=self.url.rstrip("/"), headers=headers, auth=auth, timeout=timeout, verify=verify
        )

    def _registered(self, name: str) -> Mapping[str, Any]:
        try:
            return self._get("registered-models/get", {"name": name})["registered_model"]
        except NotFound as error:
            raise unknown_model(name, (model.name for model in self.models())) from error

    def _raw_version(self, model: str, version: int) -> Mapping[str, Any]:
        return self._get("model-versions/get", {"name": model, "version": str(version)})["model_version"]

    def _raw_versions(self, model: str | None) -> Iterator[Mapping[str, Any]]:
        query: dict[str, Any] = {"max_results": _MANY}
        # MLflow's filters have no escape: take the quote that the name lacks, and check equality here as well.
        quote = next((mark for mark in ("'", '"') if model is not None and mark not in model), None)
        if quote:
            query["filter"] = f"name = {quote}{model}{quote}"
        for raw in self._pages("model-versions/search", "model_versions", query):
            if model is None or raw["name"] == model:
                yield raw

    def _version(self, raw: Mapping[str, Any], aliases: Mapping[str, int]) -> ModelVersion:
        number, source = int(raw["version"]), raw.get("source") or ""
        logged = source.removeprefix("models:/") if source.startswith(_LOGGED) else None
        return ModelVersion(
            model=raw["name"],
            version=number,
            run_id=raw.get("run_id") or (self._source_run(logged) if logged else None),
            created_at=utc(_int(raw.get("creation_timestamp"))),
            updated_at=utc(_int(raw.get("last_updated_timestamp"))),
            source=source,
            status=raw.get("status") or "",
            description=raw.get("description") or "",
            stage="" if raw.get("current_stage") in (None, "", "None") else raw["current_stage"],
            user=raw.get("user_id") or "",
            tags=_tags(raw),
            aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
            logged_model_id=logged,
        )

    def _source_run(self, logged_model_id: str) -> str | None:
        try:
            found = self._get(f"logged-models/{logged_model_id}", {})
        except NotFound:
            return None
        return found.get("model", {}).get("info", {}).get("source_run_id") or None

    def _pages(self, path: str, key: str, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            page = self._get(path, {**query, "page_token": token} if token else query)
            yield from page.get(key, ())
            token = page.get("next_page_token") or ""
            if not token:
                return

    def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        return self._send("GET", path, params=query)

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        with asking(self.url.rstrip("/"), self._place):
            answer = self._client.request(method, f"{_API}/{path}", **request)
        return self._opened(answer)

    def _opened(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.status_code in (401, 403):
            raise Refused(
                f"The MLflow server at {self._place} refused access ({answer.status_code}).",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
            )
        if answer.status_code == 404:
            raise NotFound(f"The MLflow server at {self._place} does not know this.", "")
        try:
            if answer.is_success:
                return answer.json()
        except ValueError:
            pass
        raise Unavailable(
            f"The server at {self._place} gave an answer that is not MLflow's (HTTP {answer.status_code}).",
            "Check the tracking URI, and the server's log.",
        )

    @property
    def _place(self) -> str:
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _model(raw: Mapping[str, Any], versions: list[int]) -> Model:
    return Model(
        name=raw["name"],
        versions_count=len(versions),
        latest_version=max(versions, default=None),
        aliases=_aliases(raw),
        tags=_tags(raw),
        description=raw.get("description") or "",
        created_at=utc(_int(raw.get("creation_timestamp"))),
        updated_at=utc(_int(raw.get("last_updated_timestamp"))),
    )


def _aliases(raw: Mapping[str, Any]) -> dict[str, int]:
    return {item["alias"]: int(item["version"]) for item in raw.get("aliases", ())}


def _tags(raw: Mapping[str, Any]) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in raw.get("tags", ())}


def _int(value: object) -> int | None:
    return None if value in (None, "") else int(str(value))
