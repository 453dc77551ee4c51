"""Lineage in a real browser: a click on the picture opens that node; impact by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from core.lineage.build import build
from core.lineage.types import Graph, NodeId
from core.lineage.view import BOOKKEEPING, around, bridged, default_focus, fitting_hops
from dashboard.charts.lineage import lineage_chart
from dashboard.palette import LIGHT
from tests.contract.test_lineage_workspace import Desk, desk

__all__ = ["desk"]
LEFT, RIGHT, TOP, BOTTOM = 84, 84, 64, 56


def place(shown: Graph, node: NodeId, width: float, height: float) -> tuple[float, float]:
    """Where ECharts draws ``node`` in a frame of this size ('contain': one scale, centred)."""
    points = {
        point["id"]: (point["x"], point["y"])
        for point in lineage_chart(shown, LIGHT).option["series"][0]["data"]
    }
    xs, ys = zip(*points.values(), strict=True)
    room = (width - LEFT - RIGHT, height - TOP - BOTTOM)
    size = (max(xs) - min(xs), max(ys) - min(ys))
    scale = min(space / length for space, length in zip(room, size, strict=True) if length)
    x, y = points[node]
    return (
        LEFT + (room[0] - size[0] * scale) / 2 + (x - min(xs)) * scale,
        TOP + (room[1] - size[1] * scale) / 2 + (y - min(ys)) * scale,
    )


def test_a_click_on_a_node_opens_its_details(desk: Desk, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(desk.root))
    page = tab.open("/lineage")
    graph = build(desk.workspace)
    focus = default_focus(graph)
    story = bridged(graph, BOOKKEEPING, focus)
    shown = around(story, focus, fitting_hops(story, focus, grouped=True), grouped=True)
    stage = next(node for node in shown.nodes if node.name == "train")
    picture = page.locator('[data-testid="stEChartsChart"] canvas').first
    picture.wait_for()
    page.wait_for_timeout(500)
    box = picture.bounding_box()
    x, y = place(shown, stage.id, box["width"], box["height"])
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.locator(".st-key-node_details", has_text="Stage").wait_for()
    tab.settle()
    assert "train.py" in page.locator(".st-key-node_details").inner_text()
    assert "node=stage" in page.url
    page.reload()
    tab.settle()
    assert "train.py" in page.locator(".st-key-node_details").inner_text()
    assert tab.outside == []


def test_impact_opens_by_link_and_reads_on_a_phone(desk: Desk, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(desk.root), 390, 844, "dark")
    page = tab.open(f"/lineage?find=raw.csv%40{desk.first}&impact=true")
    assert "2 versions were trained on raw.csv with this content; 1 of them serves now" in tab.text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    # Drawn downwards: a node a line, so that no label runs into the next one, and as high as that needs.
    picture = page.locator('[data-testid="stEChartsChart"] canvas').first.bounding_box()
    assert picture["height"] > 1.2 * picture["width"]
    page.get_by_text("As text").click()
    page.get_by_text("Went to").first.wait_for()
    assert "Something unexpected" not in tab.text()


def test_a10_from_a_data_file_to_every_version_trained_on_it(
    desk: Desk, serve: Callable[..., str], open_tab
) -> None:
    """The landing of a drift alert's link: the answer, the versions and the way to them, without a further click."""
    tab = open_tab(serve(desk.root))
    page = tab.open("/lineage?node=raw.csv&impact=true")
    assert "2 versions were trained on raw.csv with this content; 1 of them serves now" in tab.text()
    assert page.get_by_text("Only the way to these versions").is_visible()
    answer = page.locator(".st-key-answer").bounding_box()
    assert answer["y"] + answer["height"] < 300  # the first thing under the title
    assert "raw.csv" in page.locator(".st-key-node_details").inner_text()
    page.get_by_text("Export what is shown").click()
    with page.expect_download() as picture:
        page.get_by_test_id("stPopoverBody").get_by_role("button", name="PNG").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
