"""Tables in each engine for the drift tests: a real PostgreSQL, a real local Spark."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from core.drift.engines.open import open_table
from core.drift.engines.table import EngineTable
from tests.contract.ledger_store import fresh_database


class Tables(Protocol):
    """Somewhere that a table can be put and be opened as a team would open it."""

    def put(self, table: pa.Table) -> EngineTable:
        """``table`` inside the engine."""

    def in_zone(self, zone: str, tables: Mapping[str, pa.Table]) -> dict[str, str]:
        """``tables`` where a session that says nothing of it is in ``zone``: their names, engine and connect."""


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

    def in_zone(self, zone: str, tables: Mapping[str, pa.Table]) -> dict[str, str]:
        import psycopg

        url = fresh_database(self.url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET timezone TO '{zone}'")
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW timezone").fetchone() == (zone,)
        there = Postgres(url)
        for name, table in tables.items():
            there.write(table, name)
        there.close()
        return {"engine": "ibis", "connect": url} | {name: name for name in tables}

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

    def in_zone(self, zone: str, tables: Mapping[str, pa.Table]) -> dict[str, str]:
        import pyarrow.parquet as pq
        from pyspark.sql import SparkSession

        from core.drift.engines.spark_table import _session

        # As on a cluster whose sessions are in that zone, before ours is opened there.
        SparkSession.builder.master("local[2]").getOrCreate().conf.set("spark.sql.session.timeZone", zone)
        _session.cache_clear()
        paths = {name: str(self._folder / f"{zone[:2]}{next(self._number)}.parquet") for name in tables}
        for name, path in paths.items():
            pq.write_table(tables[name], path)
        return {"engine": "spark", "connect": "local[2]"} | paths
