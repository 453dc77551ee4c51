"""The analyst's stories A1 to A9 in a real browser, with the clicks they take from the app's first page."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from core.experiments.types import RunTable
from core.workspace import open_workspace

expect.set_options(timeout=30_000)

NAME, STATUS = 1, 2
"""Places of columns in the table of runs, as its accessible copy counts them; 0 holds the boxes."""


class Hand:
    """Clicks, and counts them."""

    def __init__(self, tab) -> None:
        self.tab, self.page, self.clicks = tab, tab.open("/"), 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1
        self.tab.settle()

    def menu(self, name: str) -> None:
        """A page of the side bar."""
        self.click(self.page.locator('[data-testid="stSidebarNav"]').get_by_text(name, exact=True))
        expect(self.page.locator("h1")).to_have_text(name)

    def cell(self, text: str) -> None:
        """The table is drawn on a canvas: its accessible copy tells where columns are, the pixels follow."""
        self.cell_at(self._names().index(text), 0)

    def cell_at(self, column: int, row: int) -> None:
        table = self.page.locator('[data-testid="stDataFrame"]').first
        expect(table).to_be_visible()
        box = table.bounding_box()
        lefts = {0: 17, 1: 100, 3: 370}
        self.page.mouse.click(box["x"] + lefts[column], box["y"] + 50 + 33 * row)
        self.clicks += 1
        self.tab.settle()

    def search(self, text: str) -> None:
        field = self.page.get_by_label("Search", exact=True)
        field.fill(text)
        field.press("Enter")
        self.tab.settle()

    def name_of(self, row: int) -> str:
        return self.page.get_by_test_id(f"glide-cell-{NAME}-{row}").first.inner_text()


@pytest.fixture
def hand(tab) -> Hand:
    return Hand(tab)


@pytest.fixture(scope="module")
def triage(demo_session_copy: Path) -> RunTable:
    return open_workspace(demo_session_copy).runs.search("triage")


def shown(hand: Hand, number: int) -> None:
    expect(hand.page.get_by_text(re.compile(rf"^{number} of \d+ runs"))).to_be_visible()


def test_a1_good_runs_of_the_last_weeks(hand: Hand, demo_session_copy: Path) -> None:
    query = "metrics.auroc > 0.95 AND start_time > 30d ago"
    expected = open_workspace(demo_session_copy).runs.search("triage", query)
    hand.menu("Experiments")
    hand.search(query)
    shown(hand, len(expected))
    assert hand.name_of(0) == next(expected.runs()).name
    assert hand.clicks == 1
    hand.menu("Registry")
    expect(hand.page.get_by_label("Find")).to_have_value("")  # one page's search is not another's
    hand.page.go_back()  # Streamlit adds an entry without the search when a page is left
    hand.tab.settle()
    hand.page.go_back()
    expect(hand.page.get_by_label("Search", exact=True)).to_have_value(query)
    shown(hand, len(expected))


def test_a1_the_search_completes_what_is_typed(hand: Hand) -> None:
    hand.menu("Experiments")
    field = hand.page.get_by_label("Search", exact=True)
    field.click()
    hand.page.keyboard.type("metrics.au", delay=30)
    offers = hand.page.locator(".st-key-completions")
    for name in ("metrics.auroc", ">"):
        offers.get_by_role("button", name=name, exact=True).click()
    offers.get_by_role("button", name=re.compile("9 of 10")).click()
    expect(field).to_have_value(re.compile(r"^metrics\.auroc > 0\.9\d+ $"))
    expect(hand.page.get_by_text(re.compile(r"^\d of 60 runs"))).to_be_visible()


def test_a2_three_runs_show_only_what_differs(hand: Hand) -> None:
    hand.menu("Experiments")
    hand.cell_at(0, 0)
    hand.page.keyboard.down("Shift")
    hand.cell_at(0, 2)
    hand.page.keyboard.up("Shift")
    hand.click(hand.page.get_by_role("button", name="Compare 3 runs"))
    expect(hand.page.locator("h1")).to_have_text("Compare")
    expect(hand.page.get_by_text(re.compile(r"\d+ identical rows hidden"))).to_be_visible()
    assert hand.clicks == 4
    hand.page.get_by_role("link", name="Back to the runs").click()
    hand.tab.settle()
    expect(hand.page.get_by_role("button", name="Compare 3 runs")).to_be_enabled()


def test_a3_and_a5_one_click_from_a_row_to_production_and_whether_it_is_better(hand: Hand) -> None:
    hand.menu("Experiments")
    name = hand.name_of(1)
    hand.cell_at(3, 1)
    expect(hand.page.locator("h1")).to_have_text("Compare")
    expect(hand.page.get_by_text("biopsy-triage v3 is in production").first).to_be_visible()
    words = re.compile(f"{name}.*(better|worse|not distinguishable|not comparable).*auroc")
    sentence = hand.page.locator('[data-testid="stMarkdown"]').filter(has_text=words)
    expect(sentence.first).to_be_visible()
    assert "95 % interval" in hand.tab.text()
    assert hand.clicks == 2


def test_a4_five_seeds_times_four_settings_are_four_rows(hand: Hand) -> None:
    hand.menu("Experiments")
    hand.search("params.model_type = 'logistic_regression'")
    hand.click(hand.page.get_by_role("radio", name="Settings"))
    expect(hand.page.get_by_text(re.compile(r"^20 runs in 4 settings"))).to_be_visible()
    cells = [hand.page.get_by_test_id(f"glide-cell-2-{row}").first.inner_text() for row in range(4)]
    assert all(re.fullmatch(r"0\.\d+ ± [\d.e-]+ \(n=5\)", cell) for cell in cells), cells
    assert hand.clicks == 2


def test_a6_what_mattered_with_its_n_and_caveat(hand: Hand) -> None:
    hand.menu("Experiments")
    hand.click(hand.page.get_by_role("radio", name="What mattered"))
    expect(
        hand.page.get_by_text(re.compile("Computed from 60 runs. Importance is association"))
    ).to_be_visible()
    assert hand.clicks == 2


def test_a7_other_data_warns_unasked(tab, demo_session_copy: Path) -> None:
    runs = open_workspace(demo_session_copy).runs
    ids = [
        runs.search(name, limit=1, filter="status = 'FINISHED'").run_ids[0]
        for name in ("triage", "diagnosis")
    ]
    tab.open(f"/compare?runs={','.join(ids)}")
    expect(tab.page.get_by_text(re.compile("Different training data")).first).to_be_visible()


def test_a8_a_metric_over_the_versions_of_a_model(hand: Hand) -> None:
    """From the first page: the model's name is the click. So it is on Registry, which shows all models then."""
    names = hand.page.get_by_test_id(re.compile(r"glide-cell-1-\d+"))
    expect(names.first).to_be_attached()
    row = names.all_inner_texts().index("diagnosis-risk")
    hand.cell_at(1, row)
    expect(hand.page.locator('[data-testid="stPlotlyChart"]')).to_contain_text("v9")
    assert hand.clicks == 1
    hand.tab.open("/registry")
    hand.cell_at(1, row)
    expect(hand.page.locator('[data-testid="stPlotlyChart"]')).to_contain_text("v9")
    hand.page.wait_for_function("location.search.includes('model=diagnosis-risk')")


