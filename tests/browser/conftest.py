"""A real server on a free loopback port, and a real Chromium in front of it.

``app`` shares one server per worker on a copy of the demo workspace: for tests that only look.
``serve`` starts a server of one's own on any workspace: for tests that change something or need a broken one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.ports import answers, free_port

ROOT = Path(__file__).parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@contextlib.contextmanager
def running(workspace: Path, log: Path, port: int | None = None, **environment: str) -> Iterator[str]:
    """The dashboard on ``workspace``; yields its URL and stops the server at the end."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "--workspace", str(workspace), "--port", str(port)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 90
        while not answers(f"{url}/healthz"):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a server on a workspace of one's own; it stops with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda workspace, **options: stack.enter_context(
            running(workspace, tmp_path / "server.log", **options)
        )


@pytest.fixture(scope="session")
def app(demo_session_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on the demo workspace, shared by tests that change nothing."""
    with running(demo_session_copy, tmp_path_factory.mktemp("server") / "server.log") as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )
    if executable is None:
        pytest.fail("no Chromium on the PATH; `make test-setup` installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


class Tab:
    """A browser tab on the app that waits for Streamlit to finish, and notes errors and outside requests."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.outside: list[str] = []
        self.console_errors: list[str] = []
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_message)

    def _note_message(self, message: object) -> None:
        # On a deep link Streamlit's page first asks for its server below the page's own path, which is a 404.
        own_probe = "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not own_probe:
            self.console_errors.append(message.text)

    def _note_request(self, request: object) -> None:
        if not request.url.startswith((self.base, "data:", "blob:", self.base.replace("http", "ws"))):
            self.outside.append(request.url)

    def open(self, path: str = "/") -> Page:
        """Go to ``path`` and wait until the page has rendered."""
        self.page.goto(self.base + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the script has run and nothing is loading."""
        self.page.wait_for_selector(
            '[data-testid="stMain"] h1, [data-testid="stMain"] [data-testid="stAlert"]', timeout=60_000
        )
        self.page.wait_for_function(
            """() => !document.querySelector('[data-testid="stStatusWidget"]')
                 && !document.querySelector('[data-testid="stSkeleton"]')
                 && document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState !== 'running'""",
            timeout=60_000,
        )

    def text(self) -> str:
        """The visible text of the main part of the page."""
        return self.page.locator('[data-testid="stMain"]').inner_text()


@pytest.fixture
def tab(browser: Browser, app: str) -> Iterator[Tab]:
    """A tab at 1440x900 in light mode on the shared server."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    yield Tab(context, app)
    context.close()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Open tabs of any size and mode on any server."""
    contexts: list[BrowserContext] = []

    def open_tab(base: str, width: int = 1440, height: int = 900, mode: str = "light") -> Tab:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=mode)
        contexts.append(context)
        return Tab(context, base)

    yield open_tab
    for context in contexts:
        context.close()
