"""Registered models read straight from MLflow's database: a few queries, however many versions there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import NotFound
from core.experiments.mlflow_database import Database, Session
from core.experiments.mlflow_schema import KNOWN_REVISIONS
from core.experiments.types import utc
from core.registry.types import Model, ModelVersion

_PROMPT_TAG = "mlflow.prompt.is_prompt"
_DELETED = "Deleted_Internal"
_LOGGED = "models:/m-"

_NOT_PROMPT = (
    "NOT EXISTS (SELECT 1 FROM registered_model_tags AS prompt WHERE prompt.name = {table}.name "
    f"AND prompt.key = '{_PROMPT_TAG}' AND lower(prompt.value) = 'true')"
)


@dataclass
class SqlRegistry:
    """The models of an MLflow database of a known schema; every call is one consistent read."""

    database: Database
    _shape: _Shape | None = field(default=None, init=False)

    def models(self) -> tuple[Model, ...]:
        """Every registered model, by name."""
        with self.database.session() as session:
            return self._models(session, "", ())

    def model(self, name: str) -> Model:
        """One registered model; raises NotFound."""
        with self.database.session() as session:
            found = self._models(session, "AND registered_models.name = ?", (name,))
            if not found:
                raise unknown_model(name, [model.name for model in self._models(session, "", ())])
        return found[0]

    def versions(self, model: str | None = None) -> tuple[ModelVersion, ...]:
        """Versions of a model (None: of all), newest first; raises NotFound for an unknown model."""
        if model is None:
            with self.database.session() as session:
                return self._versions(session, "", ())
        self.model(model)
        with self.database.session() as session:
            return self._versions(session, "AND model_versions.name = ?", (model,))

    def aliased(self, alias: str) -> tuple[ModelVersion, ...]:
        """The version that ``alias`` names of every model that has it, by model."""
        where = (
            "AND (model_versions.name, model_versions.version) IN "
            "(SELECT name, version FROM registered_model_aliases WHERE alias = ?)"
        )
        with self.database.session() as session:
            return self._versions(session, where, (alias,))

    def version(self, model: str, version: int) -> ModelVersion:
        """One version; raises NotFound."""
        where = "AND model_versions.name = ? AND model_versions.version = ?"
        with self.database.session() as session:
            found = self._versions(session, where, (model, version))
        if not found:
            raise unknown_version(model, version, [item.version for item in self.versions(model)])
        return found[0]

    def artifact_uri(self, model: str, version: int) -> str:
        """Where the version's files lie: a path or a URI; raises NotFound."""
        self.version(model, version)
        sql = "SELECT coalesce(storage_location, source) AS place FROM model_versions WHERE name = ? AND version = ?"
        with self.database.session() as session:
            return str(session.rows(sql, (model, version))[0]["place"] or "")

    def revision(self) -> str:
        """The store's schema revision."""
        with self.database.session() as session:
            return session.rows("SELECT version_num FROM alembic_version")[0]["version_num"]

    def _models(self, session: Session, where: str, values: tuple[object, ...]) -> tuple[Model, ...]:
        rows = session.rows(
            "SELECT registered_models.name, creation_time, last_updated_time, description, "
            "coalesce(counted.versions, 0) AS versions, counted.latest FROM registered_models "
            # Counted once for all: a subquery for each model takes twenty times as long for 5,000 versions.
            "LEFT JOIN (SELECT name, count(*) AS versions, max(version) AS latest FROM model_versions "
            f"WHERE current_stage <> '{_DELETED}' GROUP BY name) AS counted ON counted.name = registered_models.name "
            f"WHERE {_NOT_PROMPT.format(table='registered_models')} {where} "
            f"{self._space(session, 'registered_models')} ORDER BY registered_models.name",
            values,
        )
        aliases: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for row in session.rows("SELECT name, alias, version FROM registered_model_aliases"):
            aliases[row["name"]][row["alias"]] = int(row["version"])
        tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for row in session.rows("SELECT name, key, value FROM registered_model_tags"):
            tags[row["name"]][row["key"]] = row["value"] or ""
        return tuple(
            Model(
                name=row["name"],
                versions_count=row["versions"],
                latest_version=row["latest"],
                aliases=aliases.get(row["name"], {}),
                tags=tags.get(row["name"], {}),
                description=row["description"] or "",
                created_at=utc(row["creation_time"]),
                updated_at=utc(row["last_updated_time"]),
            )
            for row in rows
        )

    def _versions(self, session: Session, where: str, values: tuple[object, ...]) -> tuple[ModelVersion, ...]:
        rows = session.rows(
            "SELECT name, version, run_id, creation_time, last_updated_time, description, user_id, "
            "current_stage, source, status FROM model_versions "
            f"WHERE current_stage <> '{_DELETED}' AND {_NOT_PROMPT.format(table='model_versions')} {where} "
            f"{self._space(session, 'model_versions')} ORDER BY name, version DESC",
            values,
        )
        about = _about(session, where, values)
        runs = self._logged_runs(session, rows)
        return tuple(_version(row, about, runs) for row in rows)

    def _space(self, session: Session, table: str) -> str:
        """MLflow 3.10 and later keep workspaces apart in a column; the default one is shown."""
        return f"AND {table}.workspace = 'default'" if self._known(session).workspaces else ""

    def _logged_runs(self, session: Session, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        orphans = any(not row["run_id"] and (row["source"] or "").startswith(_LOGGED) for row in rows)
        if not orphans or not self._known(session).logged_models:
            return {}
        found = session.rows(
            "SELECT model_id, source_run_id FROM logged_models WHERE source_run_id IS NOT NULL"
        )
        return {row["model_id"]: row["source_run_id"] for row in found}

    def _known(self, session: Session) -> _Shape:
        if self._shape is None:
            # One row of nulls, also while there is no model: only its names are wanted.
            columns = session.rows(
                "SELECT m.* FROM (SELECT 1 AS one) AS alone LEFT JOIN registered_models AS m ON 1 = 0"
            )[0]
            revision = session.rows("SELECT version_num FROM alembic_version")[0]["version_num"]
            self._shape = _Shape("workspace" in columns, revision not in _BEFORE_LOGGED_MODELS)
        return self._shape


@dataclass(frozen=True, slots=True)
class _Shape:
    """What this store's schema has."""

    workspaces: bool
    logged_models: bool


_BEFORE_LOGGED_MODELS = frozenset(
    revision
    for releases, revisions in KNOWN_REVISIONS.items()
    for revision in revisions
    if releases.startswith("2.")
)
"""Revisions of MLflow 2.x: no table of logged models yet."""


@dataclass(frozen=True, slots=True)
class _About:
    aliases: Mapping[tuple[str, int], list[str]]
    tags: Mapping[tuple[str, int], dict[str, str]]


def _about(session: Session, where: str, values: tuple[object, ...]) -> _About:
    aliases: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    sql = "SELECT name, version, alias FROM registered_model_aliases AS model_versions WHERE 1 = 1 "
    for row in session.rows(sql + where + " ORDER BY alias", values):
        aliases[row["name"], int(row["version"])].append(row["alias"])
    tags: defaultdict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    sql = "SELECT name, version, key, value FROM model_version_tags AS model_versions WHERE 1 = 1 "
    for row in session.rows(sql + where, values):
        tags[row["name"], int(row["version"])][row["key"]] = row["value"] or ""
    return _About(aliases, tags)


def _version(row: Mapping[str, Any], about: _About, runs: Mapping[str, str]) -> ModelVersion:
    at = row["name"], int(row["version"])
    source = row["source"] or ""
    logged = source.removeprefix("models:/") if source.startswith(_LOGGED) else None
    return ModelVersion(
        model=row["name"],
        version=int(row["version"]),
        run_id=row["run_id"] or runs.get(logged or ""),
        created_at=utc(row["creation_time"]),
        updated_at=utc(row["last_updated_time"]),
        source=source,
        status=row["status"] or "",
        description=row["description"] or "",
        stage="" if row["current_stage"] in (None, "None") else row["current_stage"],
        user=row["user_id"] or "",
        tags=about.tags.get(at, {}),
        aliases=tuple(about.aliases.get(at, ())),
        logged_model_id=logged,
    )


def unknown_model(name: str, known: Iterable[str]) -> NotFound:
    """The error for a model that is not registered, with the nearest names."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name, names, 3, 0.5) or names[:5]
    hint = f"Registered: {', '.join(near)}." if near else "No model is registered in this store."
    return NotFound(f"There is no registered model '{name}'.", hint)


def unknown_version(model: str, version: int, known: Iterable[int]) -> NotFound:
    """The error for a version that does not exist, with the newest ones."""
    newest = ", ".join(str(number) for number in list(known)[:5])
    return NotFound(
        f"'{model}' has no version {version}.", f"Its newest: {newest}." if newest else "It has no version."
    )
