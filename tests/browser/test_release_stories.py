"""The ML lead's stories in a real browser: look, sign, ask for changes, name a deputy, promote."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.registry import approvals
from core.registry.deputies import deputies
from core.registry.promotion import carry_out, plan_promotion
from tests.release_workspace import MODEL, Stories, make_stories

expect.set_options(timeout=20_000)
WORDS = "correct horse battery staple"


@pytest.fixture
def stories(tmp_path: Path) -> Stories:
    return make_stories(tmp_path / "ws", needs=2)


def strip(page: Page):
    return page.locator('[data-testid="stSidebar"] .st-key-attention')


def act_as(tab, name: str) -> None:
    """Choose a demo user in the sidebar."""
    tab.page.get_by_label("Acting as").click()
    tab.page.get_by_role("option", name=name).click()
    tab.settle()


def sign(page: Page, button: str, *, new: bool) -> None:
    dialog = page.get_by_role("dialog")
    if new:
        dialog.get_by_label("New passphrase, at least 12 characters").fill(WORDS)
        dialog.get_by_label("The same again").fill(WORDS)
    dialog.get_by_role("button", name=button).click()


def test_look_sign_and_stale(stories: Stories, serve: Callable[..., str], open_tab) -> None:
    """L1, L2, L3, L5, L6: seen on every page, one screen, signed, not one's own, stale when evidence changes."""
    mine = stories.ask(version=3, actor=stories.me, reason="my own wish")
    first = stories.ask(version=2)
    tab = open_tab(serve(stories.root))
    page = tab.open("/experiments")
    expect(strip(page)).to_contain_text("1 waiting for you")
    strip(page).get_by_text(f"{MODEL} v2").click()  # L2: one click
    expect(page.locator("h1")).to_have_text(f"{MODEL} v2 to production")
    expect(page).to_have_title(f"{MODEL} v2 to production · Model Desk")
    tab.settle()
    screen = tab.text()
    for said in (
        "finds more cases",
        "auroc",
        "not distinguishable",
        "PASS",
        "INCONCLUSIVE",
        "Commit",
        "Approve",
    ):
        assert said in screen
    for key in ("delta", "gates", "decision", "signatures", "lineage", "history"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box["y"] + box["height"] <= 900, f"{key} is below the fold"
    page.get_by_role("button", name="Approve").click()
    sign(page, "Sign approval", new=True)
    expect(page.get_by_text("Signed.", exact=True)).to_be_visible()
    expect(page.locator(".st-key-signatures")).to_contain_text("I approve release to production")
    expect(page.locator(".st-key-signatures")).to_contain_text(stories.me.printed_name)
    expect(page.locator(".st-key-signatures")).to_contain_text("UTC")
    signature = stories.state(first.request_id).request.signatures[0]
    assert signature.event.authenticated

    tab.open(f"/request?id={mine.request_id}")  # L5
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.get_by_text("somebody else must decide").first).to_be_visible()

    run_id = stories.ws.registry.version(MODEL, 2).run_id
    stories.store.client.log_metric(run_id, "auroc", 0.99)
    tab.open(f"/request?id={first.request_id}")  # L6
    expect(page.get_by_text(re.compile("changed since it was requested: the run's metrics"))).to_be_visible()
    expect(page.locator(".st-key-signatures")).to_contain_text("STALE")
    assert tab.outside == [] and tab.console_errors == []


