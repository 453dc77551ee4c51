"""Overview, Start, Registry, Model version and Run pages without a browser, on real stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.access import local_actor
from core.deploy import release
from core.workspace import Workspace
from dashboard.services import forget
from tests.deploy_workspace import MODEL, make_workspace

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    ws = make_workspace(tmp_path, engine="none")
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    return ws


def visit(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60).switch_page(f"app_pages/{page}.py")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    parts = (*app.title, *app.markdown, *app.caption, *app.success, *app.error, *app.code)
    return "\n".join(item.value for item in parts)


def promote(ws: Workspace, version: int) -> None:
    plan = release.plan_deploy(ws, MODEL, version, "production")
    release.carry_out(ws, plan, local_actor(ws.settings), "better", None)
    forget()  # done beside the page, which may show what it read for some seconds more


def test_start_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not app.exception
    assert "Welcome" in words(app) and "tracking_uri" in words(app)


def test_overview_says_what_is_live_and_by_whom(ws: Workspace) -> None:
    before = visit("overview").dataframe[0].value.iloc[0]
    assert before["Live"] == "–" and "live version" in before["Missing"]
    promote(ws, 2)
    after = visit("overview").dataframe[0].value.iloc[0]
    assert after["Live"] == "v2" and "IN SYNC" in after["State"]
    assert after["By"] == local_actor(ws.settings).printed_name


def test_an_alias_moved_outside_needs_somebody(ws: Workspace) -> None:
    promote(ws, 2)
    ws.registry.set_alias(MODEL, "champion", 1, expected=2)
    forget()
    app = visit("overview")
    assert "OUT OF SYNC" in app.dataframe[0].value.iloc[0]["State"]
    assert "waiting for you" in "\n".join(item.value for item in app.sidebar.markdown)


def test_registry_lists_versions_and_finds_by_alias(ws: Workspace) -> None:
    promote(ws, 2)
    app = visit("registry", model=MODEL)
    assert list(app.dataframe[0].value["Version"])[-1] == "v1"
    app.text_input(key="search").set_value("champion").run()
    assert list(app.dataframe[0].value["Version"]) == ["v2"]
    app.text_input(key="search").set_value("no such thing").run()
    assert "No version" in words(app)


def test_version_page_compares_with_production_and_shows_decisions(ws: Workspace) -> None:
    promote(ws, 2)
    app = visit("version", model=MODEL, version="2")
    assert f"{MODEL} v2" in words(app)
    assert "This version is live already" in words(app)
    said = [text for frame in app.dataframe for text in frame.value.get("What", ())]
    assert any(text.startswith("Promoted in production: ") and "v2" in text for text in said)


def test_a_link_to_a_model_that_is_gone_says_so(ws: Workspace) -> None:
    """The widget drops a value it does not know: the page looked as if all models had been asked for."""
    app = visit("registry", model="retired-model")
    assert "There is no registered model" in app.warning[0].value and len(app.dataframe) == 1
    assert not visit("registry", model=MODEL).warning


def test_a_version_is_archived_on_its_page_and_restored_there(ws: Workspace) -> None:
    promote(ws, 2)
    assert "names" in visit("version", model=MODEL, version="2").button(key="archive_control").help
    app = visit("version", model=MODEL, version="1")
    app.button(key="archive_control").click().run()
    app.text_input(key="reasoned_reason").set_value("wrong units").run()
    app.button(key="confirm_reasoned").click().run()
    assert "is archived" in words(app) and "wrong units" in words(app)
    assert app.button(key="open_ask").disabled and app.button(key="promote_production").disabled
    listed = visit("registry", model=MODEL)
    assert "v1" not in list(listed.dataframe[0].value["Version"])
    listed.toggle(key="archived").set_value(True).run()
    row = listed.dataframe[0].value.set_index("Version").loc["v1"]
    assert "ARCHIVED" in row["Alias"]
    app = visit("version", model=MODEL, version="1")
    app.button(key="archive_control").click().run()
    app.text_input(key="reasoned_reason").set_value("right after all").run()
    app.button(key="confirm_reasoned").click().run()
    assert "is a candidate again" in words(app) and not app.button(key="open_ask").disabled


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("version", {}, "No version chosen"),
        ("version", {"model": MODEL, "version": "99"}, "99"),
        ("version", {"model": "nobody", "version": "1"}, "nobody"),
        ("run", {}, "No run chosen"),
        ("run", {"run": "0" * 32}, "0000"),
    ],
)
def test_a_page_without_its_subject_says_so(
    ws: Workspace, page: str, query: dict[str, str], said: str
) -> None:
    assert said in words(visit(page, **query))
