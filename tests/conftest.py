"""What every test may ask for."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core import outages

ROOT = Path(__file__).parents[1]


def pytest_collection_finish() -> None:
    """Imported modules are no garbage: without them a collection, which statsmodels forces, is 100 times cheaper."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_ambient_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own set_tracking_uri leaves this variable behind; the next test must not find it.

    Nor that a server was silent: the next test's may be given the same port.
    """
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(outages, "_down", {})


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The reference corpus (MODELDESK_CORPUS, else ../shared/corpus); skips where it is absent."""
    folder = Path(os.environ.get("MODELDESK_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip("the reference corpus is not on this machine (set MODELDESK_CORPUS)")
    return folder


@pytest.fixture(scope="session")
def demo_workspace() -> Path:
    """A finished demo workspace to read from; never write into it.

    It is built once (two to three minutes) below .cache/ and built anew when its sources change, and each
    week because its inference log ends "today". Workers of pytest-xdist wait for one build.
    """
    from core.demo.create import create

    now = datetime.now(UTC)
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    folder = cache / f"demo-{now:%G-%V}-{_demo_sources()}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        create(folder, now=now)
    return folder


@pytest.fixture
def demo_copy(demo_workspace: Path, tmp_path: Path) -> Path:
    """A demo workspace of the test's own, to change at will."""
    return copied(demo_workspace, tmp_path / "demo")


@pytest.fixture(scope="session")
def demo_session_copy(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo workspace that the tests of one worker share: a server may write its caches beside it."""
    return copied(demo_workspace, tmp_path_factory.mktemp("workspace") / "demo")


def copied(workspace: Path, target: Path) -> Path:
    """The workspace at ``target``, its absolute paths made right."""
    from core.demo.relocate import relocate

    # Somebody who looks at the shared demo makes these two come and go; they hold nothing of a finished one.
    passing = shutil.ignore_patterns("*.db-wal", "*.db-shm")
    shutil.copytree(workspace, target, symlinks=True, ignore=passing)
    relocate(target)
    # Only tests of serving pay for models that run: elsewhere the demo moves aliases alone.
    settings = target / "modeldesk.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('engine = "embedded"', 'engine = "none"'), encoding="utf-8")
    return target


def _demo_sources() -> str:
    """A hash of what the demo is built from: its own code, and the packages that train and store."""
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for file in sorted((ROOT / "core" / "demo").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]
