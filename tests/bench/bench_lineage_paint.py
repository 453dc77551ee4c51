"""First paint of 500 nodes in Chromium: the lineage picture against st.graphviz_chart of the same graph.

Two one-page apps on loopback, visited in turn; the time from navigation until the picture is there, and the CPU
seconds of Chromium meanwhile. The ratio of one run counts: machine and load are the same for both.
Usage: python tests/bench/bench_lineage_paint.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.browser.conftest import CHROMIUM_FLAGS, free_port  # noqa: E402

ROUNDS = 5
GRAPH = """
from core.lineage.types import Edge, Evidence, Graph, Node, NodeId, NodeKind, Strength

def node(index):
    kind = NodeKind.DATA if index % 2 else NodeKind.STAGE
    return Node(NodeId(f"{kind}:{index}"), kind, f"step_{index}")

nodes = [node(index) for index in range(500)]
pairs = [(index, index + 1) for index in range(499) if (index + 1) % 10] + [(i, i + 10) for i in range(0, 490, 10)]
GRAPH = Graph(
    tuple(nodes), tuple(Edge(nodes[a].id, nodes[b].id, Evidence.LOCK, Strength.EXACT) for a, b in pairs)
)
"""
OURS = """
import streamlit as st
from dashboard.charts.lineage import lineage_chart
from dashboard.palette import LIGHT
drawing = lineage_chart(GRAPH, LIGHT)
st.echarts_chart(drawing.option, height=drawing.height, theme=None)
"""
THEIRS = """
import streamlit as st
from core.lineage.export import to_dot
st.graphviz_chart(to_dot(GRAPH))
"""
# A canvas that is there may still be blank: something must have been drawn on it.
DRAWN = """() => [...document.querySelectorAll('[data-testid="stEChartsChart"] canvas')].some((canvas) => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 3; i < data.length; i += 4) if (data[i]) return true;
  return false;
})"""
SHOWN = """() => document.querySelectorAll('[data-testid="stGraphVizChart"] svg .node').length >= 500"""


def serve(folder: Path, name: str, page: str) -> tuple[subprocess.Popen[bytes], str]:
    """A Streamlit server on one script; it is warm when this returns."""
    script = folder / f"{name}.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{GRAPH}\n{page}")
    port = free_port()
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
            return process, url
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server did not start")


def paint(browser: Browser, url: str, there: str) -> float:
    """Seconds from navigation until ``there`` holds, in a context of its own: nothing is cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_function(there, timeout=120_000, polling=20)
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    """Print the medians; exit 1 when ours is painted later."""
    import shutil

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        servers = [serve(Path(folder), "ours", OURS), serve(Path(folder), "theirs", THEIRS)]
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        try:
            urls = [(servers[0][1], DRAWN), (servers[1][1], SHOWN)]
            for url, there in urls:  # imports of the script
                paint(browser, url, there)
            rounds = [[paint(browser, url, there) for url, there in urls] for _ in range(ROUNDS)]
        finally:
            browser.close()
            for process, _ in servers:
                process.terminate()
                process.wait(10)
    ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"500 nodes, first paint from navigation, median of {ROUNDS}")
    print(f"  lineage picture   {ours:6.2f} s   {[round(one, 2) for one, _ in rounds]}")
    print(f"  st.graphviz_chart {theirs:6.2f} s   {[round(other, 2) for _, other in rounds]}")
    print(f"  ratio {theirs / ours:.2f} (goal: at least 1)")
    sys.exit(ours > theirs)


if __name__ == "__main__":
    main()