def test_changes_deputy_and_the_way_to_production(
    stories: Stories, serve: Callable[..., str], open_tab
) -> None:
    """L4, L10, and asking, signing and promoting on the pages alone, four eyes by two demo users."""
    found = stories.ask(version=2)
    tab = open_tab(serve(stories.root))
    page = tab.open(f"/request?id={found.request_id}")
    page.get_by_role("button", name="Request changes").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("What should change")).fill("show the subgroup of site north")
    dialog.get_by_role("button", name="Request changes").click()
    expect(page.get_by_text("Changes were requested.")).to_be_visible()
    asked = stories.ws.ledger.records(kinds=("changes_requested",))[-1]
    assert (asked.payload["addressed_to"], asked.reason) == (
        "Chen Wei (demo user)",
        "show the subgroup of site north",
    )
    act_as(tab, "Chen Wei (demo)")
    expect(strip(page)).to_contain_text("CHANGES WANTED")

    act_as(tab, "Dr. Rev (demo)")
    tab.page.get_by_role("link", name="Requests").first.click()
    page.get_by_text("Deputies", exact=True).click()
    page.locator(".st-key-deputy").get_by_role("combobox").click()
    page.get_by_role("option", name="Dara Okafor").click()
    page.get_by_role("button", name="Name deputy").click()
    expect(page.get_by_text("may approve in your place").first).to_be_visible()
    held = deputies(stories.ws)
    assert [(item.deputy, item.principal) for item in held] == [("dara", "rev")]
    assert timedelta(days=6) < held[0].until - datetime.now(UTC) < timedelta(days=8)

    act_as(tab, "Chen Wei (demo)")
    tab.open(f"/version?model={MODEL}&version=3")
    act_as(tab, "Chen Wei (demo)")
    page.get_by_role("button", name="Request approval").click()
    dialog.get_by_label(re.compile("Why should it go live")).fill("calmer on the wards")
    dialog.get_by_role("button", name="Request approval").click()
    expect(page.get_by_text(re.compile("Request req.* is open"))).to_be_visible()
    newest = list(stories.ws.ledger.state().requests)[-1]
    tab.open(f"/request?id={newest}")
    act_as(tab, "Tom Berg (demo)")
    page.get_by_role("button", name="Accept a check").click()
    dialog.get_by_label(re.compile("Why is it acceptable")).fill("not in use")
    dialog.get_by_role("button", name="Accept this check").click()
    expect(page.get_by_text("'calibration ≥ 0.5' was accepted.")).to_be_visible()
    accepted = stories.ws.ledger.records(kinds=("gate_overridden",))[-1]
    assert (accepted.actor.name, accepted.reason) == ("tom", "not in use")
    for name, new in (("Dara Okafor (demo)", True), ("Tom Berg (demo)", True)):
        tab.open(f"/request?id={newest}")
        act_as(tab, name)
        page.get_by_role("button", name="Approve").click()
        sign(page, "Sign approval", new=new)
        expect(page.get_by_text("Signed.", exact=True)).to_be_visible()
    assert stories.state(newest).state == "approved"
    act_as(tab, "Dara Okafor (demo)")
    page.get_by_role("button", name="Promote v3 to production").click()
    dialog.get_by_role("button", name="Deploy v3 to production").click()
    expect(page.get_by_text(re.compile("is v3, confirmed"))).to_be_visible()
    assert stories.ws.registry.model(MODEL).aliases["champion"] == 3
    signed = stories.ws.ledger.state().requests[newest].signatures
    assert [(item.by.name, item.event.deputy_for) for item in signed] == [("dara", "rev"), ("tom", "")]


def test_a_day_in_the_past_and_an_alias_moved_outside(
    stories: Stories, serve: Callable[..., str], open_tab
) -> None:
    """L7: what was live on a day and who approved it. O8: a red banner, the move on record, put back by one dialog."""
    found = stories.ask(version=2)
    for name in ("rev", "tom"):
        approvals.approve(stories.ws, found.request_id, stories.demo(name))
    carry_out(stories.ws, plan_promotion(stories.ws, MODEL, 2), stories.demo("dara"), "better")
    stories.store.alias(MODEL, "champion", 3)
    tab = open_tab(serve(stories.root))
    page = tab.open("/")
    page.locator('[data-testid="stSidebarNav"]').get_by_text("Registry", exact=True).click()
    banner = page.locator('[data-testid="stAlert"]').first
    expect(banner).to_contain_text("was moved outside Model Desk")
    page.get_by_role("spinbutton", name="year, Live on (UTC)").click()
    page.keyboard.type(f"{datetime.now(UTC):%Y%m%d}")
    page.keyboard.press("Escape")
    expect(page.locator(".st-key-as_of")).to_contain_text("Dr. Rev (demo user), Tom Berg (demo user)")
    expect(page.locator(".st-key-as_of")).to_contain_text("v2")
    moved = stories.ws.ledger.records(kinds=("alias_moved_outside",))
    assert [(item.actor.name, item.payload["to_version"]) for item in moved] == [("unknown", 3)]
    page.get_by_role("button", name="Put back to v2").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What happened, as far as you know?").fill("moved by hand in MLflow")
    dialog.get_by_role("button", name="Put back to v2").click()
    expect(page.get_by_text("ledger and MLflow agree again")).to_be_visible()
    assert stories.ws.registry.model(MODEL).aliases["champion"] == 2
    assert stories.ws.ledger.records(kinds=("alias_reconciled",))[-1].actor.name == stories.me.name
