"""The deployment side of a workspace: database, engine and the stores that a deployment talks to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.deploy import paths
from core.deploy.database import DeployDatabase
from core.deploy.embedded import EmbeddedEngine
from core.deploy.engine import Engine
from core.deploy.fetch import fetch
from core.deploy.journal import Journal
from core.deploy.outbox import Outbox
from core.deploy.ray_serve import RayEngine
from core.deploy.store import Store
from core.deploy.types import Artifact, Endpoint, EndpointKey
from core.errors import BadInput, BadSettings, IntegrityFailure

if TYPE_CHECKING:
    from core.settings import Settings
    from core.workspace import Workspace


ENGINES: Mapping[str, Callable[[Settings], Engine]] = {"embedded": EmbeddedEngine, "ray": RayEngine}


class Desk:
    """Opened once per workspace; nothing is started or written by opening it."""

    def __init__(self, ws: Workspace) -> None:
        self.ws = ws
        self.settings = ws.settings
        self.database = DeployDatabase(ws.settings.ledger_url)
        self.store = Store(self.database)
        self.journal = Journal(self.database)
        self.outbox = Outbox(self.database)

    @cached_property
    def engine(self) -> Engine:
        """The serving engine that the settings name; raises BadSettings when there is none."""
        if not self.serves:
            raise BadSettings(
                "This workspace serves nothing itself (deploy.engine is 'none').",
                "Set deploy.engine to 'embedded' or 'ray' in modeldesk.toml.",
            )
        return ENGINES[self.settings.deploy.engine](self.settings)

    @property
    def serves(self) -> bool:
        """True when an engine is set; without one, deployments move the MLflow alias alone."""
        return self.settings.deploy.engine in ENGINES

    def can_serve(self, key: EndpointKey) -> bool:
        """True when an engine is set and the settings leave this endpoint to it."""
        patterns = self.settings.deploy.endpoints
        return self.serves and any(fnmatchcase(str(key), pattern) for pattern in patterns)

    def is_serving(self, key: EndpointKey) -> bool:
        """True when the engine holds a live version for this endpoint; else its alias is all there is."""
        endpoint = self.store.endpoint(key) if self.can_serve(key) else None
        return endpoint is not None and endpoint.live is not None

    @property
    def cache(self) -> Path:
        """Where fetched artifacts are kept."""
        return paths.state_dir(self.settings) / "artifacts"

    def key(self, model: str, environment: str) -> EndpointKey:
        """The endpoint's key; raises BadInput for an environment that the settings do not name."""
        if environment not in self.settings.environments:
            known = ", ".join(self.settings.environments)
            raise BadInput(f"There is no environment '{environment}'.", f"This workspace has: {known}.")
        return EndpointKey(model, environment)

    def endpoint(self, key: EndpointKey, actor: str) -> Endpoint:
        """The endpoint, made when it is new."""
        found = self.store.endpoint(key)
        return found or self.store.ensure_endpoint(key, self.settings.deploy.ports.get(str(key)), actor)

    def fetch(self, key: EndpointKey, version: int) -> Artifact:
        """The version's files; raises IntegrityFailure when they differ from when it last served here."""
        uri = self.ws.registry.artifact_uri(key.model, version)
        artifact = fetch(uri, self.cache, self.settings.tracking_uri)
        before = self.store.artifact_of(key, version)
        if before is not None and before.sha256 != artifact.sha256:
            raise IntegrityFailure(
                f"The files of {key.model} v{version} are not those that served before: "
                f"digest {artifact.sha256[:12]}, then {before.sha256[:12]}.",
                "Find out who changed them; register the new files as a new version.",
            )
        return artifact
