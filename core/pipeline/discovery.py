"""Which files of a folder belong to this DVC project: nested projects and .dvcignore leave some out."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.pipeline.sources import Source, SourceFault
from core.pipeline.types import Finding, Severity

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".dvcignore"


def dvc_files(source: Source) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Every dvc.yaml and .dvc file of the project, shallow folders first, and what went wrong."""
    names = tuple(source.names())
    findings: list[Finding] = []
    ignored = ignore_rules(
        source, [name for name in names if posixpath.basename(name) == IGNORE_FILE], findings
    )
    foreign = _nested_projects(source, names)
    kept = [
        name
        for name in names
        if posixpath.basename(name) != IGNORE_FILE
        and source.identity(name) is not None
        and not any(parent in foreign for parent in parents(name))
        and not ignored(name)
    ]
    return tuple(sorted(kept, key=lambda name: (name.count("/"), name))), tuple(findings)


def find_projects(folder: Path) -> tuple[Path, ...]:
    """Folders at or below ``folder`` that hold a ``.dvc`` directory; links are not followed."""
    found = []
    for current, folders, _ in os.walk(folder):
        if ".dvc" in folders:
            found.append(Path(current))
        folders[:] = sorted(name for name in folders if name not in (".dvc", ".git", ".venv", "node_modules"))
    return tuple(found)


def parents(path: str) -> Iterable[str]:
    """The folders above ``path``, the nearest last, without the root."""
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)


def ignore_rules(source: Source, files: Sequence[str], findings: list[Finding]) -> Callable[[str], bool]:
    """A test for "is this path hidden by a .dvcignore", deeper files overruling shallower ones."""
    rules = {posixpath.dirname(file): spec for file in files if (spec := _read_rules(source, file, findings))}
    if not rules:
        return lambda path: False

    def ignored(path: str) -> bool:
        steps = [f"{parent}/" for parent in parents(path)] + [path]
        return any(_verdict(rules, step) for step in steps)

    return ignored


def _verdict(rules: dict[str, GitIgnoreSpec], path: str) -> bool:
    verdict = False
    for folder in ("", *parents(path.rstrip("/"))):
        spec = rules.get(folder)
        if spec is not None:
            include = spec.check_file(path[len(folder) + 1 :] if folder else path).include
            verdict = verdict if include is None else include
    return verdict


_RULES: dict[Hashable, GitIgnoreSpec | None] = {}
_KEPT = 1_000


def _read_rules(source: Source, file: str, findings: list[Finding]) -> GitIgnoreSpec | None:
    """The rules of one file, remembered while it is the same; a file that cannot be read is looked at again."""
    key = (source.scope, file, source.identity(file))
    if key in _RULES:
        return _RULES[key]
    try:
        lines = source.read(file).decode("utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (SourceFault, UnicodeDecodeError) as error:
        findings.append(Finding(file, None, f"ignored, because {error}", Severity.WARNING))
        return None
    if len(_RULES) > _KEPT:
        _RULES.clear()
    _RULES[key] = _rules(line.strip() for line in lines)
    return _RULES[key]


def _rules(lines: Iterable[str]) -> GitIgnoreSpec | None:
    told = [line for line in lines if line and not line.startswith("#")]
    if not told:
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(told)


def _nested_projects(source: Source, names: Iterable[str]) -> set[str]:
    folders = {parent for name in names for parent in parents(name)}
    return {folder for folder in folders if source.is_project(folder)}
