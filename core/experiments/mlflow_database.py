"""A read-only connection to MLflow's own database that answers in Arrow columns: SQLite, PostgreSQL, MySQL.

Each call is a transaction of its own: no read lock outlives the read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from core.errors import BadInput, Unavailable
from core.experiments.mlflow_schema import check_revision, no_schema

if TYPE_CHECKING:
    import pyarrow as pa

LOCK_WAIT_MS = 3000
CONNECT_SECONDS = 4


Ask = Callable[[Callable[["Session"], Any]], Callable[[], Any]]
"""Begins a read; what it gives back waits for the answer."""


class Session(Protocol):
    """One consistent, read-only view of the store."""

    def fetch(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """The rows of ``sql``, whose ``?`` marks are bound to ``values``."""
        ...

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The same as plain rows: few of them cost less than loading Arrow, and pandas with it."""
        return self.fetch(sql, values).to_pylist()

    @contextmanager
    def beside(self) -> Iterator[Ask]:
        """Asks more of the same state: each read that is given is begun, and its answer waited for by a call.

        Here it is begun only then: each answer may be large, so there is one at a time.
        """
        yield lambda read: partial(read, self)

    def numbered(self, count: int) -> str:
        """A query for so many run ids that are bound, each after its number from 0."""
        return "VALUES " + ", ".join(f"({number}, ?)" for number in range(count))

    def listed(self, select: str, expected: int | None) -> str:
        """The condition that a value is among those of ``select``; ``expected`` is how many it may give."""
        return f"IN ({select})"

    def among(self, run_ids: pa.ChunkedArray) -> str | None:
        """A condition that holds for these runs alone; None where naming them one by one gains nothing."""
        return None


class Database(Protocol):
    """A store that can be read directly."""

    def session(self) -> Any:
        """A context manager around a Session; foreign errors become Unavailable."""
        ...

    def stamp(self, session: Session) -> str:
        """A text that changes whenever anything in the store may have changed; cheap.

        To be taken before the session reads anything else: what is then read is as new or newer.
        """
        ...


def open_database(uri: str) -> Database:
    """The database of a tracking URI, its schema checked. Raises BadInput and Unavailable."""
    database = _named(uri)
    with database.session() as session:
        require_known_schema(session, str(database))
    return database


def require_known_schema(session: Session, where: str) -> None:
    """Raise Unavailable unless we know the schema of the store ``where``; somebody may migrate it while we run."""
    found = session.rows("SELECT version_num FROM alembic_version")
    check_revision(found[0]["version_num"] if found else None, where)


def is_database(uri: str) -> bool:
    """True for a SQLAlchemy-style URL, as opposed to a server's address."""
    return bool(re.match(r"(sqlite|postgres(ql)?|mysql|mssql)(\+\w+)?:", uri))


