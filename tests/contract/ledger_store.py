"""A fresh ledger on each database, and ways to tamper with it that the application does not have."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from core.access import Actor
from core.ledger.events import Commented
from core.ledger.store import Ledger

ANA = Actor("ana", "Ana Lead")


@dataclass
class Store:
    """A ledger, and an engine of our own on the same database."""

    ledger: Ledger
    url: str

    def fill(self, count: int) -> None:
        for number in range(count):
            self.ledger.append(Commented(model="m", request_id="r", reason=f"remark {number}"), ANA)

    def tamper(self, *statements: str) -> None:
        """Run raw SQL after removing the triggers, as someone with the database's password could."""
        engine = sa.create_engine(sa.make_url(self.url).set(drivername=self._driver))
        with engine.begin() as connection:
            for trigger in self._triggers:
                connection.exec_driver_sql(trigger)
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    @property
    def _sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def _driver(self) -> str:
        return "sqlite" if self._sqlite else "postgresql+psycopg"

    @property
    def _triggers(self) -> tuple[str, ...]:
        if self._sqlite:
            names = ("ledger_no_update", "ledger_no_delete", "ledger_no_replace")
            return tuple(f"DROP TRIGGER IF EXISTS {name}" for name in names)
        names = ("ledger_no_change", "ledger_no_truncate")
        return tuple(f"DROP TRIGGER IF EXISTS {name} ON ledger_events" for name in names)


def fresh_database(url: str) -> str:
    """A new, empty database on the server of ``url``."""
    name = f"d{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.rsplit("/", 1)[0] + f"/{name}"


BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
