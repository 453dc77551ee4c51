"""A YAML file that people write, checked against a pydantic model; what is wrong is named by line and key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import BadSettings

Model = TypeVar("Model", bound=BaseModel)


def read(file: Path, model: type[Model], what: str) -> Model:
    """The ``model`` that ``file`` holds; ``what`` names it in errors ("schema"). Raises BadSettings."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadSettings(
            f"The {what} {file} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    return parse(data, str(file), model, what)


def parse(data: bytes, source: str, model: type[Model], what: str) -> Model:
    """The ``model`` that ``data`` holds; raises BadSettings naming line and key."""
    from core.pipeline.yaml12 import YamlFault, load

    try:
        values = load(data).value
    except YamlFault as error:
        line = f", line {error.line}" if error.line else ""
        raise BadSettings(f"{source}{line}: {error.message}.", f"Correct the {what}.") from error
    if not isinstance(values, dict):
        wanted = next(iter(model.model_fields))
        known = next((name for name, one in model.model_fields.items() if one.is_required()), wanted)
        raise BadSettings(f"{source}, line 1: a {what} is a mapping with '{known}'.", "See the README.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadSettings(*_explain(error, data.decode("utf-8"), source, what)) from error


def _explain(error: ValidationError, text: str, source: str, what: str) -> tuple[str, str]:
    found = error.errors()
    # A mistyped key also leaves the meant one missing: the key that stands in the file is named.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = [part for part in first["loc"] if part != "[key]"]
    key = _said(location)
    unknown = first["type"] == "extra_forbidden"
    reason = "is not a known key" if unknown else f"is wrong: {first['msg'].removeprefix('Value error, ')}"
    return (
        f"{source}, line {_line(text, location)}: "
        + (f"'{key}' {reason}." if key else f"the {what} {reason}."),
        f"The README lists the keys of a {what}.",
    )


def _said(location: Sequence[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _line(text: str, location: Sequence[str | int]) -> int:
    """The one-based line of the deepest part of ``location`` that the text has."""
    import yaml

    node, line = yaml.compose(text, Loader=yaml.CSafeLoader), 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
