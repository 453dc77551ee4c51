"""Saved views: an address under a name, on the record, with its command and its reverse."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from core.access import Actor
from core.errors import BadInput, Conflict, NotFound, Refused
from core.settings import AccessSection, GrantSection, Settings
from core.views import LONGEST_QUERY, remove_view, save_view, views
from core.workspace import Workspace, open_workspace

ANA, BO, ADMIN = (Actor(name, name.title(), "oidc") for name in ("ana", "bo", "root"))


@pytest.fixture
def ws(tmp_path) -> Workspace:
    roles = {"ana": "analyst", "bo": "analyst", "root": "admin", "vi": "viewer"}
    grants = tuple(GrantSection(user=name, role=role) for name, role in roles.items())
    return Workspace(Settings(root=tmp_path, access=AccessSection(mode="oidc", grants=grants)))


def test_a_view_is_there_for_everybody_until_it_is_removed(ws):
    assert views(ws) == ()
    saved = save_view(ws, "experiments", " top ", "?q=metrics.auroc+%3E+0.9", ANA)
    assert (saved.name, saved.query, saved.by.name) == ("top", "q=metrics.auroc+%3E+0.9", "ana")
    save_view(ws, "compare", "top", "runs=a,b", BO)
    assert [view.page for view in views(ws)] == ["compare", "experiments"]
    assert [view.query for view in views(ws, "compare")] == ["runs=a,b"]
    remove_view(ws, "experiments", "top", ANA)
    assert views(ws, "experiments") == () and len(views(ws)) == 1
    assert [record.kind for record in ws.ledger.records()] == ["view_saved", "view_saved", "view_removed"]


def test_a_name_is_taken_once_and_saving_twice_is_once(ws):
    for _ in range(2):
        save_view(ws, "experiments", "top", "q=a", ANA)
    assert len(ws.ledger.records()) == 1
    with pytest.raises(Conflict, match="Ana has saved another view"):
        save_view(ws, "experiments", "top", "q=b", BO)


def test_who_may(ws):
    with pytest.raises(Refused):
        save_view(ws, "experiments", "top", "q=a", Actor("vi", "Vi", "oidc"))
    save_view(ws, "experiments", "top", "q=a", ANA)
    with pytest.raises(Refused):
        remove_view(ws, "experiments", "top", BO)
    remove_view(ws, "experiments", "top", ADMIN)
    with pytest.raises(NotFound):
        remove_view(ws, "experiments", "top", ANA)


@pytest.mark.parametrize(
    ("page", "name", "query"),
    [("deploy", "x", ""), ("experiments", " ", ""), ("experiments", "a\nb", ""), ("experiments", "x" * 81, ""),
     ("compare", "x", "r" * (LONGEST_QUERY + 1))],
)  # fmt: skip
def test_what_cannot_be_a_view(ws, page, name, query):
    with pytest.raises(BadInput):
        save_view(ws, page, name, query, ANA)
    assert ws.ledger.records() == ()


def test_the_commands(tmp_path):
    (tmp_path / "modeldesk.toml").write_text("")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "core", "views", *words, "--workspace", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert run("save", "top", "--query", "q=a").returncode == 0
    listed = json.loads(run("list", "--output", "json").stdout)
    assert listed["views"][0]["url"].endswith("/experiments?q=a")
    assert run("save", "top", "--query", "q=b").returncode == 7
    assert run("remove", "top").returncode == 0 and run("remove", "top").returncode == 2
    assert views(open_workspace(tmp_path)) == ()
