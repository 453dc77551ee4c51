"""Alembic's entry: runs inside the connection and transaction that core.ledger.schema.upgrade gives it."""

from alembic import context

from core.ledger.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
)
context.run_migrations()
