"""What DVC's schema of dvc.yaml forbids in values, before any ``${}`` is resolved: DVC then reads no stage of the file.

Keys and shapes are checked where they are read (grammar.py, units.py); here are the types of switches and options,
the names of stages, and what may stand beside what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = {bool: "true or false", str: "text"}
_SWITCHES = ("frozen", "always_changed")
_FLAGS: Mapping[str, type] = {
    **dict.fromkeys(("cache", "persist", "push", "checkpoint"), bool),
    **dict.fromkeys(("remote", "desc", "type"), str),
}
_PLOT_FLAGS: Mapping[str, type] = {
    **_FLAGS,
    **dict.fromkeys(("template", "x", "y", "x_label", "y_label", "title"), str),
    "header": bool,
}
_TOP_PLOT = frozenset(("x", "y", "x_label", "y_label", "title", "template"))
_ARTIFACT = frozenset(("path", "desc", "type", "labels", "meta"))


def stage_faults(name: Any, definition: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one entry of ``stages``."""
    if not isinstance(name, str):
        yield f"a stage's name must be text, quote it: '{name}'"
    body = definition
    if "foreach" in definition:
        yield from (f"unknown key '{key}' beside foreach" for key in definition.keys() - {"foreach", "do"})
        body = definition.get("do")
        if not isinstance(body, dict):
            return
    for key in _SWITCHES:
        if key in body and not isinstance(body[key], bool):
            yield f"{key} must be true or false"
    for key in ("wdir", "desc"):
        if key in body and not isinstance(body[key], str):
            yield f"{key} must be text"
    if "vars" in body and not isinstance(body["vars"], list):
        yield "vars must be a list"
    for section in ("outs", "metrics", "plots"):
        yield from _section(body.get(section), _PLOT_FLAGS if section == "plots" else _FLAGS)


def artifact_faults(entry: Any) -> Iterator[str]:
    """What is wrong with one entry of ``artifacts``."""
    if isinstance(entry, dict):
        yield from (f"unknown key '{key}'" for key in entry.keys() - _ARTIFACT)
        yield from _typed("it", entry, _FLAGS)


def plot_faults(item: Any) -> Iterator[str]:
    """What is wrong with one item of the top-level ``plots``."""
    if not isinstance(item, str | dict):
        yield "plots must be a list of paths or of mappings"
        return
    for name, options in item.items() if isinstance(item, dict) else ():
        if not isinstance(options, dict | None):
            yield f"a mapping was expected for the plot '{name}'"
        else:
            yield from (
                f"unknown key '{key}' of the plot '{name}'" for key in (options or {}).keys() - _TOP_PLOT
            )


def _section(items: Any, types: Mapping[str, type]) -> Iterator[str]:
    for item in items if isinstance(items, list) else ():
        for path, flags in item.items() if isinstance(item, dict) else ():
            for each in flags if isinstance(flags, list) else (flags,):
                if isinstance(each, dict):
                    yield from _typed(f"'{path}'", each, types)


def _typed(what: str, flags: Mapping[str, Any], types: Mapping[str, type]) -> Iterator[str]:
    for key, value in flags.items():
        wanted = types.get(key)
        if wanted is not None and not isinstance(value, wanted):
            yield f"{key} of {what} must be {_WORDS[wanted]}"
    labels = flags.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        yield f"labels of {what} must be a list of texts"
