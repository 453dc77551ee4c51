"""A data set that a run logged as its input: found by name and digest, its file resolved, its content checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from core.drift import kept
from core.drift.cache import ProfileCache, replacing
from core.drift.kept import Kept
from core.drift.mlflow_digest import frame_digest
from core.errors import BadSettings, IntegrityFailure, ModelDeskError, NotFound
from core.experiments.types import Dataset

if TYPE_CHECKING:
    from core.workspace import Workspace

MOST_BYTES = 4 << 30
"""A logged file larger than this is not fetched from an artifact store to compare with."""
_RUNS = "runs/"
_PREFIX = 8
"""So many characters of a file's MD5 or SHA-256 are as good as MLflow's own digest, which has no more."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A data set and a run that logged it."""

    run_id: str
    data: Dataset

    @property
    def name(self) -> str:
        """Name and digest, as they are written in a reference."""
        return f"{self.data.name}@{self.data.digest}"


def logged_file(ws: Workspace, wanted: str) -> Path:
    """The file of the data set ``NAME``, ``NAME@DIGEST`` or ``runs/RUN_ID[/NAME]``, its content checked.

    Looked for in the DVC caches, at the source that was logged (a path of this machine, an artifact of the run).
    Raises NotFound for what no run logged or is not at hand, BadSettings for a name with several digests,
    IntegrityFailure where the file at hand holds something else by now.
    """
    found, changed = _logged(ws, wanted), []
    for file in _at_hand(ws, found):
        if _holds(ws, file, found[0].data.digest):
            return file
        changed.append(file)
    name, source = found[0].name, said_source(found[0].data.source)
    if changed:
        raise IntegrityFailure(
            f"{changed[0].name} no longer holds the data set '{name}' that was logged.",
            "Bring that content back (`dvc pull`, `git checkout`), or name the digest of the new one.",
        )
    where = f"was read from {source}, which is not at hand" if source else "was logged without a source"
    raise NotFound(
        f"The data set '{name}' {where}.",
        "Run `dvc pull`, put the file there, or name a file as the reference.",
    )


def said_source(source: str) -> str:
    """Where a data set was read from, without user names, passwords and queries; '' where that was not logged."""
    parts = urlsplit(_uri(source))
    if not parts.scheme or parts.scheme == "file":
        return unquote(parts.path)
    return (
        f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        if parts.netloc
        else f"{parts.scheme}:{parts.path}"
    )


def _logged(ws: Workspace, wanted: str) -> tuple[Logged, ...]:
    """Every run's record of the one data set that is meant."""
    if wanted.startswith(_RUNS):
        run_id, _, name = wanted.removeprefix(_RUNS).partition("/")
        found = [Logged(run_id, data) for data in ws.runs.datasets(run_id) if name in ("", data.name)]
        training = [item for item in found if item.data.context in ("", "train", "training")]
        found, digest = training if training and not name else found, ""
    else:
        name, _, digest = wanted.partition("@")
        quote = '"' if "'" in name else "'"
        table = ws.runs.search(filter=f"dataset.name = {quote}{name}{quote}")
        found = [
            Logged(run.run_id, data) for run in table.runs() for data in run.datasets if data.name == name
        ]
    found = [item for item in found if item.data.digest.startswith(digest)]
    known = list(dict.fromkeys(item.name for item in found))
    if not known:
        raise NotFound(f"No run logged the data set '{wanted}'.", "A run's page lists its data sets.")
    if len(known) > 1:
        listed = ", ".join(known[:5]) + (" ..." if len(known) > 5 else "")
        raise BadSettings(
            f"'mlflow:{wanted}' fits {len(known)} data sets: {listed}.", "Name one with its digest."
        )
    return tuple(found)


def _at_hand(ws: Workspace, found: tuple[Logged, ...]) -> Iterator[Path]:
    """Files of this machine that may be the data set, the likeliest first; each once."""
    from core.drift.references import stored_by_dvc

    seen = set()
    with suppress(ModelDeskError):  # its digest is none of DVC's, or the content was not pulled
        yield stored_by_dvc(ws, found[0].data.digest)
    for item in found:
        for file in _of_source(ws, item):
            if file not in seen and file.exists():
                seen.add(file)
                yield file


def _of_source(ws: Workspace, item: Logged) -> Iterator[Path]:
    parts = urlsplit(_uri(item.data.source))
    path = unquote(parts.path)
    if path and parts.scheme in ("", "file"):
        # A relative path was relative to where training ran: a project's folder, or the workspace.
        for root in (*(ws.settings.path(project) for project in ws.settings.dvc.projects), ws.root):
            yield root / path
    elif path and parts.scheme in ("runs", "mlflow-artifacts"):
        fetched = _fetched(ws, item, parts.scheme, path.lstrip("/"))
        if fetched:
            yield fetched


def _fetched(ws: Workspace, item: Logged, scheme: str, path: str) -> Path | None:
    """The run's artifact as a file of this machine, kept beside the workspace; None where it is none of the run's."""
    if scheme == "runs":
        run_id, _, inside = path.partition("/")
    else:
        run_id, (_, _, inside) = item.run_id, path.partition(f"{item.run_id}/artifacts/")
    if not inside:
        return None
    name = hashlib.sha256(f"{run_id}|{inside}|{item.data.digest}".encode()).hexdigest()[:24]
    file = ws.root / ".modeldesk" / "references" / f"{name}{Path(inside).suffix}"
    if not file.exists():
        content = ws.runs.artifact(run_id, inside, MOST_BYTES)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(file) as temporary:
            temporary.write_bytes(content)
    return file


def _holds(ws: Workspace, file: Path, digest: str) -> bool:
    """Whether ``file`` is the content with that digest: MLflow's own, or the file's MD5 (as DVC's) or SHA-256."""
    if file.is_dir():
        return frame_digest(file) == digest
    folder = ws.root / ".modeldesk"
    sha256 = ProfileCache(folder / "profiles").digest(file)

    def look() -> bool:
        with file.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").hexdigest()
        same = len(digest) >= _PREFIX and (md5.startswith(digest) or sha256.startswith(digest))
        return same or frame_digest(file) == digest

    return Kept(folder / "reports").get(bool, kept.key("logged data", digest, sha256), look)


def _uri(source: str) -> str:
    """The address in a logged source, which MLflow writes as JSON; '' for code and other sources without one."""
    try:
        known = json.loads(source)
    except ValueError:
        return source
    return (
        next((str(known[key]) for key in ("uri", "url", "path") if known.get(key)), "")
        if isinstance(known, dict)
        else ""
    )
