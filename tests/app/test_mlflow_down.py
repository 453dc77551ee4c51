"""MLflow does not answer: the pages that the ledger can fill say so, and claim nothing that only MLflow knows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.services import forget
from tests.app.test_registry_page import visit
from tests.app.test_request_page import said
from tests.release_workspace import MODEL, Stories, make_stories


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stories, str]:
    """A request is open; then the server is gone."""
    stories = make_stories(tmp_path_factory.mktemp("down") / "ws")
    return stories, stories.ask(version=2).request_id


@pytest.fixture
def down(asked: tuple[Stories, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(asked[0].root))
    monkeypatch.setenv("MODELDESK_MLFLOW__TRACKING_URI", "http://127.0.0.1:9")
    forget()
    return asked[1]


def test_a_request_is_not_called_fresh_nor_its_run_gone(down: str) -> None:
    """It read 'Run gone, commit not recorded', offered to approve, and did not say that it was not judged."""
    app = visit("request", id=down)
    shown = said(app).replace("\\", "")
    assert "does not answer" in shown and "Whether it is stale cannot be told now" in shown
    # Escaped dots inside a link that Markdown makes of an address are shown: "127\\.0\\.0\\.1".
    assert not any("://127" in item.value for item in (*app.warning, *app.markdown))
    assert ":gray[Run] not read" in shown and "gone" not in shown
    assert f"`{'d' * 9}`" in shown  # the data that the request is bound to stands in the ledger
    assert app.button(key="open_approve").disabled
    queue = said(visit("requests", tab="mine")).replace("\\", "")
    assert "cannot be told now" in queue and "no metric in common" not in queue


def test_what_was_live_on_a_day_needs_no_mlflow(down: str) -> None:
    app = visit("registry", on=f"{datetime.now(UTC):%Y-%m-%d}")
    assert "does not answer" in said(app) and f"Live on {datetime.now(UTC):%Y-%m-%d}" in said(app)
    assert app.table[0].value.iloc[0]["Live"] == "v1" and app.dataframe[0].value.iloc[0]["Model"] == MODEL


def test_the_decisions_about_a_version_need_no_mlflow(down: str) -> None:
    app = visit("version", model=MODEL, version="1")
    assert "does not answer" in said(app)
    assert any("Promoted in production" in text for text in app.dataframe[0].value["What"])
