"""Are an artifact's files still those that were hashed?"""

from __future__ import annotations

from core.deploy.types import Artifact
from core.errors import IntegrityFailure
from core.tree import tree_sha256


def check_artifact(artifact: Artifact) -> None:
    """Raises IntegrityFailure when the files are no longer those that were hashed."""
    if not artifact.directory.is_dir():
        raise IntegrityFailure(
            f"The files of {artifact.sha256[:12]} are gone from {artifact.directory}.",
            "Deploy the version again; its files are then fetched anew.",
        )
    found, _ = tree_sha256(artifact.directory)
    if found != artifact.sha256:
        raise IntegrityFailure(
            f"The files in {artifact.directory} changed: digest {found[:12]}, recorded {artifact.sha256[:12]}.",
            "Remove that folder and deploy the version again; nothing was switched.",
        )
