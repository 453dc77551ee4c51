"""The whole road in a real browser: look, filter, select, compare, promote, roll back."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.workspace import open_workspace

expect.set_options(timeout=20_000)

PAGES = {
    "/": "Overview",
    "/experiments": "Experiments",
    "/compare": "Compare",
    "/pipeline": "Pipeline",
    "/lineage": "Lineage",
    "/registry": "Registry",
    "/deploy": "Deploy",
    "/drift": "Drift",
    "/audit": "Audit",
}


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_on_real_data(path: str, tab) -> None:
    page = tab.open(path)
    expect(page.locator("h1")).to_have_text(PAGES[path])
    assert "went wrong" not in tab.text()
    assert tab.outside == [] and tab.console_errors == []


def test_the_menu_leads_from_page_to_page(tab) -> None:
    page = tab.open("/")
    for name in ("Experiments", "Registry", "Deploy", "Drift"):
        page.locator('[data-testid="stSidebarNav"]').get_by_text(name, exact=True).click()
        expect(page.locator("h1")).to_have_text(name)
        tab.settle()


def test_streamlits_own_deploy_button_is_hidden(tab) -> None:
    tab.open("/")
    assert tab.page.locator('[data-testid="stAppDeployButton"]').count() == 0


def test_filtering_runs_and_sharing_the_address(tab, open_tab, app: str) -> None:
    page = tab.open("/experiments?experiment=triage")
    search = page.get_by_label("Search", exact=True)
    search.fill("metrics.auroc > 0.98 AND params.model_type = 'gradient_boosting'")
    search.press("Enter")
    expect(page.get_by_text(re.compile(r"\d+ of 60 runs|\d+ runs"))).to_be_visible()
    page.wait_for_function("location.search.includes('auroc')")
    other = open_tab(app)
    other.open(page.url.removeprefix(app))
    expect(other.page.get_by_label("Search", exact=True)).to_have_value(re.compile("auroc > 0.98"))


def test_a_wrong_filter_is_explained_not_punished(tab) -> None:
    page = tab.open("/experiments?experiment=triage")
    search = page.get_by_label("Search", exact=True)
    search.fill("metrics.auroc >")
    search.press("Enter")
    expect(page.locator('[data-testid="stAlert"], [data-testid="stCaptionContainer"]').first).to_be_visible()
    tab.settle()
    assert "Traceback" not in tab.text() and "unexpected" not in tab.text()


def test_two_runs_compared_show_only_what_differs(tab, demo_session_copy: Path) -> None:
    ids = open_workspace(demo_session_copy).runs.search("triage", limit=2).run_ids
    page = tab.open(f"/compare?runs={','.join(ids)}")
    expect(page.get_by_text(re.compile("identical")).first).to_be_visible()
    assert re.search("better|worse|not distinguishable|not comparable", tab.text())


def test_a_version_page_shows_its_evidence(tab) -> None:
    page = tab.open("/version?model=diagnosis-risk&version=9")
    expect(page.locator("h1")).to_have_text("diagnosis-risk v9")
    expect(page.get_by_text("Against v8, live in production")).to_be_visible()
    expect(page.get_by_text("not distinguishable").first).to_be_visible()
    expect(page.get_by_text("Checks of the policy, made now")).to_be_visible()
    expect(page.get_by_text("Signature")).to_be_visible()


def test_roll_back_and_the_freeze_it_leaves(demo_copy: Path, serve: Callable[..., str], open_tab) -> None:
    """O2, O3, O9: current and target on one line, one button, the state read back, promotions frozen."""
    before = live(demo_copy)
    tab = open_tab(serve(demo_copy), 390, 844)
    page = tab.open("/deploy?endpoint=diagnosis-risk%2Fproduction")
    button = page.get_by_role("button", name=re.compile(r"Roll back to v\d+"))
    expect(button).to_be_visible()
    assert button.bounding_box()["y"] + button.bounding_box()["height"] < 844, "below the fold on a phone"
    target = int(re.search(r"v(\d+)", button.inner_text())[1])
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name=f"Roll back to v{target}").dblclick()
    expect(page.get_by_text(re.compile(f"is v{target}, confirmed"))).to_be_visible()
    assert live(demo_copy) == target != before
    records = open_workspace(demo_copy).ledger.records(model="diagnosis-risk", kinds=("rolled_back",))
    mine = [record for record in records if not record.actor.demo]
    assert len(mine) == 1, "a double click is one rollback"
    refused = subprocess.run(
        [sys.executable, "-m", "core", "deploy", "diagnosis-risk", "--version", str(before),
         "--workspace", str(demo_copy)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 6
    assert "frozen" in refused.stderr


def test_promote_from_the_deploy_page(demo_copy: Path, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(demo_copy))
    page = tab.open("/deploy?endpoint=biopsy-triage%2Fproduction")
    before = live(demo_copy, "biopsy-triage")
    page.get_by_role("button", name=re.compile(r"Plan v\d+ for production")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    confirm = dialog.get_by_role("button", name=re.compile(r"Deploy v\d+ to production"))
    target = int(re.search(r"v(\d+)", confirm.inner_text())[1])
    confirm.click()
    expect(page.get_by_text(re.compile(f"is v{target}, confirmed"))).to_be_visible()
    assert live(demo_copy, "biopsy-triage") == target != before


def test_promote_from_the_registry(demo_copy: Path, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(demo_copy))
    page = tab.open("/registry?model=biopsy-triage")
    table = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    page.mouse.click(table["x"] + 17, table["y"] + 50)  # the first row's box; the table is drawn on a canvas
    page.get_by_role("button", name="Promote v5 to production").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("v3 → v5").first).to_be_visible()
    dialog.get_by_role("button", name="Deploy v5 to production").click()
    expect(page.get_by_text(re.compile("is v5, confirmed"))).to_be_visible()
    assert live(demo_copy, "biopsy-triage") == 5


def test_a_stale_page_does_not_act(demo_copy: Path, serve: Callable[..., str], open_tab) -> None:
    """Somebody else moves the alias after the plan was shown: nothing is changed, and it says who did it."""
    tab = open_tab(serve(demo_copy))
    page = tab.open("/deploy?endpoint=biopsy-triage%2Fproduction")
    page.get_by_role("button", name=re.compile(r"Plan v\d+ for production")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    moved = subprocess.run(
        [sys.executable, "-m", "core", "deploy", "biopsy-triage", "--version", "2", "--reason", "first",
         "--workspace", str(demo_copy)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert moved.returncode == 0, moved.stderr
    dialog.get_by_role("button", name=re.compile(r"Deploy v\d+ to production")).click()
    expect(page.locator('[data-testid="stAlert"]').first).to_be_visible()
    assert live(demo_copy, "biopsy-triage") == 2


def test_the_chain_is_checked_with_one_click(
    demo_copy: Path, serve: Callable[..., str], open_tab, tmp_path: Path
) -> None:
    """L9: a plain sentence; with an anchor file that was kept elsewhere, a cut tail is found too."""
    tab = open_tab(serve(demo_copy))
    page = tab.open("/audit")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile(r"All \d+ events are in order \(no anchor given"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download anchor").click()
    anchor = tmp_path / "anchor.json"
    download.value.save_as(anchor)
    page.locator('input[type="file"]').set_input_files(anchor)
    expect(page.get_by_text("anchor.json")).to_be_visible()
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile(r"All \d+ events are in order and match the anchor"))).to_be_visible()
    with closing(sqlite3.connect(demo_copy / "ledger.db")) as connection, connection:
        connection.execute("DROP TRIGGER ledger_no_delete")
        connection.execute("DELETE FROM ledger_events WHERE seq = (SELECT max(seq) FROM ledger_events)")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text(re.compile("The tail is cut")).first).to_be_visible()


def live(workspace: Path, model: str = "diagnosis-risk") -> int:
    """The version that the production alias names now, read anew."""
    return open_workspace(workspace).registry.model(model).aliases["champion"]


def test_the_evidence_pack_of_a_version(
    demo_copy: Path, serve: Callable[..., str], open_tab, tmp_path: Path
) -> None:
    """L8: three clicks from the first page, checked offline; its page opens without network."""
    tab = open_tab(serve(demo_copy))
    page = tab.open("/registry?model=diagnosis-risk")
    page.goto(f"{tab.base}/version?model=diagnosis-risk&version=8")
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Evidence pack (ZIP)").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "evidence-diagnosis-risk-v8.zip"
    verified = subprocess.run(
        [sys.executable, "-m", "core", "evidence", "verify", str(file)], capture_output=True, check=False
    )
    assert verified.returncode == 0, verified.stderr
    (record,) = open_workspace(demo_copy).ledger.records(kinds=("export_made",))
    assert record.payload["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    with zipfile.ZipFile(file) as archive:
        archive.extract("index.html", tmp_path)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "index.html").as_uri())
    expect(page.locator("h1")).to_have_text("Evidence: diagnosis-risk v8")
    assert asked == [(tmp_path / "index.html").as_uri()]
