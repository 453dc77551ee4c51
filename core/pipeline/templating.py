"""``vars``, ``${}``, ``foreach`` and ``matrix``: resolved by DVC's own resolver, without opening a Repo.

The resolver is given a file system of five functions over a :class:`Reads`, so it works at any revision.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import Any

from core.pipeline.reads import Reads
from core.pipeline.sources import SourceFault
from core.pipeline.yaml12 import YamlFault, load

MAX_GENERATED = 20_000
"""Stages that one foreach or matrix may generate."""

_GENERATORS = ("foreach", "matrix")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stage after templating: its key (``train``, ``grid@a-1``), its group, and its definition."""

    key: str
    group: str | None
    body: Mapping[str, Any]
    fault: str | None = None


class TemplateFault(Exception):
    """Something could not be resolved; the message is DVC's."""


def is_templated(value: Any) -> bool:
    """True when a ``${`` occurs anywhere in ``value``."""
    return "${" in repr(value)


class Templates:
    """One dvc.yaml's context of params.yaml and ``vars``; built on first use, since most files need none."""

    def __init__(
        self, folder: str, document: Mapping[str, Any], reads: Reads, parsing: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._parsing = parsing
        self._document = document
        self._reads = reads
        self._resolver: Any = None
        self._fault: str | None = None

    def entries(self, name: str, definition: Mapping[str, Any]) -> Iterator[Entry]:
        """The stage or stages that ``definition`` stands for; a fault is told in the entry."""
        if not any(word in definition for word in (*_GENERATORS, "vars")) and not is_templated(definition):
            yield Entry(name, None, definition)
            return
        try:
            resolver = self._ready()
            keys = self._keys(resolver, name)
        except TemplateFault as fault:
            yield Entry(name, None, _unresolved(definition), str(fault))
            return
        group = name if any(word in definition for word in _GENERATORS) else None
        for key in keys:
            try:
                yield Entry(key, group, _guarded(lambda key=key: resolver.resolve_one(key)[key]))
            except TemplateFault as fault:
                yield Entry(key, group, _unresolved(definition), str(fault))

    def fault(self) -> str | None:
        """What keeps params.yaml and ``vars`` from being read; DVC's words."""
        try:
            self._ready()
        except TemplateFault as fault:
            return str(fault)
        return None

    def resolve(self, value: Any) -> Any:
        """A top-level item (metric, plot, artifact) resolved; raises TemplateFault."""
        if not is_templated(value):
            return value
        context = self._ready().context
        return _guarded(lambda: context.resolve(value))

    def _ready(self) -> Any:
        if self._fault is not None:
            raise TemplateFault(self._fault)
        if self._resolver is None:
            try:
                self._resolver = _guarded(self._build)
            except TemplateFault as fault:
                self._fault = str(fault)
                raise
        return self._resolver

    def _build(self) -> Any:
        from dvc.parsing import DataResolver

        stages = {
            name: body
            for name, body in (self._document.get("stages") or {}).items()
            if isinstance(body, dict) and generator_fault(body) is None
        }
        repo = SimpleNamespace(fs=_FileSystem(self._reads), config={"parsing": self._parsing})
        return DataResolver(repo, self._folder, {"vars": self._document.get("vars") or [], "stages": stages})

    @staticmethod
    def _keys(resolver: Any, name: str) -> list[str]:
        definition = resolver.definitions[name]
        if not hasattr(type(definition), "normalized_iterable"):
            return [name]
        return _guarded(lambda: _generated(definition))


def _generated(definition: Any) -> list[str]:
    iterable = definition.resolved_iterable
    is_matrix = hasattr(definition, "matrix_data")
    count = prod(len(values) for values in iterable.values()) if is_matrix else len(iterable)
    if count > MAX_GENERATED:
        raise TemplateFault(
            f"'{definition.name}' stands for {count:,} stages; at most {MAX_GENERATED:,} are shown"
        )
    return definition.get_generated_names()


def generator_fault(definition: Mapping[str, Any]) -> str | None:
    """What is wrong with the use of foreach, do and matrix, as DVC's schema has it."""
    if "foreach" in definition and "matrix" in definition:
        return "foreach and matrix cannot be used together"
    if ("foreach" in definition) != ("do" in definition):
        return "foreach and do belong together"
    if "foreach" in definition:
        if not isinstance(definition["do"], dict):
            return "do must be a mapping"
        if not isinstance(definition["foreach"], str | list | dict):
            return "foreach must be a list, a mapping or a ${reference}"
    matrix = definition.get("matrix", {})
    if not isinstance(matrix, dict) or not all(isinstance(axis, str | list) for axis in matrix.values()):
        return "matrix must map names to lists"
    return None


def _unresolved(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    body = definition.get("do", definition)
    return {key: value for key, value in body.items() if key not in ("matrix", "vars")}


def _guarded(work: Any) -> Any:
    """The result of ``work``, with everything that DVC's resolver raises as a TemplateFault."""
    from dvc.exceptions import DvcException

    try:
        return work()
    except TemplateFault:
        raise
    except DvcException as error:
        raise TemplateFault(" ".join(str(error).split())) from error
    except (SourceFault, YamlFault, FileNotFoundError, UnicodeDecodeError) as error:
        raise TemplateFault(f"vars cannot be read: {error}") from error
    except RecursionError as error:
        raise TemplateFault("nested too deeply to be resolved") from error
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise TemplateFault(f"cannot be resolved ({type(error).__name__}: {error})") from error


class _FileSystem:
    """The part of DVC's file-system interface that its resolver uses."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    join = staticmethod(posixpath.join)
    normpath = staticmethod(posixpath.normpath)

    @staticmethod
    def suffix(path: str) -> str:
        return posixpath.splitext(path)[1]

    def exists(self, path: str) -> bool:
        return self._reads.exists(path)

    def isdir(self, path: str) -> bool:
        return self._reads.is_directory(path)

    def open(self, path: str, encoding: str = "utf-8") -> io.StringIO:
        data = self._reads.read(path)
        if self.suffix(path).lower() not in (".json", ".toml", ".py"):
            # Refuse YAML bombs before DVC's recursive parser meets them.
            load(data)
        return io.StringIO(data.decode(encoding))
