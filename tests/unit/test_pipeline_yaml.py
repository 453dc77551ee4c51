"""YAML as DVC reads it: equal to ruamel.yaml's safe loader, and safe against hostile files."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from core.pipeline.yaml12 import MAX_BYTES, YamlFault, load, parse
from core.pipeline.yaml_block import NotPlain, read_block

SCALARS = re.split(
    " +",
    "1e-3 1E5 1e-05 1.e5 .5 .5e3 .5e+3 -.5 -.inf .inf +.INF .NaN .nan 1_000 0b101 0o10 0O10 010 08 0x1F +1 "
    "-0 1. 1.5 yes no on off y n True TRUE true tRue null Null NULL ~ nUll 12:30:45 1:2 2020-01-01 2020-1-1 "
    "2001-12-14t21:59:43.10-05:00 2001-12-15T02:59:43Z 2020-01-01T10:00:00 1__0 -_1 _1 09.5 1e 1e+ e5 +e5 . "
    ".. 0 00 0_8 a =a 0.0 -0.0 1e400 6.02e23 +.5 1.2.3 -- 1-2 +1e3 .e3 ._5 0b2 0o8 0xg nan inf",
)

DOCUMENTS = (
    "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: {c: 4, <<: *x}\nf: {<<: [*x, {z: 1, b: 9}]}",
    "",
    "# only a comment",
    "[1, 2]",
    "? b\n: 1",
    "a:\n- b\n-\n- {}\n- []",
    "k: !!str 12\nz: !!int '3'\ny: !!float 1\nx: !!bool true",
    "k: |\n  a\n  b\nz: >-\n  c\n  d",
    '"<<": 1',
    "\ufeffa: 1",
    "2020-01-01: x",
    "a: '''q'''\nb: \"\\u263a\"",
)


def oracle(text: str) -> Any:
    return YAML(typ="safe").load(text)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float) and math.isnan(ours):
        return math.isnan(theirs)
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("scalar", SCALARS)
def test_scalars_as_ruamel(scalar: str) -> None:
    text = f"k: {scalar}\n"
    assert same(load(text.encode()).value["k"], oracle(text)["k"])


@pytest.mark.parametrize("text", DOCUMENTS)
def test_documents_as_ruamel(text: str) -> None:
    assert load(text.encode()).value == oracle(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-._eExXobaAfFnNtTruelsi:~ ", min_size=1, max_size=9))
def test_any_plain_scalar_as_ruamel(scalar: str) -> None:
    text = f"k: {scalar}\n"
    try:
        theirs = oracle(text)
    except Exception:  # noqa: BLE001 - ruamel raises ValueError, AttributeError and more for odd numbers
        return
    try:
        ours = load(text.encode()).value
    except YamlFault:
        pytest.fail(f"{text!r} is {theirs!r} for ruamel")
    assert isinstance(theirs, dict) and ours.keys() == theirs.keys()
    assert all(same(ours[key], theirs[key]) for key in ours)


def bomb() -> str:
    levels = (f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    return "\n".join(["a0: &a0 [x,x,x,x,x,x,x,x,x]", *levels])


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        pytest.param(b"a: 1\nb: 2\na: 3\n", 3, "duplicate key 'a'", id="duplicate key"),
        pytest.param(bomb().encode(), 7, "bomb", id="bomb"),
        pytest.param(b"a: &a [*a]\n", 1, "alias", id="recursive alias"),
        pytest.param(b"a: *x\n", 1, "alias", id="unknown alias"),
        pytest.param(b"ok: 1\nbad: \xff\xfe\n", 2, "UTF-8", id="not UTF-8"),
        pytest.param(b"a: 1\n---\nb: 2\n", 2, "second document", id="two documents"),
        pytest.param(b"%YAML 1.1\n---\na: on\n", None, "YAML 1.1", id="version 1.1"),
        pytest.param(b"[" * 5000, 1, "deep", id="deep"),
        pytest.param(b"a: !!python/object:os.system x\n", 1, "tag", id="python tag"),
        pytest.param(b"a: [1,\n", 2, "not valid YAML", id="unclosed"),
        pytest.param(b"? [a]\n: 1\n", 1, "cannot be a key", id="list as key"),
        pytest.param(b"a: \x07\n", None, "", id="control character"),
        pytest.param(b"#" * (MAX_BYTES + 1), None, "MB", id="too large"),
    ],
)
def test_refused(data: bytes, line: int | None, words: str) -> None:
    with pytest.raises(YamlFault) as refused:
        load(data)
    assert words in refused.value.message
    assert line is None or refused.value.line == line


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60), st.text(alphabet="a:-[]{}*&!|>'\"\n #?%,1.~<", max_size=60).map(str.encode)
    )
)
def test_nothing_but_a_fault_is_raised(data: bytes) -> None:
    try:
        load(data, line_depth=3)
    except YamlFault as fault:
        assert fault.message


def test_lines_of_keys() -> None:
    lines = load(b"stages:\n  a:\n    cmd: x\n  b:\n    deps:\n    - y\n", line_depth=3).lines
    assert lines["stages", "b"] == 4
    assert lines["stages", "b", "deps"] == 5


WORDS = [
    "a",
    "b",
    "x: y",
    "a:b",
    "1e-3",
    "010",
    "true",
    "'q'",
    "'it''s'",
    '"n"',
    '"\\n"',
    "-1",
    "- z",
    "~",
    "http://x",
]
WORDS += [
    "p #c",
    "p#c",
    "p ",
    "a  b",
    "{k: 1}",
    "[1]",
    "|",
    "&a v",
    "*a",
    "!!str 1",
    "2020-01-01",
    "k:",
    "",
    "é",
]
WORDS += [
    "? a",
    "[]",
    "{}",
    "[a, 1e-3]",
    "{cache: false}",
    "{a: 1, a: 2}",
    "[a,b]",
    "[a , b]",
    "{a: b: c}",
    "[x: 1]",
]
WORDS += ["{true: 1}", "[~, -1]", "[a b]", "{k: v }"]
KEYS = [
    "a",
    "b",
    "stages",
    "train.lr",
    "g@a-1",
    "true",
    "Null",
    "1",
    "<<",
    "'a'",
    "a b",
    "-a",
    "no",
    "x/y.py",
]


@st.composite
def lines_of_text(draw: st.DrawFn) -> str:
    """Lines that are mostly, not always, plain block YAML."""
    lines = []
    for _ in range(draw(st.integers(1, 8))):
        indent = " " * draw(st.sampled_from([0, 0, 2, 2, 4, 4, 6, 1, 3]))
        dash = draw(st.sampled_from(["", "", "- ", "-  ", "-"]))
        key = draw(st.sampled_from(KEYS[:5] * 3 + KEYS))
        word = draw(st.sampled_from(WORDS))
        form = draw(st.sampled_from(["{key}: {word}", "{key}:", "{word}", "{key}:  {word}", "# {word}", ""]))
        lines.append(indent + dash + form.format(key=key, word=word))
    return "\n".join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))


@settings(max_examples=400, deadline=None)
@given(lines_of_text())
def test_what_is_read_line_by_line_is_what_the_parser_reads(text: str) -> None:
    try:
        value, lines = read_block(text, 2)
    except NotPlain:
        return
    whole = parse(text, 2)
    assert repr(value) == repr(whole.value)  # also types and order
    assert lines == whole.lines


def test_a_lock_as_dvc_writes_it_is_read_line_by_line() -> None:
    text = (
        "schema: '2.0'\nstages:\n  train:\n    cmd: python train.py --lr 1e-3\n    deps:\n    - path: data/a b.csv\n"
        "      md5: 00aa\n      size: 12\n    params:\n      params.yaml:\n        train.lr: 0.001\n"
    )
    value, _ = read_block(text * 1, 0)
    assert value == oracle(text)
    many = "".join(f"k{number}: v\n" for number in range(20_000))
    assert read_block(many, 1)[1]["k19999",] == 20_000  # lines are counted over the pieces of a large text
