"""Starting the dashboard: what it tells its pages and its children."""

from __future__ import annotations

import pytest

from core.settings import load_settings
from dashboard.__main__ import leading_here


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
