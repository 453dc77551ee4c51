"""Which artifacts may be shown, and as what. Row-level files are never shown: they hold patients. Pure."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

from core.experiments.types import Artifact

PREVIEW_BYTES = 1024 * 1024


class Preview(StrEnum):
    """How an artifact is shown."""

    IMAGE = "image"
    TEXT = "text"
    JSON = "json"
    NONE = "none"


_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
_TEXTS = {".txt", ".md", ".yaml", ".yml", ".log", ".py", ".toml", ".cfg", ".ini"}
_ROWS = {".csv", ".tsv", ".parquet", ".feather", ".arrow", ".jsonl", ".npy", ".npz", ".pkl", ".xlsx"}
_ROW_NAMES = ("input_example", "serving_input", "predictions", "scores", "patients", "rows", "samples")
"""MLflow stores the first training rows as input_example.json and serving_input_example.json."""


def preview_of(artifact: Artifact) -> tuple[Preview, str]:
    """How to show the artifact, and why not when it is not shown.

    Tables and everything that is named like rows are refused rather than guessed at: a summary belongs
    in a metric, an image or a JSON file.
    """
    path = PurePosixPath(artifact.path)
    suffix = path.suffix.lower()
    if suffix in _ROWS or any(word in path.name.lower() for word in _ROW_NAMES):
        return Preview.NONE, "It may hold rows of patients, which are never shown here."
    if (artifact.size or 0) > PREVIEW_BYTES:
        return Preview.NONE, "It is larger than 1 MB: download it with MLflow."
    if suffix in _IMAGES:
        return Preview.IMAGE, ""
    if suffix == ".json":
        return Preview.JSON, ""
    if suffix in _TEXTS or path.name in ("MLmodel", "Dockerfile"):
        return Preview.TEXT, ""
    if suffix in (".html", ".htm", ".svg"):
        return Preview.NONE, "Pages and drawings can carry scripts and are not run here."
    return Preview.NONE, "There is no preview for this kind of file."