def _named(uri: str) -> Database:
    if match := re.match(r"sqlite(\+\w+)?:///([^?]+)", uri):
        return SqliteFile(Path(match[2]))
    if match := re.match(r"postgres(?:ql)?(?:\+\w+)?://(.*)", uri):
        from core.experiments.mlflow_postgres import PostgresServer

        return PostgresServer(f"postgresql://{match[1]}")
    if re.match(r"mysql(?:\+\w+)?://", uri):
        from core.experiments.mlflow_mysql import MysqlServer

        return MysqlServer(uri)
    kind = uri.split(":", 1)[0]
    raise BadInput(
        f"A '{kind}' store cannot be read directly: only SQLite, PostgreSQL and MySQL can.",
        "Start `mlflow server --backend-store-uri ...` on it and use the server's http address.",
    )


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """An SQLite file, opened ``mode=ro``: it is never created and never written."""

    path: Path

    def __str__(self) -> str:
        return f"The SQLite file {self.path}"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A read transaction on the file, by Python's own SQLite.

        MLflow's client in this process uses that library too. A second copy of SQLite here, such as the one
        inside ADBC's driver, would undo the client's file locks: https://sqlite.org/howtocorrupt.html, 2.2.1.
        """
        self._must_exist()
        try:
            with closing(sqlite3.connect(self._address, uri=True, timeout=LOCK_WAIT_MS / 1000)) as connection:
                connection.execute("BEGIN")
                yield _SqliteSession(connection)
        except sqlite3.Error as error:
            raise Unavailable(*explained(str(self), error)) from error

    @contextmanager
    def bulk_session(self) -> Iterator[Session]:
        """The same by ADBC, ten times quicker for many rows: only for a process that does nothing else."""
        import adbc_driver_manager
        import adbc_driver_sqlite

        self._must_exist()
        try:
            with (
                adbc_driver_sqlite.connect(self._address) as database,
                adbc_driver_manager.AdbcConnection(database) as connection,
            ):
                connection.set_autocommit(False)
                session = _BareSession(connection)
                session.fetch(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
                yield session
                connection.rollback()
        except adbc_driver_manager.Error as error:
            raise Unavailable(*explained(str(self), error)) from error

    @property
    def _address(self) -> str:
        return f"file:{quote(str(self.path))}?mode=ro"

    def _must_exist(self) -> None:
        if not self.path.is_file():
            raise Unavailable(
                f"{self} does not exist.", "Check the tracking URI; nothing was created in its place."
            )

    def stamp(self, session: Session) -> str:
        """Time and size of the file and of its write-ahead log."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        stats = [file.stat() for file in files if file.exists()]
        return str([(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats])


@dataclass(frozen=True, slots=True)
class _SqliteSession(Session):
    connection: sqlite3.Connection

    def fetch(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        return as_columns(self.connection.execute(sql, tuple(values)))

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        return as_rows(self.connection.execute(sql, tuple(values)))


@dataclass(frozen=True, slots=True)
class _BareSession(Session):
    """ADBC without its DB-API layer, whose import brings pandas and doubles the start of a process."""

    connection: Any

    def fetch(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        import adbc_driver_manager
        import pyarrow as pa

        if values:
            raise TypeError("bulk reads take no values")
        with adbc_driver_manager.AdbcStatement(self.connection) as statement:
            statement.set_sql_query(sql)
            handle, _ = statement.execute_query()
            return pa.RecordBatchReader._import_from_c(handle.address).read_all()


def as_columns(cursor: Any) -> pa.Table:
    """All rows of a DB-API cursor, column by column."""
    import pyarrow as pa

    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    # Not zip(*rows): its iterator a row costs more than the query.
    cells = ([row[place] for row in rows] for place in range(len(names)))
    return pa.table([pa.array(column) for column in cells], names=names)


def as_rows(cursor: Any) -> list[dict[str, Any]]:
    """All rows of a DB-API cursor, each by the names of its columns."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def explained(where: str, error: Exception) -> tuple[str, str]:
    """A driver's error as what happened to the store ``where``, and the way out; without its password."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return (
            f"{where} is locked by another process and did not answer within {LOCK_WAIT_MS / 1000:.0f} s.",
            "Try again when that write has finished.",
        )
    if "not a database" in text:
        return f"{where} is no SQLite database.", "Check the tracking URI."
    if "malformed" in text or "disk I/O error" in text:
        return (
            f"{where} is damaged or was cut short.",
            "Restore it from a backup; `sqlite3 FILE .recover` saves what is left.",
        )
    if re.search(r"no such (table|column)|doesn't exist|does not exist", text):
        if "alembic_version" in text:
            return no_schema(where)
        return (
            f"{where} changed or lacks a table while it was read.",
            "Try again; then check the tracking URI.",
        )
    if "unable to open" in text or "failed to open" in text:
        return f"{where} cannot be opened.", "Check its permissions."
    first = re.sub(r"\s+", " ", re.sub(r"//[^@/\s]*@", "//", text))[:200]
    return f"{where} does not answer: {first}", "Check that the database server runs and the URI is right."
