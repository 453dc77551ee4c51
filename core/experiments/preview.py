"""Which artifacts may be shown, and as what. Row-level files are never shown: they hold patients. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath

from core.experiments.types import Artifact
from core.privacy import HIDDEN, identifier_columns, is_small, shown_metrics

PREVIEW_BYTES = 1024 * 1024
TABLE_BYTES = 32 * 1024 * 1024


class Preview(StrEnum):
    """How an artifact is shown; a TABLE as its columns and counts, HTML without scripts."""

    IMAGE = "image"
    TEXT = "text"
    JSON = "json"
    TABLE = "table"
    HTML = "html"
    NONE = "none"


_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
_TEXTS = {".txt", ".md", ".yaml", ".yml", ".log", ".py", ".toml", ".cfg", ".ini"}
_TABLES = {".csv", ".tsv", ".parquet", ".jsonl"}
_ROWS = {".feather", ".arrow", ".npy", ".npz", ".pkl", ".xlsx"}
_ROW_NAMES = ("input_example", "serving_input", "predictions", "scores", "patients", "rows", "samples")
"""MLflow stores the first training rows as input_example.json and serving_input_example.json."""


def preview_of(artifact: Artifact) -> tuple[Preview, str]:
    """How to show the artifact, and why not when it is not shown.

    Everything that is named like rows, and is no table that can be summed up, is refused rather than guessed at.
    """
    if artifact.size == 0:
        return Preview.NONE, "The file is empty."
    path = PurePosixPath(artifact.path)
    suffix = path.suffix.lower()
    most = TABLE_BYTES if suffix in _TABLES else PREVIEW_BYTES
    if (artifact.size or 0) > most:
        return (
            Preview.NONE,
            f"It is larger than {most // 1024**2} MB, so it was not fetched: download it with MLflow.",
        )
    if suffix in _TABLES:
        return Preview.TABLE, ""
    if suffix in _ROWS or any(word in path.name.lower() for word in _ROW_NAMES):
        return Preview.NONE, "It may hold rows of patients, which are never shown here."
    if suffix in _IMAGES:
        return Preview.IMAGE, ""
    if suffix == ".json":
        return Preview.JSON, ""
    if suffix in _TEXTS or path.name in ("MLmodel", "Dockerfile"):
        return Preview.TEXT, ""
    if suffix in (".html", ".htm"):
        return Preview.HTML, ""
    if suffix == ".svg":
        return Preview.NONE, "Drawings of this kind can carry scripts and are not shown here."
    return Preview.NONE, "There is no preview for this kind of file."


def boxed(page: str) -> str:
    """An HTML page inside a frame that runs no script, reads nothing of ours and asks nothing of the network."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
    inside = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{page}'
    return (
        "<!doctype html><style>html,body,iframe{margin:0;border:0;width:100%;height:100%;background:#fff}</style>"
        f'<iframe sandbox="" referrerpolicy="no-referrer" title="page" srcdoc="{html.escape(inside)}"></iframe>'
    )


def without_small_counts(parsed: object) -> object:
    """JSON with counts of 1 to 10 people hidden where names or a matrix of whole numbers show them to be counts."""
    leaves = dict(_leaves(parsed, ""))
    return _shown(parsed, "", shown_metrics(leaves))


def _leaves(value: object, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def _shown(value: object, name: str, told: dict[str, float | str]) -> object:
    if isinstance(value, dict):
        return {
            key: _shown(inner, f"{name}.{key}" if name else str(key), told) for key, inner in value.items()
        }
    if isinstance(value, list):
        return _shown_list(value, told)
    return told.get(name, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _tells_of_somebody(item: object) -> bool:
    """Whether a record in a list may be a person's row: it holds words, or is named like one."""
    return isinstance(item, dict) and (
        any(isinstance(value, str) for value in item.values()) or bool(identifier_columns(map(str, item)))
    )


def _shown_list(value: list[object], told: dict[str, float | str]) -> object:
    matrix = [cell for row in value if isinstance(row, list) for cell in row]
    counts = bool(matrix) and all(isinstance(cell, int) for cell in matrix)
    if (counts and any(is_small(cell) for cell in matrix)) or any(map(_tells_of_somebody, value)):
        return HIDDEN
    return [without_small_counts(item) if isinstance(item, dict | list) else item for item in value]
