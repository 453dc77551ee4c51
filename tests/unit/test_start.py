"""Starting the dashboard: what it tells its pages and its children."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import load_settings
from dashboard.__main__ import leading_here

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("address", "leads"), [("127.0.0.1", "http://127.0.0.1:8502"), ("::1", "http://[::1]:8502")]
)
def test_links_lead_to_the_port_that_serves(tmp_path, monkeypatch, address, leads):
    monkeypatch.setenv("MODELDESK_NOTIFY__BASE_URL", "")
    monkeypatch.delenv("MODELDESK_NOTIFY__BASE_URL")
    (tmp_path / "modeldesk.toml").write_text('name = "Ward"\n')
    assert leading_here(load_settings(tmp_path), address, 8502).notify.base_url == leads
    assert load_settings(tmp_path).notify.base_url == leads, "deployd, started from here, says the same"


def test_an_address_that_was_named_is_kept(tmp_path):
    (tmp_path / "modeldesk.toml").write_text('[notify]\nbase_url = "https://desk.example"\n')
    assert leading_here(load_settings(tmp_path), "127.0.0.1", 8502).notify.base_url == "https://desk.example"


def said(code: str, workspace: Path) -> str:
    """What a fresh Python prints: what it has imported and what its collector looks at is asked about."""
    environment = os.environ | {"MODELDESK_WORKSPACE": str(workspace)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_are_set_aside_once_each_time_that_some_came(tmp_path):
    code = """
import gc
from dashboard.memory import set_modules_aside
counts = []
def look():
    set_modules_aside()
    counts.append(gc.get_freeze_count())
look()
kept = [object() for _ in range(10)], {}
look()
import decimal, fractions, wave
look()
print(counts[0] > 1000, counts[1] == counts[0], counts[2] > counts[1])
"""
    assert said(code, tmp_path) == "True True True\n"


@pytest.mark.parametrize("store", ["sqlite:///mlflow.db", "http://127.0.0.1:9"], ids=["no file", "no server"])
def test_reading_ahead_loads_what_a_page_needs_and_leaves_a_failure_to_the_page(tmp_path, store):
    (tmp_path / "modeldesk.toml").write_text(f'[mlflow]\ntracking_uri = "{store}"\n')
    code = """
import sys
from dashboard import background
background._read_ahead()
print("core.attention" in sys.modules, "dashboard.parts.identity" in sys.modules)
"""
    assert said(code, tmp_path) == "True True\n"
