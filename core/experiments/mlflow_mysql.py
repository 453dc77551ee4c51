"""MLflow's database in MySQL or MariaDB, read through PyMySQL (which is not among our requirements)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from core.errors import BadSettings, Unavailable
from core.experiments.mlflow_database import CONNECT_SECONDS, Session, as_columns, as_rows, explained

if TYPE_CHECKING:
    import pyarrow as pa

FRESH_SECONDS = 10
READ_SECONDS = 600


@dataclass(frozen=True, slots=True)
class MysqlServer:
    """A MySQL database; every read is one consistent, read-only transaction."""

    uri: str

    def __str__(self) -> str:
        return f"The MySQL store {re.sub(r'//[^@/]*@', '//', self.uri).split('?')[0]}"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A read-only transaction that sees one state of the database, in the SQL of the other two."""
        try:
            import pymysql
        except ImportError as error:
            raise BadSettings(
                "Reading a MySQL store needs PyMySQL, which is not installed.", "Run `pip install pymysql`."
            ) from error
        parts = urlsplit(self.uri)
        try:
            with closing(
                pymysql.connect(
                    host=parts.hostname or "127.0.0.1",
                    port=parts.port or 3306,
                    user=unquote(parts.username or ""),
                    password=unquote(parts.password or ""),
                    database=parts.path.lstrip("/"),
                    charset="utf8mb4",
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    init_command="SET SESSION sql_mode = 'ANSI'",
                )
            ) as connection:
                session = _MysqlSession(connection)
                session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                yield session
        except pymysql.MySQLError as error:
            raise Unavailable(*explained(str(self), error)) from error

    def stamp(self, session: Session) -> str:
        """A text that changes every ten seconds: MySQL has no cheap sign that something was committed."""
        return str(time.monotonic() // FRESH_SECONDS)


@dataclass(frozen=True, slots=True)
class _MysqlSession(Session):
    connection: Any

    def fetch(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        with self._answer(sql, values) as cursor:
            return as_columns(cursor)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._answer(sql, values) as cursor:
            return as_rows(cursor)

    def numbered(self, count: int) -> str:
        """The ids as ``runs`` has them: MySQL compares no bound text of one collation with a column of another."""
        one = "SELECT {}, run_uuid FROM runs WHERE run_uuid = ?"
        return " UNION ALL ".join(one.format(number) for number in range(count))

    @contextmanager
    def _answer(self, sql: str, values: Sequence[object]) -> Iterator[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("?", "%s"), tuple(values))
            yield cursor

    def execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
