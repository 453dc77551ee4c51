"""Connections to the ledger's database: SQLite or PostgreSQL, one writer at a time, clear failures."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.errors import BadSettings, Unavailable
from core.ledger import schema
from core.ledger.locks import file_lock

WAIT_S = 30
"""How long a writer waits for the others before it gives up."""

_ADVISORY_LOCK = sa.text("SELECT pg_advisory_xact_lock(:id)")


class Database:
    """An engine on the ledger; the schema is created on the first write, and checked before the first use."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise BadSettings(
                f"The ledger cannot live in {self.url.get_backend_name()}.",
                "Set [ledger] url in modeldesk.toml to a sqlite:/// or postgresql:// URL.",
            )
        if self.is_sqlite and self.url.database in (None, "", ":memory:"):
            raise BadSettings("A ledger in memory would be forgotten.", "Name a file: sqlite:///ledger.db.")
        self._ready = False
        self._opening = threading.Lock()

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, False on PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The database for people: its file, or its URL without the password."""
        return str(self.file) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @cached_property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine."""
        if not self.is_sqlite:
            return sa.create_engine(
                self.url.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 5}
            )
        engine = sa.create_engine(_readable(self.url, self.file), connect_args={"timeout": WAIT_S})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """A read transaction; None while no ledger exists yet (nothing is created by looking)."""
        with self._failures():
            if not self._ready and not self._open_existing():
                yield None
                return
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is alone among writers; committed at the end, rolled back on an error."""
        with self._failures():
            if not self._ready:
                self._create()
            with self._write_connection() as connection, connection.begin():
                if not self.is_sqlite:
                    connection.execute(_ADVISORY_LOCK, {"id": lock_id("ledger")})
                yield connection

    def _open_existing(self) -> bool:
        if self.is_sqlite and not self.file.exists():
            return False
        with self.engine.connect() as connection:
            found = schema.version_of(connection)
        if found is None:
            return False
        self._ready = found == schema.HEAD
        if not self._ready:
            self._create()
        return True

    def _create(self) -> None:
        with self._opening:
            if self._ready:
                return
            if self.is_sqlite:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with file_lock(self.file.with_name(f"{self.file.name}.lock"), WAIT_S):
                    self._upgrade()
            else:
                self._upgrade()
            self._ready = True

    def _upgrade(self) -> None:
        with self._write_connection() as connection, connection.begin():
            if not self.is_sqlite:
                connection.execute(_ADVISORY_LOCK, {"id": lock_id("schema")})
            if schema.version_of(connection) != schema.HEAD:
                schema.upgrade(connection)

    def _write_connection(self) -> sa.Connection:
        return self.engine.connect().execution_options(ledger_writes=True)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _explained(error, self.name) from error
        except OSError as error:
            raise Unavailable(
                f"The ledger at {self.name} cannot be written: {error.strerror}.",
                "Check the folder's permissions and the disk; nothing was recorded.",
            ) from error


def lock_id(name: str) -> int:
    """A PostgreSQL advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(f"model-desk:{name}".encode()).digest()[:8], signed=True)


def _readable(url: sa.URL, file: Path) -> sa.URL:
    """The URL; on a read-only disk one that needs no file beside the database, which WAL mode would make."""
    if not file.exists() or os.access(file.parent, os.W_OK):
        return url
    return url.set(database=f"file:{quote(str(file))}", query={"mode": "ro", "immutable": "1", "uri": "true"})


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by _begin_sqlite: the driver's own implicit BEGIN would not take the write lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("ledger_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _explained(error: DBAPIError, name: str) -> Unavailable:
    text = str(error.orig).lower()
    causes = (
        ("disk is full", "the disk is full", "Free some space and try again; nothing was recorded."),
        ("full", "the disk is full", "Free some space and try again; nothing was recorded."),
        ("locked", "another process holds it", "Try again; nothing was recorded."),
        ("readonly", "it is read-only", "Check the permissions of the file and its folder."),
        ("unable to open", "it cannot be opened", "Check that the folder exists and is writable."),
        ("not a database", "the file is no SQLite database", "Restore it from a backup; it was not touched."),
        ("malformed", "the file is damaged", "Restore it from a backup and run `audit verify --anchor`."),
        ("only grows", "it refuses to change what is recorded", "Record a new event instead."),
    )
    for sign, cause, way_out in causes:
        if sign in text:
            return Unavailable(f"The ledger at {name} did not answer: {cause}.", way_out)
    return Unavailable(
        f"The ledger at {name} did not answer ({type(error.orig).__name__}).",
        "Check [ledger] url in modeldesk.toml and that its server runs.",
    )