def test_a9_the_same_view_elsewhere_and_as_files(
    hand: Hand, open_tab, app: str, demo_session_copy: Path
) -> None:
    found = open_workspace(demo_session_copy).runs.search("triage", "metrics.auroc > 0.98")
    hand.menu("Experiments")
    hand.search("metrics.auroc > 0.98")
    shown(hand, len(found))
    hand.page.wait_for_function(
        "location.search.includes('auroc') && location.search.includes('experiment=triage')"
    )
    hand.cell_at(0, 0)
    hand.page.wait_for_function("location.search.includes('selected=')")
    other = open_tab(app)
    other.open(hand.page.url.removeprefix(app))
    expect(other.page.get_by_label("Search", exact=True)).to_have_value("metrics.auroc > 0.98")
    expect(other.page.get_by_role("button", name="Open run")).to_be_enabled()
    for label, begins in (("CSV", "name,"), ("Markdown", "| name"), ("LaTeX", "\\begin{tabular}")):
        with other.page.expect_download() as download:
            other.page.get_by_role("button", name=label, exact=True).click()
        assert Path(download.value.path()).read_text(encoding="utf-8").startswith(begins)


def test_a_view_saved_by_name_is_the_same_view_for_the_next_person(demo_copy: Path, serve, open_tab) -> None:
    url = serve(demo_copy)
    tab = open_tab(url)
    page = tab.open("/experiments?experiment=readmission&q=metrics.auroc%20%3E%200.7&show=Scatter")
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Name for this view").fill("good ones")
    page.get_by_label("Name for this view").press("Enter")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("Saved as 'good ones'")).to_be_visible()
    other = open_tab(url)
    page = other.open("/experiments")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("link", name="good ones").click()
    expect(page.get_by_label("Search", exact=True)).to_have_value("metrics.auroc > 0.7")
    expect(page.get_by_text(re.compile("All .* runs that have both numbers are drawn"))).to_be_visible()
    page.wait_for_function("location.search.includes('experiment=readmission')")


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A server of somebody else, which takes connections; accepting fails at once when there is none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_html_of_a_run_does_not_run_here(demo_copy: Path, serve, open_tab, elsewhere: socket.socket) -> None:
    run = next(open_workspace(demo_copy).runs.search("triage", limit=1).runs())
    folder = Path(run.artifact_uri.removeprefix("file://"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(
        '<p id="p">as written</p><script>document.getElementById("p").textContent = "ran";'
        f'top.document.title = "taken over"</script><img src="http://127.0.0.1:{elsewhere.getsockname()[1]}/pixel">'
    )
    tab = open_tab(serve(demo_copy))
    page = tab.open(f"/run?run={run.run_id}&artifact=report.html")
    inner = page.frame_locator('iframe[title="report.html"]').frame_locator("iframe")
    expect(inner.locator("#p")).to_have_text("as written")
    assert page.title() == "Run" or "taken over" not in page.title()
    with pytest.raises(
        BlockingIOError
    ):  # nobody has knocked; the browser may note a request that it then blocks
        elsewhere.accept()


def test_a_thousand_metrics_stay_usable(tmp_path: Path, serve, open_tab) -> None:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.create_experiment("wide", (tmp_path / "artifacts").as_uri())
    for number in range(3):
        run = client.create_run(experiment, run_name=f"wide-{number}")
        metrics = [Metric(f"layer{index // 10}/m{index:04}", index * number, 0, 0) for index in range(1000)]
        client.log_batch(run.info.run_id, metrics=metrics)
        client.set_terminated(run.info.run_id)
    (tmp_path / "modeldesk.toml").write_text('[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n')
    tab = open_tab(serve(tmp_path))
    page = tab.open("/experiments?metrics=layer42/*")
    heads = page.locator("canvas [role=columnheader]").filter(has_text="layer42/")
    expect(heads.first).to_have_text("layer42/m0420")
    expect(heads.nth(1)).to_have_text("layer42/m0421")
    page.locator('[data-testid="stPopover"]').filter(has_text="Columns").get_by_role("button").click()
    field = page.get_by_label(re.compile(r"Metrics \(1,000\)"))
    field.fill("m0999")
    page.get_by_role("option", name="layer99/m0999").click()
    page.wait_for_function("decodeURIComponent(location.search).includes('m0999')")
