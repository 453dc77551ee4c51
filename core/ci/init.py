"""Writing a pipeline into somebody's repository: never over what is there, unless told to."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from core.errors import BadInput, Conflict
from core.files import whole_file

TEMPLATES = Path(__file__).with_name("templates")
_PLAIN = re.compile(r"[\w./@+-]+")


class Provider(StrEnum):
    """Where the pipeline runs."""

    GITHUB = "github"
    GITLAB = "gitlab"


PLACES = {Provider.GITHUB: ".github/workflows/model-release.yml", Provider.GITLAB: ".gitlab-ci.yml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the pipeline calls things; paths are relative to the repository."""

    model: str
    data: str
    schema: str = "schema.yaml"
    quality: str = "quality.yaml"
    run_id_file: str = "models/run_id.txt"
    workspace: str = "."


def template(provider: Provider, names: Names) -> str:
    """The pipeline's text; raises BadInput for a name that a shell or YAML would read as something else."""
    text = (TEMPLATES / f"{provider}.yml").read_text(encoding="utf-8")
    for item in fields(names):
        value = getattr(names, item.name)
        if not _PLAIN.fullmatch(value):
            raise BadInput(
                f"'{value}' cannot stand in a pipeline as its {item.name.replace('_', ' ')}.",
                "Use letters, digits, and . / _ - + @ only.",
            )
        text = text.replace(f"@{item.name.upper()}@", value)
    return text


def write(folder: Path, provider: Provider, names: Names, *, replace: bool = False) -> Path:
    """Write the pipeline below ``folder``; its path. Raises Conflict when another file is there already."""
    text, file = template(provider, names), folder / PLACES[provider]
    if file.exists() and file.read_text(encoding="utf-8") != text and not replace:
        raise Conflict(
            f"{file} exists and is another pipeline; nothing was written.", "Look at it, then give --replace."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as target:
        target.write(text.encode())
    return file
