"""The deployment database: desired state, journal and outbox, beside the ledger.

With an SQLite ledger it is ``deploy.db`` in the same folder, so that a rollback never waits for a long write to
the ledger; with PostgreSQL it is the same database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.database import Database
from core.deploy.types import EndpointKey
from core.errors import Unavailable

metadata = sa.MetaData()


def _key(primary: bool = True) -> list[sa.Column[str]]:
    return [
        sa.Column("model", sa.Text, primary_key=primary, nullable=False),
        sa.Column("environment", sa.Text, primary_key=primary, nullable=False),
    ]


def _one_of_each(name: str, table: sa.Table, where: str) -> None:
    """A unique index over model and environment for the rows ``where``, made with the table.

    Not an sa.Index: its options for PostgreSQL load that dialect in every process, a tenth of a second of CPU.
    """
    made = sa.DDL(f"CREATE UNIQUE INDEX {name} ON {table.name} (model, environment) WHERE {where}")
    sa.event.listen(table, "after_create", made)


endpoints = sa.Table(
    "deploy_endpoints",
    metadata,
    *_key(),
    sa.Column("port", sa.Integer, nullable=False, unique=True),
    sa.Column("live", sa.Text),
    sa.Column("previous", sa.Text),
    sa.Column("weights", sa.JSON, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
)

slots = sa.Table(
    "deploy_slots",
    metadata,
    *_key(),
    sa.Column("slot", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("directory", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("pid", sa.Integer),
    sa.Column("create_time", sa.Float),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("restarts", sa.Integer, nullable=False),
)

served = sa.Table(
    "deploy_served",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *_key(primary=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("directory", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("good", sa.Boolean, nullable=False),
)

operations = sa.Table(
    "deploy_operations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *_key(primary=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text, unique=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("from_version", sa.Integer),
    sa.Column("to_version", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner_pid", sa.Integer, nullable=False),
    sa.Column("owner_birth", sa.Float, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("verified", sa.Boolean, nullable=False, default=False),
    sa.Column("command_to_switch", sa.Float),
    sa.Column("switch_to_verified", sa.Float),
)
# The database itself lets one operation run per endpoint, whatever the processes believe.
_one_of_each("deploy_one_running", operations, "state = 'running'")
sa.Index("deploy_newest", operations.c.model, operations.c.environment, operations.c.epoch)

steps = sa.Table(
    "deploy_steps",
    metadata,
    sa.Column("operation_id", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)

# What a version answered to its input example when it first passed, by the digest of its files.
golden = sa.Table(
    "deploy_golden",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("recorded_at", sa.Text, nullable=False),
)

outbox = sa.Table(
    "deploy_outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False),
    *_key(primary=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("done_at", sa.Text),
)

trials = sa.Table(
    "deploy_trials",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *_key(primary=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)
_one_of_each("deploy_one_trial", trials, "open")


class DeployDatabase(Database):
    """Transactions on the deployment tables; failures are ``Unavailable`` with a way out."""

    what = "The deployment database"
    lock = "deployments"
    wait_s = 10

    def __init__(self, ledger_url: str) -> None:
        url = sa.make_url(ledger_url)
        if url.get_backend_name() == "sqlite":
            url = url.set(database=str(Path(url.database or "").with_name("deploy.db")))
        super().__init__(url)

    def is_readable(self, connection: sa.Connection) -> bool:
        """True when something was deployed here, if by an older version that knew fewer tables."""
        return sa.inspect(connection).has_table(endpoints.name)

    def is_complete(self, connection: sa.Connection) -> bool:
        """True when every table is there."""
        return metadata.tables.keys() <= set(sa.inspect(connection).get_table_names())

    def make(self, connection: sa.Connection) -> None:
        """Make the tables that are missing."""
        metadata.create_all(connection)

    def explained(self, error: DBAPIError) -> Unavailable:
        """What the driver says; its statements hold no data of patients."""
        return Unavailable(
            f"The deployment database did not answer: {error.orig}.",
            "What serves goes on serving. Check its file, the disk and its server, and try again.",
        )


def of_key(table: sa.Table) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The condition that a row belongs to the endpoint that :func:`at` names when the statement is executed.

    With it statements are made once, at import. Making one anew takes SQLAlchemy five times as long as SQLite
    takes to run it, and a switch runs some twenty.
    """
    return table.c.model == sa.bindparam("of_model"), table.c.environment == sa.bindparam("of_environment")


def at(key: EndpointKey) -> dict[str, str]:
    """The values for :func:`of_key`."""
    return {"of_model": key.model, "of_environment": key.environment}


def instant(text: str | None) -> datetime | None:
    """A stored time as an aware UTC datetime."""
    return None if text is None else datetime.fromisoformat(text)


def now_text() -> str:
    """The present as it is stored."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
