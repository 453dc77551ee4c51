"""Registering a run's model as a version: once per content, with the code and data it came from."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from core.access import Action, Actor, require
from core.errors import BadInput, BadSettings, ModelDeskError, NotFound
from core.ledger.canonical import digest
from core.ledger.version_events import VersionRegistered

if TYPE_CHECKING:
    from core.experiments.types import Run
    from core.registry.mlflow_writes import LoggedFiles
    from core.registry.types import ModelVersion
    from core.workspace import Workspace

SHA256_TAG = "modeldesk.sha256"
_OF_THE_LOGGING = frozenset(
    {"run_id", "model_id", "model_uuid", "utc_time_created", "artifact_path", "model_size_bytes"}
)
"""Keys of MLmodel that say when and by which run it was logged, not what the model is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A version and what it was made from. ``created`` is False when this content was a version already;
    ``version`` is None in a rehearsal that would make one."""

    model: str
    version: int | None
    created: bool
    run_id: str
    sha256: str
    git_commit: str
    dvc_lock: str
    data_hash: str

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        if self.version is None:
            return f"{self.model} would get a new version from run {self.run_id[:8]}."
        if self.created:
            return f"{self.model} v{self.version} is registered."
        return f"{self.model} v{self.version} has this content already; nothing was registered."


def register(
    ws: Workspace, run_id: str, model: str | None, actor: Actor, key: str | None = None
) -> Registered:
    """The version of ``model`` with the content that the run logged, made when there is none.

    ``model`` may be left out when the versions of the run's experiment belong to one model; a ``key`` that made
    a version gives that version. Raises Refused, NotFound (no such run, no logged model), BadInput, Unavailable.
    """
    from core.registry.mlflow_writes import create_version, logged_model

    uri = ws.settings.registry_uri
    if uri is None:
        raise BadSettings("No MLflow store is configured.", "Set [mlflow] tracking_uri in modeldesk.toml.")
    run = ws.runs.run(run_id)
    name = model or _model_of(ws, run)
    require(ws.settings, actor, Action.REGISTER, name)
    files = logged_model(uri, run.run_id)
    facts = _origin(ws, run) | {"sha256": _content(files.uri)}
    record_key = f"register:{key or facts['sha256']}:{name}"
    with ws.ledger.exclusive(f"register {name}"):
        found = _under(ws, record_key) or _same(ws, name, files, facts["sha256"])
        if found or ws.ledger.rehearses:
            number, created = found.version if found else None, False
        else:
            number, created = create_version(uri, name, run.run_id, files, _tags(facts)), True
        if number and (created or (found and SHA256_TAG in found.tags)):
            event = VersionRegistered(model=name, version=number, run_id=run.run_id, **facts)
            ws.ledger.append(event, actor, key=record_key)
    return Registered(
        model=name,
        version=number,
        created=created,
        run_id=found.run_id or "" if found else run.run_id,
        **facts,
    )


def content_sha256(folder: Path) -> str:
    """SHA-256 of what the model is: its files, without the lines of MLmodel that tell of the logging itself."""
    parts = {
        file.relative_to(folder).as_posix(): hashlib.sha256(_substance(file, folder)).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    return digest(parts)


def _substance(file: Path, folder: Path) -> bytes:
    data = file.read_bytes()
    if file != folder / "MLmodel":
        return data
    import yaml

    document = yaml.safe_load(data)
    if not isinstance(document, dict):
        return data
    return digest({key: value for key, value in document.items() if key not in _OF_THE_LOGGING}).encode()


def _content(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path))
        if not folder.is_dir():
            raise NotFound("The model's files are gone from the artifact store.", "Log the model again.")
        return content_sha256(folder)
    from core.registry.mlflow_files import fetch_folder

    with tempfile.TemporaryDirectory(prefix="model-desk-") as place:
        return content_sha256(fetch_folder(uri, Path(place)))


def _under(ws: Workspace, key: str) -> ModelVersion | None:
    """The version that was made under a key, unless it was deleted since."""
    record = ws.ledger.by_key(key)
    try:
        return ws.registry.version(record.model, record.payload["version"]) if record else None
    except NotFound:
        return None


def _same(ws: Workspace, model: str, files: LoggedFiles, sha256: str) -> ModelVersion | None:
    try:
        versions = ws.registry.versions(model)
    except NotFound:
        return None
    return next(
        (
            one
            for one in versions
            if one.tags.get(SHA256_TAG) == sha256
            or one.source == files.source
            or (files.model_id and one.logged_model_id == files.model_id)
        ),
        None,
    )


def _model_of(ws: Workspace, run: Run) -> str:
    from core.registry.catalogue import entries

    names = {
        item.version.model for item in entries(ws) if item.run and item.run.experiment_id == run.experiment_id
    }
    if len(names) == 1:
        return names.pop()
    raise BadInput(f"Which model run {run.run_id[:8]} is a version of is not known.", "Name it with --model.")


def _origin(ws: Workspace, run: Run) -> dict[str, str]:
    return {
        "git_commit": run.git_commit or "",
        "dvc_lock": _lock_sha256(ws, run.git_commit),
        "data_hash": run.data_hash or "",
    }


def _lock_sha256(ws: Workspace, commit: str | None) -> str:
    """SHA-256 of dvc.lock as committed with the run's code; '' where no project of the workspace has it."""
    from core.pipeline.sources import SourceFault, open_source

    for project in ws.settings.dvc.projects if commit else ():
        try:
            with open_source(ws.settings.path(project), commit) as source:
                return hashlib.sha256(source.read("dvc.lock")).hexdigest()
        except (SourceFault, ModelDeskError, OSError):
            continue
    return ""


def _tags(facts: dict[str, str]) -> dict[str, str]:
    names = {
        "sha256": SHA256_TAG,
        "git_commit": "git.commit",
        "dvc_lock": "dvc.lock.sha256",
        "data_hash": "data.hash",
    }
    return {names[key]: value for key, value in facts.items() if value}
