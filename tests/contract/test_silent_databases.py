"""A PostgreSQL that takes the connection and then says nothing, as behind a firewall: each door gives up in seconds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from core.drift.engines.ibis_table import open_ibis
from core.errors import Unavailable
from core.experiments.mlflow_database import open_database
from core.ledger.database import LedgerDatabase
from core.postgres import patient


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"postgresql://desk:hunter2@127.0.0.1:{server.getsockname()[1]}/desk"


def test_each_door_gives_up_in_seconds_and_tells_no_password(silent: str) -> None:
    def refusal(door) -> str:
        with pytest.raises(Unavailable) as refused:
            door()
        return str(refused.value)

    doors = (
        lambda: open_database(silent),
        lambda: open_ibis("rows", silent),
        lambda: LedgerDatabase(sa.make_url(silent)).writing().__enter__(),
    )
    begin = time.monotonic()
    with ThreadPoolExecutor() as together:
        said = list(together.map(refusal, doors))
    assert time.monotonic() - begin < 15
    assert not any("hunter2" in words for words in said)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://h/d", "connect_timeout=4"),
        ("postgresql://h/d?sslmode=require", "sslmode=require&connect_timeout=4"),
        ("postgresql://h/d?connect_timeout=60", "connect_timeout=60&keepalives_idle=10"),
    ],
)
def test_a_url_keeps_what_it_says_itself(url: str, found: str) -> None:
    assert found in patient(url) and patient(url).count("connect_timeout") == 1


def test_other_urls_are_left_alone() -> None:
    assert patient("sqlite:///a.db") == "sqlite:///a.db"
    assert patient("trino://h/d") == "trino://h/d"
