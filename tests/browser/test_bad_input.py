"""Stores that are down, wrong, old or empty: each page says so in a sentence, soon, and shows what it can."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

READING = ("/", "/experiments", "/registry", "/deploy")


def workspace(folder: Path, uri: str, projects: str = "[]") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "modeldesk.toml").write_text(
        f'[mlflow]\ntracking_uri = "{uri}"\n[dvc]\nprojects = {projects}\n', encoding="utf-8"
    )
    return folder


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        listener.settimeout(0.2)
        stop, kept = threading.Event(), []

        def accept() -> None:
            while not stop.is_set():
                try:
                    kept.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()
        for connection in kept:
            connection.close()


def says(tab, path: str, *words: str) -> None:
    """The page at ``path`` shows an error that holds one of ``words``, and no stack trace."""
    tab.open(path)
    text = tab.text()
    assert "Traceback" not in text and "unexpected" not in text, text
    assert any(word.casefold() in text.casefold() for word in words), text


def test_a_server_that_refuses(tmp_path: Path, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(workspace(tmp_path / "w", "http://127.0.0.1:9")))
    for path in READING:
        says(tab, path, "does not answer", "did not answer", "no server", "cannot be reached")


def test_a_server_that_never_answers_is_said_within_seconds(
    tmp_path: Path, serve: Callable[..., str], open_tab, silent_server: str
) -> None:
    tab = open_tab(serve(workspace(tmp_path / "w", silent_server)))
    started = time.monotonic()
    says(tab, "/deploy", "does not answer", "did not answer")
    assert time.monotonic() - started < 20, "two reads of at most 5 s each, and the page itself"


def test_mlflow_down_still_shows_what_the_ledger_knows(
    demo_copy: Path, serve: Callable[..., str], open_tab
) -> None:
    """O7: the last known state with its age."""
    settings = demo_copy / "modeldesk.toml"
    settings.write_text(
        settings.read_text().replace("sqlite:///mlflow/mlflow.db", "http://127.0.0.1:9"), encoding="utf-8"
    )
    tab = open_tab(serve(demo_copy))
    says(tab, "/deploy", "last known state")
    assert "v8 live" in tab.text() and "ago" in tab.text()
    tab.open("/")
    assert "ledger last recorded" in tab.text()


def test_a_store_that_is_not_there_is_not_created(
    tmp_path: Path, serve: Callable[..., str], open_tab
) -> None:
    folder = workspace(tmp_path / "w", "sqlite:///typo.db")
    tab = open_tab(serve(folder))
    for path in READING:
        says(tab, path, "typo.db", "does not exist")
    assert not (folder / "typo.db").exists()


def test_a_store_of_another_schema_is_named_and_left_alone(
    demo_workspace: Path, tmp_path: Path, serve: Callable[..., str], open_tab
) -> None:
    folder = workspace(tmp_path / "w", "sqlite:///old.db")
    shutil.copy(demo_workspace / "mlflow" / "mlflow.db", folder / "old.db")
    with sqlite3.connect(folder / "old.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'abcdef012345'")
    database.close()
    tab = open_tab(serve(folder))
    for path in ("/experiments", "/registry"):
        says(tab, path, "abcdef012345")
        assert "upgrade" in tab.text() or "server" in tab.text()


def test_an_empty_store_says_what_to_do_next(tmp_path: Path, serve: Callable[..., str], open_tab) -> None:
    from tests.model_store import new_model_store

    folder = workspace(tmp_path / "w", "sqlite:///mlflow.db")
    new_model_store(folder)
    tab = open_tab(serve(folder))
    says(tab, "/", "no registered models yet")
    says(tab, "/registry", "no registered models yet")
    says(tab, "/experiments", "no runs", "no run")
    says(tab, "/drift", "monitor")
    says(tab, "/lineage", "dvc")


def test_a_folder_that_is_no_dvc_repository(tmp_path: Path, serve: Callable[..., str], open_tab) -> None:
    folder = workspace(tmp_path / "w", "", '["nothing-here"]')
    (folder / "nothing-here").mkdir()
    (folder / "modeldesk.toml").write_text('[dvc]\nprojects = ["nothing-here"]\n')
    says(open_tab(serve(folder)), "/lineage", "nothing-here")


def test_a_broken_dvc_yaml_is_named_with_its_line(
    demo_copy: Path, serve: Callable[..., str], open_tab
) -> None:
    broken = demo_copy / "project" / "dvc.yaml"
    broken.write_text(broken.read_text() + "\n  broken: [unclosed\n", encoding="utf-8")
    says(open_tab(serve(demo_copy)), "/lineage", "dvc.yaml")


def test_nothing_configured_shows_how_to_begin(tmp_path: Path, serve: Callable[..., str], open_tab) -> None:
    tab = open_tab(serve(tmp_path))
    says(tab, "/", "modeldesk.toml")
    for path in ("/experiments", "/compare", "/registry", "/deploy", "/lineage", "/drift"):
        tab.open(path)
        assert "Traceback" not in tab.text() and "unexpected" not in tab.text(), (path, tab.text())
