"""No call over a network waits for ever: each one that opens a connection says how long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.test_layers import CORE, DASHBOARD, ids

CALLS = {
    "Client", "AsyncClient", "post", "get", "request", "stream", "urlopen", "HTTPConnection", "HTTPSConnection",
    "create_connection", "SMTP", "SMTP_SSL",
}  # fmt: skip
MODULES = {"httpx", "http.client", "urllib.request", "socket", "smtplib"}


def openings(file: Path) -> list[ast.Call]:
    """The calls of ``file`` that open a connection: ``httpx.post(...)`` and such."""
    calls = [
        node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    return [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in CALLS
        and ast.unparse(call.func.value) in MODULES
    ]


@pytest.mark.parametrize("file", [*CORE, *DASHBOARD], ids=ids([*CORE, *DASHBOARD]))
def test_who_opens_a_connection_says_how_long_it_may_take(file: Path) -> None:
    endless = [
        f"{file.name}:{call.lineno} {ast.unparse(call.func)}"
        for call in openings(file)
        if "timeout" not in {keyword.arg for keyword in call.keywords}
    ]
    assert not endless


def test_the_rule_sees_what_it_is_about() -> None:
    assert sum(len(openings(file)) for file in CORE) >= 5
