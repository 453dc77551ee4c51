"""What a person waits for: our pages against MLflow's own interface, the same store, the same Chromium.

Seconds in a headless browser at 1440x900, medians of 5 interleaved rounds, from the action to visible rows. What is
waited for is looked for in every frame of the page: Playwright's own waits look again only twice a second. Our
table is a canvas, so its rows are there when their text has been drawn.
MODELDESK_BENCH_RUNS sets the size of the store (default 100,000). MLflow's sort over SQLite is measured once,
since it takes minutes there.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from core.experiments.runs import open_tracking
from tests.bench.stores import LARGE, LARGEST, fill, load, require_maker, sqlite_store
from tests.browser.conftest import CHROMIUM_FLAGS, running
from tests.contract.experiments_store import mlflow_server
from tests.contract.postgres import postgres_server, server_binaries, settle

ROUNDS = 5
SORT_BY = "val_auc"
PATIENCE_MS = 600_000
OUR_ROW = '[data-testid="glide-cell-1-0"]'
NOTE_DRAWN = """
window.drawn = new Set();
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  window.drawn.add(text);
  return fillText.call(this, text, ...place);
};
"""
SHOWN = """([drawn, said]) => [...window.drawn].some((text) => text.startsWith(drawn))
  && new RegExp(said).test(document.body.textContent)"""
THERE = """(where) => document.querySelector(where)?.getClientRects().length > 0"""
THEIR_ROW = ".ag-center-cols-container .ag-row"


class Ours:
    """Our pages, timed."""

    def __init__(self, url: str, runs: int, run_ids: list[str], first: str) -> None:
        self.url, self.run_ids = url, run_ids
        self.whole = [first, f"{runs:,} runs"]

    def cold(self, page: Page) -> None:
        """The table of the largest experiment, all of it."""
        page.goto(f"{self.url}/experiments", wait_until="commit")
        page.wait_for_function(SHOWN, arg=self.whole)

    def elsewhere(self, page: Page) -> None:
        """Another page of the app, before the clock starts."""
        page.goto(f"{self.url}/")
        page.wait_for_selector('[data-testid="stMain"] h1')
        page.wait_for_timeout(2_000)
        page.evaluate("drawn.clear()")

    def again(self, page: Page) -> None:
        """The table, from there."""
        page.locator('[data-testid="stSidebarNav"]').get_by_text("Experiments", exact=True).click()
        page.wait_for_function(SHOWN, arg=self.whole)

    def sort(self, page: Page) -> float:
        """Click on a metric's column to other rows on top."""
        page.wait_for_timeout(1_500)
        box = page.locator('[data-testid="stDataFrame"]').bounding_box()
        names = page.locator("canvas [role=columnheader]").all_inner_texts()
        before, start = page.locator(OUR_ROW).inner_text(), time.perf_counter()
        for right in range(
            700, 1000, 40
        ):  # the columns are drawn on a canvas: the first number's is about here
            page.mouse.click(box["x"] + right, box["y"] + 15)
            try:
                page.wait_for_function(_CHANGED, arg=[OUR_ROW, before], timeout=3_000)
                return time.perf_counter() - start
            except Exception:  # noqa: BLE001 - that was no column that sorts, or it began with the same row
                page.keyboard.press("Escape")
                start = time.perf_counter()
        raise RuntimeError(f"no column sorts: {names}")

    def compare(self, page: Page) -> float:
        """Ten selected runs, from the click on Compare to the table of what differs."""
        selected = ",".join(run_id[:8] for run_id in self.run_ids)
        page.goto(f"{self.url}/experiments?selected={selected}")
        button = page.get_by_role("button", name="Compare 10 runs")
        button.wait_for()
        page.wait_for_timeout(1_500)
        page.evaluate("drawn.clear()")
        start = time.perf_counter()
        button.click()
        page.wait_for_function(SHOWN, arg=["baseline: ", "identical rows hidden|Baseline: "])
        return time.perf_counter() - start


