"""Tables by the name of their engine; what each engine needs is only imported when it is asked for."""

from __future__ import annotations

from core.drift.engines.table import EngineTable
from core.errors import BadInput

LOCAL = "local"
ENGINES = ("spark", "ibis")
"""Beyond this machine: Spark, and the databases that Ibis speaks to (PostgreSQL, Trino, BigQuery and others)."""


def open_table(engine: str, name: str, connect: str | None = None) -> EngineTable:
    """The table ``name`` of ``engine``: ``connect`` is the database's URL, or Spark's master.

    Raises BadInput for an engine that is not known or not installed, Unavailable, NotFound for the table.
    """
    if engine == "spark":
        from core.drift.engines.spark_table import open_spark

        return open_spark(name, connect)
    if engine == "ibis":
        from core.drift.engines.ibis_table import open_ibis

        return open_ibis(name, connect)
    raise BadInput(f"There is no engine '{engine}'.", f"Use --engine {LOCAL}, {' or '.join(ENGINES)}.")
