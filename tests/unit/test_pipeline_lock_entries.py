"""Locks read entry by entry equal locks read whole, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pipeline import lock_entries
from core.pipeline.lock_entries import HEAD, read_entries
from core.pipeline.yaml12 import MAX_BYTES, YamlFault, load

ENTRY = (
    "  {name}:\n    cmd: python {name}.py && echo ok\n    outs:\n    - path: {name}.bin\n      md5: {md5}\n"
)
TWO = HEAD + b"".join(ENTRY.format(name=name, md5="1e5").encode() for name in ("a", "b@1"))


def both(data: bytes) -> tuple[object, object]:
    """What entry by entry gives (twice: parsed, then remembered), and what the whole gives; None for a fault."""
    try:
        whole = load(data, line_depth=2)
    except YamlFault:
        whole = None
    first, again = read_entries(data), read_entries(data)
    assert first == again
    return first, whole


def test_a_lock_as_dvc_writes_it_is_read_by_entries() -> None:
    first, whole = both(TWO)
    assert first == whole is not None
    assert first.lines["stages", "b@1"] == 8


def test_entries_seen_before_are_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read_entries(TWO)
    texts = []
    monkeypatch.setattr(lock_entries, "load", lambda data: texts.append(data) or load(data))
    changed = TWO.replace(b"b@1.bin", b"c.bin")
    assert read_entries(changed) == load(changed, line_depth=2)
    assert len(texts) == 1 and b"a.bin" not in texts[0]


@pytest.mark.parametrize(
    "text",
    [
        b"  a:\n    cmd: &x 1\n  b:\n    cmd: *x\n",
        b"  a:\n    cmd: 1\n  a:\n    cmd: 2\n",
        b'  a:\n    cmd: "one\n  b:\n    cmd: two"\n',
        b"  a:\n    cmd: [1,\n  b:\n    cmd: 2]\n",
        b"  a:\n    cmd: |-\n      x\n\n      y\n  b:\n    cmd: 2\n",
        b"  a:\n    cmd: 1\ndatasets: []\n",
        b"  a:\n    cmd: 1\n # note\n  b:\n    cmd: 2\n",
        b"  a:\n    cmd: 1\n  # note\n  b:\n    cmd: 2\n",
        b"  ? a\n  : {cmd: 1}\n",
        b"  1:\n    cmd: 1\n",
        b"  'a b':\n    cmd: 1\n  a b:\n    cmd: 2\n",
        b"  a:\n    cmd: 1",
        b"  a:\n  b:\n    cmd: 1\n",
        b"  - a:\n",
        b"  a:\n    cmd: 1\n...\n  b:\n    cmd: 2\n",
        b"  a:\n\tcmd: 1\n",
        b"  a: {cmd: 1}\n  b:\n    cmd: 2\n",
        b"  a:\n   cmd: 1\n  b:\n     cmd: 2\n",
        b"  <<:\n    cmd: 1\n",
        b"  a:\n    cmd: \xff\n",
        b"",
    ],
)
def test_what_looks_otherwise_is_read_as_the_whole_or_left_to_it(text: bytes) -> None:
    first, whole = both(HEAD + text)
    assert first is None or first == whole


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet=" \n:-'\"#&*[]{}|>ab1", max_size=14), max_size=6))
def test_any_text_between_entries(parts: list[str]) -> None:
    text = "\n".join(f"  s{index}:\n    cmd: {part}" for index, part in enumerate(parts)) + "\n"
    first, whole = both(HEAD + text.encode())
    assert first is None or first == whole


def test_a_large_file_is_left_to_the_reader_that_refuses_it() -> None:
    assert read_entries(HEAD + b"  a:\n" + b" " * MAX_BYTES + b"\n") is None
