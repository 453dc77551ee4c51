"""A database of ours, SQLite or PostgreSQL: one writer at a time, looking creates nothing, clear failures.

The ledger and the deployment tables each say what they are called, how they are made and how a failure reads.
"""

from __future__ import annotations

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.errors import Unavailable
from core.locks import file_lock
from core.postgres import PATIENCE


class Database(ABC):
    """Transactions on one set of tables; they are made by the first write."""

    what = "The database"
    """What it is called in a failure."""

    lock = "database"
    """Writers on PostgreSQL wait for each other under this name."""

    wait_s = 30
    """How long a writer waits for the others before it gives up."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self._ready = False
        self._inode: tuple[int, int] | None = None
        self._opening = threading.Lock()

    @abstractmethod
    def is_readable(self, connection: sa.Connection) -> bool:
        """Whether the tables are there, if perhaps of an older version; raises Unavailable for a newer one."""

    @abstractmethod
    def is_complete(self, connection: sa.Connection) -> bool:
        """Whether the tables are those that this code writes."""

    @abstractmethod
    def make(self, connection: sa.Connection) -> None:
        """Make what is missing, in the connection's transaction. Raises Unavailable."""

    @abstractmethod
    def explained(self, error: DBAPIError) -> Unavailable:
        """The failure in words a person can act on."""

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite, False on PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @property
    def name(self) -> str:
        """The database for people: its file, or its URL without the password."""
        return str(self.file) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @cached_property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine."""
        if not self.is_sqlite:
            return sa.create_engine(
                self.url.set(drivername="postgresql+psycopg"), connect_args=PATIENCE | self.url.query
            )
        engine = sa.create_engine(_readable(self.url, self.file), connect_args={"timeout": self.wait_s})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """A snapshot; None while nothing was ever written here."""
        with self._failures():
            if self.is_sqlite and not self._same_file():
                yield None
                return
            with self.engine.connect() as connection:
                if not self.is_sqlite:
                    # As on SQLite, one look sees one moment, however many statements it takes.
                    connection.execution_options(isolation_level="REPEATABLE READ")
                yield connection if self._ready or self.is_readable(connection) else None

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that is alone among writers; on disk at the end, rolled back on an error."""
        return self._alone("FULL")

    def noting(self) -> AbstractContextManager[sa.Connection]:
        """As :meth:`writing`, without waiting for the disk: outlives the process, a loss of power only after the next.

        For what is worth nothing by itself, such as the beginning of an operation whose decision is written after it.
        """
        return self._alone("NORMAL")

    @contextmanager
    def _alone(self, synchronous: str) -> Iterator[sa.Connection]:
        with self._failures():
            if self.is_sqlite:
                self._same_file()
            if not self._ready:
                self._create()
            with self._write_connection(synchronous) as connection, connection.begin():
                if not self.is_sqlite:
                    _wait_for(connection, self.lock)
                yield connection

    def _same_file(self) -> bool:
        """Whether there is a file. Raises Unavailable when it is no longer the one that this process began with.

        Open connections still lead to the old file, so that what they write would be lost; and SQLite applies the
        old file's log to whatever lies at its name. Nothing that could be done here is safe.
        """
        try:
            found = self.file.stat()
        except FileNotFoundError as error:
            if self._inode is None:
                return False
            raise Unavailable(
                f"{self.what} at {self.name} has vanished.", "Restore it from a backup; nothing was recorded."
            ) from error
        now = (found.st_dev, found.st_ino)
        self._inode = self._inode or now
        if self._inode != now:
            raise Unavailable(
                f"{self.what} at {self.name} was replaced by another file while it was in use; nothing was recorded.",
                "Stop every Model Desk process, remove the -wal and -shm files that belong to the old one, and start "
                "again; `audit verify --anchor` says whether the new one is the record.",
            )
        return True

    def _create(self) -> None:
        with self._opening:
            if self._ready:
                return
            if self.is_sqlite:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with file_lock(self.file.with_name(f"{self.file.name}.lock"), self.wait_s):
                    self._complete()
                self._same_file()
            else:
                self._complete()
            self._ready = True

    def _complete(self) -> None:
        with self._write_connection() as connection, connection.begin():
            if not self.is_sqlite:
                _wait_for(connection, "schema")
            if not self.is_complete(connection):
                self.make(connection)

    def _write_connection(self, synchronous: str = "FULL") -> sa.Connection:
        return self.engine.connect().execution_options(writes=synchronous)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.explained(error) from error
        except OSError as error:
            raise Unavailable(
                f"{self.what} at {self.name} cannot be written: {error.strerror}.",
                "Check the folder's permissions and the disk; nothing was recorded.",
            ) from error


def lock_id(name: str) -> int:
    """A PostgreSQL advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(f"model-desk:{name}".encode()).digest()[:8], signed=True)


def _wait_for(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:id)"), {"id": lock_id(name)})


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
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    synchronous = connection.get_execution_options().get("writes")
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
