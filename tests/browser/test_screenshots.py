"""A picture of every page in both modes and at phone width, for looking at, in .screenshots (git ignores it).

What can be asserted about looks is: nothing is asked of the outside, nothing fails in the console, no stack
trace, and the page is no wider than the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHOTS = Path(__file__).parents[2] / ".screenshots"
PAGES = ("experiments", "compare", "pipeline", "lineage", "registry", "deploy", "drift", "audit")
SCREENS = {"light": (1440, 900, "light"), "dark": (1440, 900, "dark"), "phone": (390, 844, "light")}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_page_looks_after_itself(name: str, screen: str, app: str, open_tab: Callable[..., object]) -> None:
    tab = open_tab(app, *SCREENS[screen])
    page = tab.open(f"/{name}")
    page.wait_for_timeout(800)
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{screen}.png")
    assert tab.outside == []
    assert tab.console_errors == []
    assert "Traceback" not in tab.text()
    assert "Something unexpected" not in tab.text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
