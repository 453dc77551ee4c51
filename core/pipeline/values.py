"""Values from params and metrics files: JSON, TOML and Python by suffix, everything else YAML, as DVC does."""

from __future__ import annotations

import json
import posixpath
import tomllib
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from threading import Lock
from typing import Any

from core.pipeline.sources import DIRECTORY, Source, SourceFault
from core.pipeline.yaml12 import MAX_DEPTH, YamlFault, load

_KEPT = 2_000


class ValuesFault(Exception):
    """A params or metrics file cannot be read; ``line`` is one-based."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read_values(source: Source, path: str) -> Mapping[str, Any]:
    """The mapping in the file ``path``; raises FileNotFoundError or ValuesFault.

    Cached by identity; what could not be had (a Git LFS pointer, a shallow clone) may be there next time.
    """
    identity = source.identity(path)
    if identity is None:
        raise FileNotFoundError(path)
    if identity == DIRECTORY:
        raise ValuesFault("it is a directory")
    key = (source.scope, path, identity)
    found = _CACHE.get(key)
    if found is None:
        try:
            data = source.read(path)
        except SourceFault as fault:
            raise ValuesFault(str(fault)) from fault
        found = _CACHE.put(key, _attempt(path, data))
    if isinstance(found, ValuesFault):
        raise found
    return found


def _attempt(path: str, data: bytes) -> Mapping[str, Any] | ValuesFault:
    try:
        return parse_values(path, data)
    except ValuesFault as fault:
        return fault


def parse_values(path: str, data: bytes) -> Mapping[str, Any]:
    """The mapping that ``data`` holds, by the suffix of ``path``; raises ValuesFault."""
    suffix = posixpath.splitext(path)[1].lower()
    try:
        if suffix == ".json":
            value = json.loads(data) if data.strip() else {}
        elif suffix == ".toml":
            value = tomllib.loads(data.decode("utf-8"))
        elif suffix == ".py":
            value = _python_constants(path, data.decode("utf-8"))
        else:
            value = load(data).value or {}
    except YamlFault as fault:
        raise ValuesFault(fault.message, fault.line) from fault
    except json.JSONDecodeError as error:
        raise ValuesFault(f"not valid JSON: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise ValuesFault(f"nested more than {MAX_DEPTH} levels deep") from error
    except ValueError as error:
        raise ValuesFault(f"not valid {suffix[1:].upper()}: {error}") from error
    if not isinstance(value, Mapping):
        raise ValuesFault(f"a mapping was expected, not a {type(value).__name__}")
    return value


def _python_constants(path: str, text: str) -> Mapping[str, Any]:
    from dvc.utils.serialize import ParseError, parse_py

    try:
        return parse_py(text, path)
    except (ParseError, SyntaxError) as error:
        raise ValueError(str(error)) from error


def pick(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The values of DVC's dotted ``keys`` (globs allowed), under the keys as written; absent ones left out."""
    if not keys:
        return dict(values)
    found = {}
    for key in keys:
        value = _at(values, key)
        if value is not _ABSENT:
            found[key] = value
    return found


_ABSENT = object()


def _at(values: Any, key: str) -> Any:
    if any(sign in key for sign in "*?["):
        return _glob(values, key)
    for part in key.split("."):
        if isinstance(values, Mapping):
            if part in values:
                values = values[part]
                continue
        elif (
            isinstance(values, list)
            and part.lstrip("-").isdigit()
            and -len(values) <= int(part) < len(values)
        ):
            values = values[int(part)]
            continue
        return _ABSENT
    return values


def _glob(values: Any, key: str) -> Any:
    import dpath

    try:
        return dpath.get(values, key, separator=".")
    except (KeyError, ValueError):
        return _ABSENT


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, leaf) pairs; lists are leaves, empty mappings vanish."""
    pending = [(prefix, values)]
    while pending:
        at, current = pending.pop()
        for key, value in current.items():
            name = f"{at}{key}"
            if isinstance(value, Mapping):
                pending.append((f"{name}.", value))
            else:
                yield name, value


class _Cache:
    """Parsed files, the latest ones, shared by threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Any:
        return self._known.get(key)

    def put(self, key: Hashable, value: Any) -> Any:
        with self._lock:
            self._known[key] = value
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return value


_CACHE = _Cache()