class Theirs:
    """MLflow's own pages, timed."""

    def __init__(self, url: str, run_ids: list[str]) -> None:
        self.url, self.run_ids = url, run_ids

    def cold(self, page: Page) -> None:
        """The run table's first hundred rows."""
        page.goto(f"{self.url}/#/experiments/{LARGEST}/runs", wait_until="commit")
        page.wait_for_function(THERE, arg=THEIR_ROW)

    def elsewhere(self, page: Page) -> None:
        """The same page once before: its scripts are in the browser's cache."""
        self.cold(page)
        page.goto("about:blank")

    def again(self, page: Page) -> None:
        """The table with a warm cache."""
        self.cold(page)

    def sort(self, page: Page) -> float:
        """Choose a metric under Sort, to other rows on top."""
        page.wait_for_timeout(1_500)
        page.get_by_role("button", name="Sort").first.click()
        choice = page.locator(
            "[role=menuitemcheckbox],[role=option],[role=menuitem],[role=menuitemradio]"
        ).filter(has_text=SORT_BY)
        before, start = page.locator(THEIR_ROW).first.inner_text(), time.perf_counter()
        choice.first.click()
        page.wait_for_function(_CHANGED, arg=[THEIR_ROW, before])
        return time.perf_counter() - start

    def compare(self, page: Page) -> float:
        """The same from their run table: their button leads to this address of the same document."""
        self.cold(page)
        page.wait_for_timeout(1_500)
        runs, experiments = quote(json.dumps(self.run_ids)), quote(json.dumps([LARGEST]))
        start = time.perf_counter()
        page.evaluate(f"location.hash = '#/compare-runs?runs={runs}&experiments={experiments}'")
        page.wait_for_function("document.body.textContent.includes('Run ID:')")
        return time.perf_counter() - start


_CHANGED = """([where, before]) => {
  const row = document.querySelector(where);
  return row && row.innerText !== before && row.textContent !== before;
}"""


def timed(work: Callable[[], float | None]) -> float:
    """Seconds of ``work``, or what it measured itself."""
    start = time.perf_counter()
    return work() or time.perf_counter() - start


@contextmanager
def fresh(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has seen nothing yet."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(NOTE_DRAWN)
    yield page
    context.close()


def one_round(browser: Browser, side: Ours | Theirs, found: dict[str, list[float]], sort: bool) -> None:
    """Every action once."""
    with fresh(browser) as page:
        found["cold"].append(timed(lambda: side.cold(page)))
        if sort:
            found["sort"].append(timed(lambda: side.sort(page)))
    with fresh(browser) as page:
        side.elsewhere(page)
        found["again"].append(timed(lambda: side.again(page)))
    with fresh(browser) as page:
        found["compare"].append(timed(lambda: side.compare(page)))


def compare_on(kind: str, uri: str, folder: Path) -> None:
    """The rows of one store."""
    runs = open_tracking(uri, folder)
    table = runs.search(LARGEST)
    run_ids, first = list(table.run_ids[:10]), table.attributes["name"][0].as_py()
    (folder / "modeldesk.toml").write_text(f'name = "Bench"\n[mlflow]\ntracking_uri = "{uri}"\n')
    ours, theirs = ({key: [] for key in ("cold", "again", "sort", "compare")} for _ in range(2))
    with (
        mlflow_server(uri, folder) as their_url,
        running(folder, folder / "ours.log") as our_url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        for turn in range(ROUNDS):
            one_round(browser, Ours(our_url, len(table), run_ids, first), ours, True)
            one_round(browser, Theirs(their_url, run_ids), theirs, kind != "SQLite" or turn == ROUNDS - 1)
        browser.close()
    reach = {"cold": 0.9, "again": 0.5, "sort": 0.01 if kind == "SQLite" else 0.5, "compare": 0.9}
    words = {
        "cold": f"cold browser to visible rows, {len(table):,} runs in the table (MLflow: 100)",
        "again": "the table from another page (MLflow: warm cache)",
        "sort": "sort by a metric, click to changed rows",
        "compare": "compare 10 selected runs, click to visible",
    }
    for key, most in reach.items():
        mine, other = statistics.median(ours[key]), statistics.median(theirs[key])
        met = "yes" if mine <= most * other else "NO"
        print(
            f"| {kind}: {words[key]} | {mine:.2f} | {other:.2f} | {mine / other:.2f} | <= {most} | {met} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    if not require_maker():
        return
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    print(f"{load()}; seconds, store of {LARGE:,} runs, median of {ROUNDS}")
    print("| view | ours | MLflow | ratio | reach | met |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        compare_on("SQLite", sqlite_store(LARGE), Path(folder))
    if server_binaries() is None:
        print("PostgreSQL: skipped, no server on this machine")
        return
    with postgres_server() as url, tempfile.TemporaryDirectory() as folder:
        fill(url, LARGE)
        settle(url)  # a store at rest: what we keep of it is read again when it changes
        compare_on("PostgreSQL", url, Path(folder))


if __name__ == "__main__":
    main()
