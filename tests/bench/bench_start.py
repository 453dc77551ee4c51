"""How long until someone sees something: server start to first page, against an empty Streamlit page.

Wall seconds, medians of three interleaved rounds, in one run on one machine; CPU seconds for the command line.
Usage: python tests/bench/bench_start.py [WORKSPACE]   (default: .demo)
"""

from __future__ import annotations

import compileall
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
ROUNDS = 3
EMPTY = 'import streamlit as st\nst.title("Empty")\n'


def first_page(browser: Browser, command: list[str], port: int) -> float:
    """Seconds from starting ``command`` to a visible title in a new browser context."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    alone = os.environ | {"MODELDESK_DEPLOY__ENGINE": "none"}  # models that load would be measured too
    process = subprocess.Popen(
        command, cwd=ROOT, env=alone, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - start < 60:
            try:
                page.goto(f"http://127.0.0.1:{port}/")
                break
            except Error:  # refused until the server listens
                time.sleep(0.02)
        page.wait_for_selector('[data-testid="stMain"] h1', timeout=60_000)
        return time.perf_counter() - start
    finally:
        process.terminate()
        process.wait(20)
        context.close()


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds (user and system) of one run of ``command``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    workspace = sys.argv[1] if len(sys.argv) > 1 else ".demo"
    if not (ROOT / workspace / "modeldesk.toml").is_file():
        sys.exit(f"no workspace at {workspace}: run `make demo` first")
    # What is compared with was compiled when it was installed; a checkout is not where Python writes no bytecode.
    for package in ("core", "dashboard"):
        compileall.compile_dir(ROOT / package, quiet=1)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        ours, floor = [], []
        for _ in range(ROUNDS):
            port = free_port()
            floor.append(
                first_page(
                    browser,
                    [sys.executable, "-m", "streamlit", "run", str(empty), "--server.port", str(port)],
                    port,
                )
            )
            port = free_port()
            ours.append(
                first_page(
                    browser,
                    [sys.executable, "-m", "dashboard", "--workspace", workspace, "--port", str(port)],
                    port,
                )
            )
        browser.close()
    help_cpu = statistics.median(cpu_seconds([sys.executable, "-m", "core", "--help"]) for _ in range(ROUNDS))
    a, b = statistics.median(ours), statistics.median(floor)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"{'work':<44}{'ours':>9}{'peer':>9}{'ratio':>8}{'reach':>8}")
    print(f"{'server start to first page (s)':<44}{a:>9.2f}{b:>9.2f}{a / b:>8.2f}{'<= 1.5':>8}")
    print(f"{'server start to first page, absolute (s)':<44}{a:>9.2f}{'':>9}{'':>8}{'< 5':>8}")
    print(f"{'python -m core --help (CPU s)':<44}{help_cpu:>9.2f}{'':>9}{'':>8}{'< 0.5':>8}")


if __name__ == "__main__":
    main()
