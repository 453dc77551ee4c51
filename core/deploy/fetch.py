"""A version's files on this machine: copied once, named by their digest, checked before every start."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from urllib.parse import unquote, urlparse

from core.deploy.hash import check_artifact, tree_sha256
from core.deploy.types import Artifact
from core.errors import NotFound, Unavailable


def fetch(uri: str, cache: Path, tracking_uri: str | None) -> Artifact:
    """The artifact at ``uri`` in ``cache``, under its tree digest.

    A copy that is there already is checked against its name; raises IntegrityFailure when it was changed,
    NotFound when the source is gone, Unavailable when the store does not answer.
    """
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = cache / f"draft-{uuid.uuid4().hex[:8]}"
    try:
        _copy(uri, draft, tracking_uri)
        sha256, size = tree_sha256(draft)
        artifact = Artifact(directory=cache / sha256, sha256=sha256, size_bytes=size)
        if artifact.directory.exists():
            check_artifact(artifact)
        else:
            draft.rename(artifact.directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return artifact


def _copy(uri: str, target: Path, tracking_uri: str | None) -> None:
    local = _local_path(uri)
    if local is None:
        from core.deploy.mlflow_download import download

        download(uri, target, tracking_uri)
        return
    if not local.is_dir():
        raise NotFound(
            f"The model's files are gone from {local}.", "Restore them, or choose another version."
        )
    try:
        shutil.copytree(local, target, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise Unavailable(f"The model's files could not be copied: {error}.", "Check the disk.") from error


def _local_path(uri: str) -> Path | None:
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(uri) if not parsed.scheme else None
