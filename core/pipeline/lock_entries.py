"""A dvc.lock as DVC writes it, read entry by entry, so that an entry which another revision holds is not parsed again.

A lock of 500 stages changes in a few of them from commit to commit. Anything that does not look exactly as DVC
writes it is left to the ordinary parser, which also words the faults.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import Any

from core.pipeline.yaml12 import MAX_BYTES, Document, YamlFault, load

HEAD = b"schema: '2.0'\nstages:\n"
HEAD_LINES = 2
LARGEST = 8 << 10
KEPT = 8_192

# A stage's name stands alone on a line that is indented by two; what belongs to it is indented further.
_NAME = re.compile(rb"^  (?![ #?-])[^\n]*:\n", re.MULTILINE)
_SHALLOW = re.compile(rb"^(?! {3,}| *$)", re.MULTILINE)
_REFERENCE = re.compile(rb"[:-] +[&*]|<<|\t|^---|^\.\.\.", re.MULTILINE)

_KNOWN: OrderedDict[bytes, tuple[str, Any]] = OrderedDict()
_GUARD = Lock()


def read_entries(data: bytes) -> Document | None:
    """The document that ``load(data, line_depth=2)`` gives; None when the text is not as DVC writes it."""
    if not data.startswith(HEAD) or len(data) > MAX_BYTES or _REFERENCE.search(data):
        return None
    starts = [match.start() for match in _NAME.finditer(data, len(HEAD))]
    if not starts or starts[0] != len(HEAD) or not data.endswith(b"\n"):
        return None
    chunks = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    if any(_SHALLOW.search(chunk, chunk.index(b"\n") + 1, len(chunk) - 1) for chunk in chunks):
        return None
    entries = _parsed(chunks)
    if entries is None or len({name for name, _ in entries}) < len(entries):
        return None
    lines: dict[tuple[str, ...], int] = {("schema",): 1, ("stages",): 2}
    line = HEAD_LINES + 1
    for (name, _), chunk in zip(entries, chunks, strict=True):
        lines["stages", name] = line
        line += chunk.count(b"\n")
    return Document({"schema": "2.0", "stages": dict(entries)}, lines)


def _parsed(chunks: list[bytes]) -> list[tuple[str, Any]] | None:
    """(name, entry) of each chunk; those not seen before are parsed together."""
    with _GUARD:
        found = {chunk: _KNOWN[chunk] for chunk in chunks if chunk in _KNOWN}
    fresh = [chunk for chunk in chunks if chunk not in found]
    if fresh:
        try:
            value = load(b"".join(fresh)).value
        except YamlFault:
            return None
        if (
            not isinstance(value, dict)
            or len(value) != len(fresh)
            or not all(type(key) is str for key in value)
        ):
            return None
        found |= zip(fresh, value.items(), strict=True)
        _keep({chunk: found[chunk] for chunk in fresh if len(chunk) <= LARGEST})
    return [found[chunk] for chunk in chunks]


def _keep(entries: dict[bytes, tuple[str, Any]]) -> None:
    with _GUARD:
        _KNOWN.update(entries)
        while len(_KNOWN) > KEPT:
            _KNOWN.popitem(last=False)
