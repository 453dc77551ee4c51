"""The ledger's tables, and bringing a database to the version this code knows.

The version table has its own name, so that a ledger may live in a database that it shares with MLflow.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from core.errors import Unavailable

HEAD = "0001"
VERSION_TABLE = "ledger_version"
MIGRATIONS = Path(__file__).with_name("migrations")

metadata = sa.MetaData()

events = sa.Table(
    "ledger_events",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("key", sa.Text, unique=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

signers = sa.Table(
    "ledger_signers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("passphrase_hash", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("locked_until", sa.Text),
)


def version_of(connection: sa.Connection) -> str | None:
    """The database's ledger version; None when it holds no ledger yet."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def upgrade(connection: sa.Connection) -> None:
    """Run the migrations that are missing, in the connection's transaction. Raises Unavailable."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(
            f"This ledger was written by a newer Model Desk (version {version_of(connection)}; "
            f"this one knows {HEAD}).",
            "Update Model Desk; the ledger was not touched.",
        ) from error
