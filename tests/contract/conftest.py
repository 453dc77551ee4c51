"""A real PostgreSQL server for the session, and an empty ledger on either database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.ledger.store import Ledger
from tests.contract.ledger_store import BACKENDS, Store, fresh_database
from tests.contract.postgres import postgres_server, server_binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database on a server of our own; skips where there is no server binary."""
    if server_binaries() is None:
        pytest.skip("no PostgreSQL server binary on this machine")
    with postgres_server() as url:
        yield url


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    """An empty ledger on SQLite, then on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path}/ledger.db"
        if on_sqlite
        else fresh_database(request.getfixturevalue("postgres"))
    )
    ledger = Ledger(url)
    yield Store(ledger, url)
    ledger.database.engine.dispose()
