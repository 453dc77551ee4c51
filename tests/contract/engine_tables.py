"""Tables in each engine for the drift tests: a real PostgreSQL, a real local Spark."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from core.drift.engines.open import open_table
from core.drift.engines.table import EngineTable


class Tables(Protocol):
    """Somewhere that a table can be put and be opened as a team would open it."""

    def put(self, table: pa.Table) -> EngineTable:
        """``table`` inside the engine."""


class Postgres:
    """Tables of a database on the server of the test session."""

    def __init__(self, url: str) -> None:
        import adbc_driver_postgresql.dbapi

        self.url, self._number = url, itertools.count()
        self._connection = adbc_driver_postgresql.dbapi.connect(url)

    def write(self, table: pa.Table, name: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, table, mode="replace")
        self._connection.commit()

    def put(self, table: pa.Table) -> EngineTable:
        name = f"t{next(self._number)}"
        self.write(table, name)
        return open_table("ibis", name, self.url)

    def close(self) -> None:
        self._connection.close()


class Spark:
    """Parquet files that a local Spark reads."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, itertools.count()

    def put(self, table: pa.Table) -> EngineTable:
        import pyarrow.parquet as pq

        path = self._folder / f"t{next(self._number)}.parquet"
        pq.write_table(table, path)
        return open_table("spark", str(path), "local[2]")
