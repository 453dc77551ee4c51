"""The server as an operator meets it: health, headers, and starts that cannot work say why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.ports import free_port, wait_for

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    workspace = tmp_path_factory.mktemp("empty")
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard", "--workspace", str(workspace), "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    wait_for(f"{address}/healthz", within=60)
    yield address
    process.terminate()
    process.wait(20)


def test_health_answers_and_every_response_carries_the_headers(url: str) -> None:
    for path in ("/healthz", "/", "/_stcore/health"):
        with urllib.request.urlopen(url + path, timeout=10) as response:
            assert response.status == 200
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Frame-Options"] == "DENY"


def test_listens_on_loopback_alone(url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


def test_a_port_in_use_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = start("--workspace", str(tmp_path), "--port", str(port))
    assert outcome.returncode == 1
    assert f"port {port} is in use" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_missing_workspace_is_said(tmp_path: Path) -> None:
    outcome = start("--workspace", str(tmp_path / "nowhere"))
    assert outcome.returncode != 0
    assert "does not exist" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_broken_settings_file_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "modeldesk.toml").write_text("name = 'x'\nnmae = 'y'\n")
    outcome = start("--workspace", str(tmp_path))
    assert outcome.returncode != 0
    assert "line 2" in outcome.stderr and "nmae" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_help_is_quick_and_needs_no_workspace() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "core", "--help"],
        cwd=ROOT,
        env=os.environ | {"MODELDESK_WORKSPACE": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0
    assert "Usage" in outcome.stdout
