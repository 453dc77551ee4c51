"""The plain part of YAML, in which most of DVC's own files are written, read line by line.

Block mappings and lists of one-line ASCII scalars, and ``[a, b]`` or ``{k: v}`` of bare words: a third of the work
of a full parser. Whatever else occurs (escapes, anchors, tags, text over several lines, a duplicate key) is left to
:func:`core.pipeline.yaml12.load`, which reads all of YAML and words the faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.pipeline.yaml_scalars import plain

MAX_DEPTH = 60
_PIECE = 1 << 16

# No indicator begins a plain scalar; ": ", " #" and a blank at the end of the line cannot be part of one.
_SCALAR = r"(?:[\w./~+$(]|-(?=[\d.]))[!-9;-~]*+(?:(?:\ ++(?=[!\"$-~])|:(?=[!-~]))[!-9;-~]*+)*+"
_QUOTED = r"'[\ -&(-~]*+'|\"[\ !#-\[\]-~]*+\""
_KEY = r"[A-Za-z_][\w./@-]{0,200}+"
_WORD = r"(?:[\w./~+]|-(?=[\d.]))[\w./~+%=@-]*+"
_PAIR = rf"{_KEY}:\ {_WORD}"
_FLOW = rf"\[(?:{_WORD}(?:,\ {_WORD})*+)?+\]|\{{(?:{_PAIR}(?:,\ {_PAIR})*+)?+\}}"
_VALUE = f"{_SCALAR}|{_QUOTED}|{_FLOW}"
_LINE = re.compile(
    rf"(\ *+)(?:(-\ )?(?:({_KEY}):(?:\ ++({_VALUE}))?+|({_VALUE}))|\#[\ -~]*+)?+\n|(.)", re.ASCII
)
_NO_TEXT = frozenset(
    form for word in ("true", "false", "null") for form in (word, word.title(), word.upper())
)

Lines = dict[tuple[str, ...], int]


class _Frame:
    """A mapping or list that is still open; ``awaits`` is the key whose value the next lines may hold."""

    __slots__ = ("awaits", "indent", "path", "value")

    def __init__(self, indent: int, value: Any, path: tuple[str, ...] | None) -> None:
        self.indent = indent
        self.value = value
        self.path = path
        self.awaits: str | None = None


class NotPlain(Exception):
    """The text is more than this module reads."""


def read_block(text: str, line_depth: int) -> tuple[dict[str, Any], Lines]:
    """What :func:`core.pipeline.yaml12.load` gives for the text; raises NotPlain."""
    root = _Frame(0, {}, ())
    stack, lines, known = [_Frame(-1, None, None), root], Lines(), {}
    for number, (blanks, dash, key, scalar, item, other) in enumerate(_rows(text), 1):
        if key:
            indent = len(blanks)
            top = stack[-1]
            if dash:
                top = _opened(stack, _at_dash(stack, indent), indent + 2, {})
            elif top.indent != indent or type(top.value) is list:
                top = _at_key(stack, indent)
            if key in top.value or key in _NO_TEXT:
                raise NotPlain
            deep = top.path is not None and len(top.path) < line_depth
            if deep:
                lines[*top.path, key] = number
            if scalar:
                top.value[key] = value = known[scalar] if scalar in known else _plain(scalar, known)
                top.awaits = None
                if deep and type(value) is dict and len(top.path) + 1 < line_depth:
                    lines |= {(*top.path, key, inner): number for inner in value}
            else:
                top.value[key] = None
                top.awaits = key
        elif item:
            if not dash:
                raise NotPlain
            _at_dash(stack, len(blanks)).value.append(_plain(item, known))
        elif other:
            raise NotPlain
    if not root.value:
        raise NotPlain
    return root.value, lines


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    """The parts of each line; a piece at a time, so that a large file that is not plain is left soon."""
    text = text if text.endswith("\n") else f"{text}\n"
    start = 0
    while start < len(text):
        end = text.rfind("\n", start, start + _PIECE) + 1 or len(text)
        yield from _LINE.findall(text, start, end)
        start = end


def _plain(written: str, known: dict[str, Any]) -> Any:
    if written[0] in "[{":
        return _flow(written, known)
    if written not in known:
        try:
            known[written] = written[1:-1] if written[0] in "'\"" else plain(written)
        except ValueError as error:
            raise NotPlain from error
    return known[written]


def _flow(written: str, known: dict[str, Any]) -> Any:
    parts = written[1:-1].split(", ") if len(written) > 2 else ()
    if written[0] == "[":
        return [_plain(part, known) for part in parts]
    pairs = [part.split(": ") for part in parts]
    found = {key: _plain(word, known) for key, word in pairs}
    if len(found) < len(pairs) or not _NO_TEXT.isdisjoint(found):
        raise NotPlain
    return found


def _at_dash(stack: list[_Frame], indent: int) -> _Frame:
    """The list that an entry at ``indent`` belongs to, opened when it is the first."""
    while stack[-1].indent > indent:
        stack.pop()
    top = stack[-1]
    if type(top.value) is list and top.indent == indent:
        return top
    return _opened(stack, top, indent, [])


def _at_key(stack: list[_Frame], indent: int) -> _Frame:
    """The mapping that a key at ``indent`` belongs to, opened when it is the first."""
    if not stack[1].value:
        stack[1].indent = indent
    while (top := stack[-1]).indent > indent or (top.indent == indent and type(top.value) is list):
        stack.pop()
    if top.indent == indent:
        return top
    if type(top.value) is list:
        raise NotPlain
    return _opened(stack, top, indent, {})


def _opened(stack: list[_Frame], above: _Frame, indent: int, value: Any) -> _Frame:
    """A new frame: a list's next entry, or the value that a key waits for."""
    if len(stack) > MAX_DEPTH:
        raise NotPlain
    path = None
    if type(above.value) is list:
        if type(value) is list:
            raise NotPlain
        above.value.append(value)
    elif above.awaits is None:
        raise NotPlain
    else:
        above.value[above.awaits] = value
        if type(value) is dict and above.path is not None:
            path = (*above.path, above.awaits)
        above.awaits = None
    frame = _Frame(indent, value, path)
    stack.append(frame)
    return frame
