"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The reference corpus (MODELDESK_CORPUS, else ../shared/corpus); skips where it is absent."""
    folder = Path(os.environ.get("MODELDESK_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip("the reference corpus is not on this machine (set MODELDESK_CORPUS)")
    return folder
