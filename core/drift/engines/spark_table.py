"""Tables that Spark reads: a Parquet folder or file by its path, else a table of the session's catalog."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.drift.engines.table import EngineTable
from core.errors import BadInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INSTALL = "Run `pip install -r requirements-spark.txt` (Spark needs Java 17 or later)."


def open_spark(name: str, master: str | None) -> EngineTable:
    """The table or Parquet path ``name`` in the session at ``master`` (None: local, or what Spark is configured for).

    Raises BadInput without PySpark, Unavailable without a cluster, NotFound for a table or path that is not there.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import AnalysisException, PySparkException
    except ImportError as error:
        raise BadInput("The engine 'spark' needs PySpark, which is not installed.", INSTALL) from error
    session = _session(master)
    try:
        native = session.read.parquet(name) if _is_path(name) else session.table(name)
    except AnalysisException as error:
        raise NotFound(
            f"Spark finds no table or Parquet files '{name}'.", "Check the name or the path."
        ) from error
    except (PySparkException, Py4JError) as error:
        raise Unavailable(f"Spark could not read '{name}' ({type(error).__name__}).", "Try again.") from error
    return EngineTable(native, "spark", (PySparkException, Py4JError))


def _is_path(name: str) -> bool:
    return "/" in name or Path(name).exists()


@cache
def _session(master: str | None) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    options = _OPTIONS | (_on_this_machine() if master is None or master.startswith("local") else {})
    builder = SparkSession.builder.appName("model-desk drift")
    for key, value in options.items():
        builder = builder.config(key, value)
    try:
        return (builder.master(master) if master else builder).getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        raise Unavailable(
            f"Spark did not start ({type(error).__name__}).", "Spark needs Java 17 or later."
        ) from error


_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


def _on_this_machine() -> dict[str, str]:
    """Loopback alone, and as few parts of a shuffle as there are cores to work on them."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    return {"spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": str(os.cpu_count() or 1)}
