"""A dvc.lock as DVC writes it, read entry by entry, so that an entry which another revision holds is not parsed again.

A lock of 500 stages changes in a few of them from commit to commit. Anything that does not look exactly as DVC
writes it is left to the ordinary parser, which also words the faults.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from core.pipeline.yaml12 import MAX_BYTES, Document, YamlFault, load

HEAD = b"schema: '2.0'\nstages:\n"
HEAD_LINES = 2
LARGEST = 8 << 10
KEPT = 8_192

# A stage's name stands alone on a line that is indented by two; what belongs to it is indented further.
_START = re.compile(rb"\n(?:  ([^\s'\"#?&*!|>%@`{}\[\],-]\S*):(?=\n)| {0,2}[^ \n])")
_REFERENCE = re.compile(rb"[:-] +[&*]")
_FOREIGN = (b"<<", b"\t", b"\n---", b"\n...")

_KNOWN: OrderedDict[bytes, tuple[str, Any]] = OrderedDict()
_GUARD = Lock()


def read_entries(data: bytes) -> Document | None:
    """The document that ``load(data, line_depth=2)`` gives; None when the text is not as DVC writes it."""
    texts = split_entries(data)
    entries = None if texts is None else parse_entries(tuple(texts.values()))
    if texts is None or entries is None:
        return None
    lines: dict[tuple[str, ...], int] = {("schema",): 1, ("stages",): 2}
    line = HEAD_LINES + 1
    for (name, _), text in zip(entries, texts.values(), strict=True):
        lines["stages", name] = line
        line += text.count(b"\n")
    return Document({"schema": "2.0", "stages": dict(entries)}, lines)


@lru_cache(maxsize=4)
def split_entries(data: bytes) -> Mapping[bytes, bytes] | None:
    """The text of each entry by its stage's name; None when the file is not as DVC writes it.

    The latest ones are remembered: in a history each lock is what comes before the next.
    """
    if not data.startswith(HEAD) or not data.endswith(b"\n") or len(data) > MAX_BYTES:
        return None
    if any(sign in data for sign in _FOREIGN):
        return None
    if (b"&" in data or b"*" in data) and _REFERENCE.search(data):
        return None
    found = list(_START.finditer(data, len(HEAD) - 1))
    if not found or found[0].start() != len(HEAD) - 1 or not all(match[1] for match in found):
        return None
    starts = [match.start() + 1 for match in found]
    ends = (*starts[1:], len(data))
    texts = {match[1]: data[at:end] for match, at, end in zip(found, starts, ends, strict=True)}
    return texts if len(texts) == len(found) else None


def parse_entries(texts: Sequence[bytes]) -> list[tuple[str, Any]] | None:
    """(name, entry) of each text; those not seen before are parsed together. None for a fault in one of them."""
    with _GUARD:
        found = {text: _KNOWN[text] for text in texts if text in _KNOWN}
    fresh = [text for text in texts if text not in found]
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
        _keep({text: found[text] for text in fresh if len(text) <= LARGEST})
    return [found[text] for text in texts]


def _keep(entries: dict[bytes, tuple[str, Any]]) -> None:
    with _GUARD:
        _KNOWN.update(entries)
        while len(_KNOWN) > KEPT:
            _KNOWN.popitem(last=False)
