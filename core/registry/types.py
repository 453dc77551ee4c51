"""Registered models and their versions, whichever store they came from.

Versions are numbers here (MLflow gives text over HTTP and numbers from SQL), aliases are inverted from the
registered model (MLflow's version searches leave them empty), and prompts are not models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A registered model. ``aliases`` maps alias -> version; ``latest_version`` is None without versions."""

    name: str
    versions_count: int
    latest_version: int | None = None
    aliases: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model. ``run_id`` is its source run, resolved through the logged model when needed.

    ``source`` is MLflow's own text (``models:/m-...``, ``runs:/...`` or a path), ``stage`` one of MLflow's
    deprecated stages ('' when none).
    """

    model: str
    version: int
    run_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    source: str = ""
    status: str = "READY"
    description: str = ""
    stage: str = ""
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    logged_model_id: str | None = None

    @property
    def name(self) -> str:
        """``model/version``, as references and file names write it."""
        return f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class SignatureField:
    """One input, output or parameter of a model: its type as MLflow names it."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a version takes and gives, read from its MLmodel file without loading the model."""

    inputs: tuple[SignatureField, ...] = ()
    outputs: tuple[SignatureField, ...] = ()
    params: tuple[SignatureField, ...] = ()
    flavors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias that was moved and read back; ``before`` is None when it did not exist."""

    model: str
    alias: str
    before: int | None
    after: int


def said(version: int | None) -> str:
    """A version as people write it; ``nothing`` where there is none."""
    return "nothing" if version is None else f"v{version}"


class ModelReader(Protocol):
    """What both readers (SQL and MLflow's client) offer. Failures are Unavailable, NotFound, BadInput."""

    def models(self) -> tuple[Model, ...]:
        """Every registered model, by name."""
        ...

    def model(self, name: str) -> Model:
        """One registered model; raises NotFound."""
        ...

    def versions(self, model: str | None = None) -> tuple[ModelVersion, ...]:
        """Versions of a model (None: of all), newest first; raises NotFound for an unknown model."""
        ...

    def aliased(self, alias: str) -> tuple[ModelVersion, ...]:
        """The version that ``alias`` names of every model that has it, by model."""
        ...

    def version(self, model: str, version: int) -> ModelVersion:
        """One version; raises NotFound."""
        ...

    def artifact_uri(self, model: str, version: int) -> str:
        """Where the version's files lie: a path or a URI; raises NotFound."""
        ...
