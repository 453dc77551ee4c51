"""A workspace on a read-only disk: everything can still be read, and a write says why it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def read_only(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo workspace, mounted a second time without the right to write (needs root)."""
    place = tmp_path_factory.mktemp("read-only")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a folder read-only")
    bound = subprocess.run(["mount", "--bind", demo_workspace, place], capture_output=True, check=False)
    if bound.returncode != 0:
        pytest.skip("this machine does not allow mounts")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def core(*words: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", *words, "--workspace", str(workspace)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [("status",), ("runs", "search", "--max", "1"), ("audit", "verify"), ("history", "diagnosis-risk")],
)
def test_reading_goes_on(read_only: Path, command: tuple[str, ...]) -> None:
    outcome = core(*command, "--output", "json", workspace=read_only)
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["schema_version"] == 1


def test_a_write_says_why_it_cannot_be(read_only: Path) -> None:
    outcome = core("deploy", "biopsy-triage", "--version", "2", workspace=read_only)
    assert outcome.returncode == 1
    assert "Read-only file system" in outcome.stderr and "Nothing was changed" in outcome.stderr
    assert "Traceback" not in outcome.stderr
