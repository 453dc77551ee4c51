"""The Drift page in a real browser: from an alert to the Deploy page (O1), from a column to its data (A10)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect

from core.drift.alerts import open_alerts
from core.notify.notices import notice_of
from core.workspace import open_workspace

expect.set_options(timeout=30_000)
MODEL = "diagnosis-risk"


def test_from_a_drifted_column_to_every_version_trained_on_its_data(tab) -> None:
    """A10: Drift, then the link beside the column, which drifts most and is chosen already: two clicks."""
    page = tab.open("/")
    page.locator('[data-testid="stSidebarNav"]').get_by_text("Drift", exact=True).click()
    expect(page.get_by_text("DEGRADED").first).to_be_visible()
    tab.settle()
    expect(page.get_by_text("creatinine").first).to_be_visible()
    page.get_by_text(re.compile(r"Every version trained on v8's data")).click()
    expect(page.locator("h1")).to_have_text("Lineage")
    tab.settle()
    assert "features%2Ftrain.parquet" in page.url or "features/train.parquet" in page.url
    assert re.search(rf"{MODEL} v\d", tab.text())
    assert tab.outside == []


def test_the_alert_of_a_message_is_in_view_and_taken_on_in_one_click(
    demo_copy: Path, serve: Callable[..., str], open_tab
) -> None:
    """O1 as far as this page goes: the message's link names model, environment and alert; so does the page's own."""
    ws = open_workspace(demo_copy)
    alert = open_alerts(ws, MODEL)[0]
    told = urlsplit(notice_of(alert.raised, "http://desk").link)
    assert (told.path, told.query) == (
        "/deploy", f"model={MODEL}&environment=production&alert={alert.event.alert_id}"
    )  # fmt: skip
    tab = open_tab(serve(demo_copy), 390, 844)
    page = tab.open(f"/drift?model={MODEL}&alert={alert.event.alert_id}")
    card = page.locator(f".st-key-alert_{alert.event.alert_id}")
    expect(card.get_by_text("nobody has taken it on")).to_be_visible()
    assert card.bounding_box()["y"] < 844, "in view on a phone"
    card.get_by_role("button", name="Take on").dblclick()
    expect(card.get_by_text(re.compile("taken on by"))).to_be_visible()
    assert len(ws.ledger.records(kinds=("drift_alert_acknowledged",))) == 1
    card.get_by_text("Roll back…").click()
    expect(page.locator("h1")).to_have_text("Deploy")
    tab.settle()
    assert urlsplit(page.url).path == "/deploy" and f"alert={alert.event.alert_id}" in page.url
    expect(page.get_by_role("button", name=re.compile("Roll back")).first).to_be_visible()
