"""The ledger's tables, and bringing a database to the version this code knows.

The version table has its own name, so that a ledger may live in a database that it shares with MLflow.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from core.errors import Unavailable

VERSIONS = ("0001", "0002")
HEAD = VERSIONS[-1]
VERSION_TABLE = "ledger_version"
MIGRATIONS = Path(__file__).with_name("migrations")

GRANTS = (
    "GRANT SELECT, INSERT ON ledger_events TO model_desk",
    "GRANT SELECT, INSERT, UPDATE ON ledger_signers TO model_desk",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_projection TO model_desk",
    "GRANT SELECT ON ledger_version TO model_desk",
)
"""What the application's own role needs on PostgreSQL: nothing that could change what is recorded."""

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

projection = sa.Table(
    "ledger_projection",
    metadata,
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
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
        raise too_new(str(version_of(connection))) from error


def too_new(version: str) -> Unavailable:
    """The failure of meeting a ledger that this code does not know."""
    return Unavailable(
        f"This ledger was written by a newer Model Desk (version {version}; this one knows {HEAD}).",
        "Update Model Desk; the ledger was not touched.",
    )
