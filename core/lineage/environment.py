"""The packages a model version was logged with, from the files beside it; the model is never loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.workspace import Workspace

_PIN = re.compile(r"\s*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?:==\s*([^\s;#]+))?")
_PYTHON = re.compile(r"^\s*python\s*:\s*[\"']?([\w.]+)", re.MULTILINE)
LARGEST = 1_000_000


def read_environments(
    ws: Workspace, versions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Mapping[str, str]]:
    """Package -> pinned version of each model version whose files lie on this machine."""
    found: dict[tuple[str, int], Mapping[str, str]] = {}
    for model, version in versions:
        try:
            folder = ws.registry.folder(model, version)
        except ModelDeskError:
            continue
        if folder is not None:
            found[model, version] = read_environment(folder)
    return found


def read_environment(folder: Path) -> dict[str, str]:
    """Packages of ``requirements.txt`` (names in lower case) and ``python`` of ``python_env.yaml``.

    A package without an exact pin is there as "any". Absent or unreadable files give nothing.
    """
    return parse_environment(_text(folder / "requirements.txt"), _text(folder / "python_env.yaml"))


def parse_environment(requirements: str, python_env: str) -> dict[str, str]:
    """The same from the text of the two files."""
    found = {
        match[1].lower().replace("_", "-"): match[2] or "any"
        for line in requirements.splitlines()
        if (match := _PIN.match(line)) and not line.lstrip().startswith(("#", "-"))
    }
    python = _PYTHON.search(python_env)
    return ({"python": python[1]} if python else {}) | found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.stat().st_size <= LARGEST else ""
    except (OSError, UnicodeDecodeError):
        return ""
