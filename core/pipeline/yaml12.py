"""YAML 1.2 as DVC reads it (``1e-05`` a number, ``on`` a string, ``010`` ten), at libyaml's speed.

DVC parses with ruamel.yaml's safe loader; PyYAML's own loaders follow YAML 1.1 and give other values. Here
libyaml's event stream is turned into plain values on an explicit stack: no recursion, duplicate keys are
errors with their line, and aliases cannot blow up (a "YAML bomb" is refused).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    YAMLError,
)
from yaml.cyaml import CParser

from core.pipeline.yaml_block import NotPlain, read_block
from core.pipeline.yaml_scalars import plain, tagged

MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 200
MAX_ALIASED = 1_000_000
"""Values that aliases may add by repetition; DVC's own files use a handful."""

_TAG = "tag:yaml.org,2002:"
_MERGE = object()
_UNSET = object()


class YamlFault(ValueError):
    """The text is not YAML that DVC would read; ``line`` is one-based."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its value, and the one-based line of each mapping key down to ``line_depth``."""

    value: Any
    lines: Mapping[tuple[str, ...], int]


def load(data: bytes, line_depth: int = 0) -> Document:
    """Parse UTF-8 ``data``; an empty document gives None. Raises YamlFault and nothing else."""
    if len(data) > MAX_BYTES:
        size, limit = len(data) // 2**20, MAX_BYTES // 2**20
        raise YamlFault(f"the file is {size} MB; at most {limit} MB are read")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFault("the file is not valid UTF-8", line) from error
    try:
        return Document(*read_block(text, line_depth))
    except NotPlain:
        return parse(text, line_depth)


def parse(text: str, line_depth: int) -> Document:
    """The same by a full parser, whatever the text is written like."""
    builder = _Builder(line_depth)
    try:
        return Document(builder.build(text), builder.lines)
    except YAMLError as error:
        raise _fault(error) from error


def _fault(error: YAMLError) -> YamlFault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    return YamlFault(f"not valid YAML: {problem}", mark.line + 1 if mark else None)


def _checked(event: Any, convert: Callable[..., Any]) -> Any:
    try:
        return convert(event.value) if event.tag is None else convert(event.tag, event.value)
    except ValueError as error:
        raise YamlFault(str(error), event.start_mark.line + 1) from error


class _Frame:
    """A mapping or sequence that is still open."""

    __slots__ = ("anchor", "before", "key", "merges", "path", "value")

    def __init__(self, value: Any, anchor: str | None, before: int, path: tuple[str, ...] | None) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.path = path
        self.key: Any = _UNSET
        self.merges: list[Any] = []


class _Builder:
    def __init__(self, line_depth: int) -> None:
        self.lines: dict[tuple[str, ...], int] = {}
        self._depth = line_depth
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._plain: dict[str, Any] = {}
        self._count = 0
        self._aliased = 0
        self._root: Any = None

    def build(self, text: str) -> Any:
        next_event = CParser(text).get_event
        documents = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, {} if kind is MappingStartEvent else [])
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close(event)
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                self._check_start(event, documents)
            elif kind is StreamEndEvent:
                return self._root

    @staticmethod
    def _check_start(event: Any, documents: int) -> None:
        line = event.start_mark.line + 1
        if documents > 1:
            raise YamlFault("a second document ('---') is not expected", line)
        if event.version == (1, 1):
            raise YamlFault("'%YAML 1.1' gives other values than DVC's default; remove the directive", line)

    def _scalar(self, event: Any) -> None:
        self._count += 1
        text = event.value
        if event.tag is not None:
            value = _checked(event, tagged)
        elif event.implicit[0]:
            value = self._plain.get(text, _UNSET)
            if value is _UNSET:
                value = self._plain[text] = _checked(event, plain)
        else:
            value = text
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, event)

    def _put(self, value: Any, event: Any) -> None:
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        target, key = frame.value, frame.key
        if type(target) is list:
            target.append(value)
        elif key is _UNSET:
            # The common key first: plain text, not seen before, whose line nobody asked for.
            if type(value) is str and frame.path is None and value != "<<" and value not in target:
                frame.key = value
            else:
                self._key(frame, value, event)
        else:
            frame.key = _UNSET
            if key is _MERGE:
                frame.merges.append(value)
            else:
                target[key] = value

    def _key(self, frame: _Frame, key: Any, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(key, dict | list):
            raise YamlFault("a mapping or list cannot be a key", line)
        if key == "<<" and type(event) is ScalarEvent and event.implicit[0]:
            frame.key = _MERGE
            return
        if key in frame.value:
            raise YamlFault(f"duplicate key '{key}'", line)
        frame.key = key
        if frame.path is not None and len(frame.path) < self._depth:
            self.lines[(*frame.path, str(key))] = line

    def _open(self, event: Any, value: Any) -> None:
        if event.tag is not None and event.tag not in ("!", _TAG + "map", _TAG + "seq"):
            raise YamlFault(f"the tag '{event.tag}' is not supported", event.start_mark.line + 1)
        if len(self._stack) >= MAX_DEPTH:
            raise YamlFault(f"nested more than {MAX_DEPTH} levels deep", event.start_mark.line + 1)
        self._count += 1
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Frame(value, event.anchor, self._count + self._aliased, self._path()))

    def _path(self) -> tuple[str, ...] | None:
        if not self._stack:
            return ()
        top = self._stack[-1]
        if top.path is None or len(top.path) + 1 >= self._depth or top.key is _UNSET or top.key is _MERGE:
            return None
        return (*top.path, str(top.key))

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        if frame.merges:
            _merge(frame, event)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, self._count + self._aliased - frame.before + 1)
        self._put(frame.value, event)

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor not in self._anchors:
            raise YamlFault(f"the alias '*{event.anchor}' names no finished anchor", line)
        value, weight = self._anchors[event.anchor]
        self._aliased += weight
        if self._aliased > MAX_ALIASED:
            raise YamlFault("aliases repeat more than a million values (a YAML bomb?)", line)
        self._put(value, event)


def _merge(frame: _Frame, event: Any) -> None:
    """``<<``: keys of the merged mappings that the mapping does not define itself; the first one wins."""
    sources = [s for merge in frame.merges for s in (merge if isinstance(merge, list) else [merge])]
    if not all(isinstance(source, dict) for source in sources):
        raise YamlFault("'<<' takes a mapping or a list of mappings", event.start_mark.line + 1)
    own = dict(frame.value)
    frame.value.clear()
    for source in reversed(sources):
        frame.value.update(source)
    frame.value.update(own)
