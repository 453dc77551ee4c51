"""Drift checks inside Spark or a database: the engine counts, only aggregates leave it."""
