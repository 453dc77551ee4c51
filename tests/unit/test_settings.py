"""Settings: precedence, paths, and errors that name file, line and key."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from core.deploy import paths
from core.errors import BadSettings
from core.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MODELDESK_NAME"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> Path:
    (folder / "modeldesk.toml").write_text(text, encoding="utf-8")
    return folder


def test_nothing_configured_is_a_state_not_an_error(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert not settings.configured
    assert settings.tracking_uri is None


def test_relative_sqlite_paths_start_at_the_workspace(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, '[mlflow]\ntracking_uri = "sqlite:///mlflow/mlflow.db"\n'))
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize("uri", ["sqlite:////abs/mlflow.db", "http://127.0.0.1:5000", "postgresql://u@h/db"])
def test_other_uris_stay_as_they_are(tmp_path: Path, uri: str) -> None:
    assert load_settings(write(tmp_path, f'[mlflow]\ntracking_uri = "{uri}"\n')).tracking_uri == uri


def test_file_beats_mlflows_own_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ambient:5000")
    settings = load_settings(write(tmp_path, '[mlflow]\ntracking_uri = "http://file:5000"\n'))
    assert settings.tracking_uri == "http://file:5000"


def test_mlflows_own_variable_is_honoured_where_the_file_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ambient:5000")
    assert load_settings(tmp_path).tracking_uri == "http://ambient:5000"


def test_modeldesk_variable_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDESK_MLFLOW__TRACKING_URI", "http://explicit:5000")
    settings = load_settings(write(tmp_path, '[mlflow]\ntracking_uri = "http://file:5000"\n'))
    assert settings.tracking_uri == "http://explicit:5000"


def test_dotenv_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MODELDESK_NAME=From dotenv\n")
    assert load_settings(tmp_path).name == "From dotenv"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('name = "x"\n\n[mlflow]\ntracking_url = "http://typo"\n', 4, "tracking_url"),
        ("[mlflow]\ntimeout_s = -1\n", 2, "timeout_s"),
        ('[acess]\nmode = "local"\n', 1, "acess"),
    ],
    ids=["unknown key", "out of range", "unknown section"],
)
def test_a_wrong_key_is_named_with_its_line(tmp_path: Path, text: str, line: int, key: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings(write(tmp_path, text))
    assert f"line {line}" in caught.value.what
    assert key in caught.value.what


@pytest.mark.parametrize("content", [b"name = \n", b"\xff\xfe", b"[mlflow\n"])
def test_broken_toml_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "modeldesk.toml").write_bytes(content)
    with pytest.raises(BadSettings, match=r"modeldesk\.toml"):
        load_settings(tmp_path)


def test_the_run_folder_is_the_same_without_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """cron, sudo and CI runners have no XDG_RUNTIME_DIR: they would have started a second router."""
    with TemporaryDirectory() as short:  # a socket's path may have 107 bytes
        own = Path(short) / str(os.getuid())
        own.mkdir()
        monkeypatch.setattr(paths, "RUNTIME", f"{short}/{{}}")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
        with_login = paths.run_dir(Settings(root=tmp_path))
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{short}/of-somebody-else")
        other = paths.run_dir(Settings(root=tmp_path))
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        assert paths.run_dir(Settings(root=tmp_path)) == other == with_login and with_login.parent == own
