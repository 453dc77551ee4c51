"""MLflow's database in PostgreSQL, read by ADBC."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.errors import Unavailable
from core.experiments.mlflow_database import Ask, Session, explained
from core.postgres import patient

if TYPE_CHECKING:
    import pyarrow as pa

MOST_NAMED = 10_000
"""Runs that are named one by one; of more, reading whole tables is as quick."""
_PLAIN_ID = "^[0-9A-Za-z_-]+$"
_OPENING = threading.Lock()
"""ADBC's handles may be used by several threads, one after the other."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL database; every read is one REPEATABLE READ, READ ONLY transaction."""

    uri: str

    def __str__(self) -> str:
        return f"The PostgreSQL store {re.sub(r'//[^@/]*@', '//', self.uri).split('?')[0]}"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A read-only transaction that sees one state of the database."""
        import adbc_driver_manager

        try:
            with _transaction(patient(self.uri)) as connection:
                yield _AdbcSession(connection, patient(self.uri))
        except adbc_driver_manager.Error as error:
            raise Unavailable(*explained(str(self), error)) from error

    def stamp(self, session: Session) -> str:
        """The snapshot of running transactions: any commit changes it."""
        return session.rows("SELECT CAST(pg_current_snapshot() AS text) AS seen")[0]["seen"]


@dataclass(frozen=True, slots=True)
class _AdbcSession(Session):
    connection: Any
    uri: str

    def fetch(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        with self.connection.cursor() as cursor:
            cursor.execute(_marked(sql), parameters=tuple(values) or None)
            return cursor.fetch_arrow_table()

    @contextmanager
    def beside(self) -> Iterator[Ask]:
        """Asks over a second connection, at once: a server process uses one core."""
        state = self.rows("SELECT pg_export_snapshot() AS state")[0]["state"]
        with _transaction(self.uri, 1) as connection:
            second = _AdbcSession(connection, self.uri)
            second.fetch(f"SET TRANSACTION SNAPSHOT '{state}'")
            with ThreadPoolExecutor(1) as pool:
                yield lambda read: pool.submit(read, second).result

    def listed(self, select: str, expected: int | None) -> str:
        """As an array where it is short: else PostgreSQL reads all rows of a table to find those of a few runs."""
        few = expected is not None and expected <= MOST_NAMED
        return f"= ANY(ARRAY({select}))" if few else f"IN ({select})"

    def among(self, run_ids: pa.ChunkedArray) -> str | None:
        """Their ids as one list, which spares looking for them in ``runs`` again.

        Written out, since the driver streams only the answers to queries without values.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        few = 0 < len(run_ids) <= MOST_NAMED
        if not few or not pc.all(pc.match_substring_regex(run_ids, _PLAIN_ID)).as_py():
            return None
        listed = pa.ListArray.from_arrays([0, len(run_ids)], run_ids.combine_chunks())
        return f"= ANY('{{{pc.binary_join(listed, ',')[0]}}}'::varchar[])"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection that stays open: a new server process costs more than the rows of a small experiment."""

    connection: Any
    in_use: threading.Lock = field(default_factory=threading.Lock)


@lru_cache(maxsize=16)
def _kept(uri: str, place: int) -> _Kept:
    import adbc_driver_postgresql.dbapi

    return _Kept(adbc_driver_postgresql.dbapi.connect(uri))


@contextmanager
def _transaction(uri: str, place: int = 0) -> Iterator[Any]:
    """A connection in a new transaction: the one kept in ``place``, or while that is in use one cloned from it."""
    import adbc_driver_manager

    with _OPENING:
        kept = _kept(uri, place)
    if kept.in_use.acquire(blocking=False):
        try:
            if _begins(kept.connection):
                yield kept.connection
                return
        finally:
            with suppress(adbc_driver_manager.Error):  # what went wrong is raised already
                kept.connection.rollback()
            kept.in_use.release()
        _kept.cache_clear()  # the server has ended it since
    with _OPENING:
        opened = _kept(uri, place).connection.adbc_clone()
    with opened:
        _begin(opened)
        yield opened


def _begins(connection: Any) -> bool:
    import adbc_driver_manager

    try:
        _begin(connection)
    except adbc_driver_manager.Error:
        return False
    return True


def _begin(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _marked(sql: str) -> str:
    parts = sql.split("?")
    return "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], 1)) + parts[-1]
