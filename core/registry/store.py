"""The registry door: reading models and versions, and moving an alias without stepping on anybody's toes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from core.errors import BadInput, Conflict, IntegrityFailure, NotFound, Unavailable
from core.registry.mlmodel import read_mlmodel
from core.registry.stages import StageWriter, stage_moves
from core.registry.types import AliasMove, Model, ModelReader, ModelVersion, Signature, said


class AliasWriter(Protocol):
    """Sets an alias in MLflow, whatever it was before."""

    def __call__(self, model: str, alias: str, version: int) -> None: ...


Exclusive = Callable[[str], AbstractContextManager[None]]
"""Holds a named lock among everyone who shares the ledger."""


class Registry:
    """Models, versions and aliases of one MLflow store.

    ``stages`` maps an alias to the deprecated stage that says the same; empty where nobody reads stages.
    """

    def __init__(
        self,
        reader: ModelReader,
        write_alias: AliasWriter,
        exclusive: Exclusive,
        *,
        write_stage: StageWriter,
        stages: Mapping[str, str],
    ) -> None:
        self._reader = reader
        self._write_alias = write_alias
        self._exclusive = exclusive
        self._write_stage = write_stage
        self._stages = stages

    def models(self) -> tuple[Model, ...]:
        """Every registered model, by name; prompts are left out."""
        return self._reader.models()

    def model(self, name: str) -> Model:
        """One registered model; raises NotFound."""
        return self._reader.model(name)

    def versions(self, model: str | None = None) -> tuple[ModelVersion, ...]:
        """Versions of a model (None: of all models), newest first; raises NotFound for an unknown model."""
        return self._reader.versions(model)

    def aliased(self, alias: str) -> tuple[ModelVersion, ...]:
        """The version that ``alias`` names of every model that has it, by model."""
        return self._reader.aliased(alias)

    def version(self, model: str, version: int) -> ModelVersion:
        """One version; raises NotFound."""
        return self._reader.version(model, version)

    def by_alias(self, model: str, alias: str) -> ModelVersion:
        """The version that an alias names; raises NotFound, naming the aliases that exist."""
        aliases = self._reader.model(model).aliases
        if alias not in aliases:
            known = ", ".join(f"{name} (v{number})" for name, number in sorted(aliases.items()))
            raise NotFound(
                f"'{model}' has no alias '{alias}'.", f"It has: {known}." if known else "It has no aliases."
            )
        return self._reader.version(model, aliases[alias])

    def artifact_uri(self, model: str, version: int) -> str:
        """Where the version's files lie: a path or a URI; raises NotFound."""
        return self._reader.artifact_uri(model, version)

    def folder(self, model: str, version: int) -> Path | None:
        """The version's files when they lie on this machine, else None."""
        uri = self.artifact_uri(model, version)
        parts = urlsplit(uri)
        path = Path(unquote(parts.path)) if parts.path and parts.scheme in ("file", "") else None
        return path if path is not None and path.is_dir() else None

    def signature(self, model: str, version: int) -> Signature:
        """Inputs, outputs and flavors from the MLmodel file; the model is not loaded. Raises Unavailable."""
        return read_mlmodel(self.file_text(model, version, "MLmodel"))

    def file_text(self, model: str, version: int, name: str) -> str:
        """The text of a small file that was logged with the model, from wherever it lies. Raises Unavailable."""
        folder = self.folder(model, version)
        try:
            if folder is not None:
                return (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"The {name} file of {model}/{version} cannot be read.",
                "Its files may be gone from the artifact store.",
            ) from error
        from core.registry.mlflow_files import fetch_text

        return fetch_text(self.artifact_uri(model, version), name)

    def set_alias(self, model: str, alias: str, version: int, expected: int | None) -> AliasMove:
        """Move ``alias`` from the version the caller saw (None: it did not exist) to ``version``.

        Raises Conflict when it names another version by now (nothing is changed), IntegrityFailure when MLflow
        reads back something else than was written, and NotFound, Unavailable, Refused.
        """
        with self._exclusive(f"alias {model}"):
            return self.move_alias(model, alias, version, expected)

    def move_alias(self, model: str, alias: str, version: int, expected: int | None) -> AliasMove:
        """:meth:`set_alias` for callers who hold a lock on the model already."""
        _check_alias(alias)
        self._reader.version(model, version)
        before = self._reader.model(model).aliases.get(alias)
        if before != expected:
            raise Conflict(
                f"{model}@{alias} is {said(before)} by now, not {said(expected)}; nothing was changed.",
                "Look at the new state and decide again.",
            )
        # The stages first: when they cannot be written, the alias, which decides, has not moved either.
        self._mirror(model, alias, version)
        self._write_alias(model, alias, version)
        after = self._reader.model(model).aliases.get(alias)
        if after != version:
            raise IntegrityFailure(
                f"{model}@{alias} was set to v{version} but reads back as {said(after)}.",
                "Someone else may be writing at the same time: run `reconcile`.",
            )
        return AliasMove(model, alias, before, after)

    def set_stage(self, model: str, version: int, stage: str) -> None:
        """Put a version into a stage, where stages are mirrored at all. Raises Unavailable."""
        if self._stages:
            self._write_stage(model, version, stage)

    def _mirror(self, model: str, alias: str, version: int) -> None:
        """Bring the stages to what the aliases will say; raises IntegrityFailure when they read back otherwise."""
        if alias not in self._stages:
            return
        named = {**self._reader.model(model).aliases, alias: version}
        for move in stage_moves(self._reader.versions(model), named, self._stages):
            self._write_stage(model, move.version, move.after)
        if left := stage_moves(self._reader.versions(model), named, self._stages):
            raise IntegrityFailure(
                f"{model} v{left[0].version} was put into the stage {left[0].after} and reads back as "
                f"{left[0].before or 'none'}.",
                "Someone else may be writing at the same time: run `reconcile`.",
            )


def _check_alias(alias: str) -> None:
    import re

    if not re.fullmatch(r"[\w-]{1,255}", alias) or alias == "latest" or re.fullmatch(r"v\d+", alias):
        raise BadInput(
            f"'{alias}' cannot be an alias.",
            "Use letters, digits, _ and -; MLflow reserves 'latest' and names like 'v2'.",
        )
