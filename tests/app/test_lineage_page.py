"""The Lineage page as its reader meets it (stories A10 and L2, lineage part)."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.services import comparing_artifacts
from tests.contract.test_lineage_artifacts import Store, store
from tests.contract.test_lineage_workspace import Desk, desk

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
ANSWER = "versions were trained on raw.csv with this content; 1 of them serves now: risk v3 in production."
__all__ = ["desk", "store"]


@pytest.fixture
def visit(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Open the page with these query parameters on the desk's workspace, or on another one."""

    def run(root: Path = desk.root, **query: str) -> AppTest:
        monkeypatch.setenv("MODELDESK_WORKSPACE", str(root))
        page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/lineage.py")
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return run


def said(page: AppTest) -> str:
    texts = (*page.markdown, *page.caption, *page.info, *page.warning, *page.code, *page.error)
    return " ".join(element.value.replace("\\", "") for element in texts)


def test_the_page_opens_on_the_version_in_production(visit) -> None:
    page = visit()
    assert page.selectbox(key="focus").value == "version:risk/3"
    assert page.selectbox(key="node").value == "version:risk/3"
    assert "Model version" in said(page)
    trees = [block.value for block in page.code]
    assert any("stage train" in text and "[run tag, exact]" in text for text in trees)


def test_impact_of_data_is_one_toggle_away_and_in_the_url(visit, desk: Desk) -> None:
    page = visit(find=f"raw.csv@{desk.first}", impact="true")
    assert f"2 {ANSWER}" in said(page)
    table = page.dataframe[0].value
    assert list(table["version"]) == ["risk v3", "risk v1"]
    assert list(table["approved by"]) == ["Grace Hopper", "–"]
    assert "LIVE in production" in table["state"][0]


def test_a_node_s_details_open_from_the_selectbox_and_lead_to_impact(visit) -> None:
    page = visit(hops="8")
    data = next(option for option in page.selectbox(key="node").options if option.startswith("data raw.csv"))
    page.selectbox(key="node").select(data).run()
    assert "".join(page.query_params["node"]).startswith("data:project/raw.csv@")
    assert "Data" in said(page) and "Came from" in said(page)
    ask = next(button for button in page.button if button.label.startswith("Which live models"))
    ask.click().run()
    assert not page.exception
    assert ANSWER in said(page)


@pytest.mark.parametrize("written", ["raw.csv", "data:raw.csv"])
def test_a_link_may_name_a_node_as_people_do(visit, written: str) -> None:
    page = visit(node=written)
    assert page.selectbox(key="focus").value.startswith("data:project/raw.csv@")
    assert page.selectbox(key="node").value == page.selectbox(key="focus").value
    assert ANSWER in said(page)
    assert visit(node="no-such-thing").error[0].value.startswith("**Nothing in the lineage")


def test_two_versions_side_by_side(visit) -> None:
    page = visit()
    page.selectbox(key="against").select("version:risk/1").run()
    assert not page.exception
    table = page.dataframe[0].value
    assert list(table.columns) == ["aspect", "what", "risk v1", "risk v3"]
    assert ("params", "lr", "0.1", "0.2") in [tuple(row) for row in table.itertuples(index=False)]


def test_a_revision_and_the_whole_graph(visit, desk: Desk) -> None:
    then = visit(rev="HEAD", whole="true")
    assert "Nothing was recorded" not in said(then)
    assert visit(find="no-such-thing").error[0].value.startswith("**Nothing in the lineage")


def test_without_stores_the_page_says_what_to_do(visit, tmp_path: Path) -> None:
    (tmp_path / "modeldesk.toml").write_text('name = "Empty"\n')
    page = visit(tmp_path)
    assert "No lineage yet" in said(page)
    assert "tracking_uri" in page.code[0].value


def test_artifacts_too_large_for_a_page_are_compared_by_a_button(
    visit, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as ``lineage hash``, in a thread that outlives the tab; then the run is joined to its stage."""
    monkeypatch.setenv("MODELDESK_CACHE", str(tmp_path))
    root = store.workspace.root
    page = visit(root)
    assert "have not been compared with DVC's files" in said(page)
    page.button(key="compare_artifacts").click().run()
    comparing_artifacts.reading().thread.join(60)
    page = visit(root, focus=f"run:{store.runs['large']}")
    assert "have not been compared" not in said(page)
    assert not [button for button in page.button if button.key == "compare_artifacts"]
    assert "content hash, exact" in said(page)
