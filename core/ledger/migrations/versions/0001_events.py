"""Events that can only be added, and the signers' passphrase hashes.

Triggers refuse UPDATE and DELETE (on SQLite also INSERT OR REPLACE, on PostgreSQL also TRUNCATE) even to the
application's own connection. On PostgreSQL let the application connect as a role that cannot drop them (see
GRANTS in core/ledger/schema.py, and the README).
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SQLITE = (
    """CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_events
       BEGIN SELECT RAISE(ABORT, 'the ledger only grows: UPDATE refused'); END""",
    """CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_events
       BEGIN SELECT RAISE(ABORT, 'the ledger only grows: DELETE refused'); END""",
    """CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger_events
       WHEN EXISTS (SELECT 1 FROM ledger_events WHERE seq = NEW.seq OR key = NEW.key)
       BEGIN SELECT RAISE(ABORT, 'the ledger only grows: REPLACE refused'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the ledger only grows: % refused', TG_OP; END $$""",
    """CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger_events
       FOR EACH ROW EXECUTE FUNCTION ledger_refuse()""",
    """CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger_events
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
)


def upgrade() -> None:
    """Create the tables, their indexes and the triggers."""
    op.create_table(
        "ledger_events",
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
    op.create_index("ledger_events_model", "ledger_events", ["model", "seq"])
    op.create_index("ledger_events_kind", "ledger_events", ["kind", "seq"])
    op.create_table(
        "ledger_signers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("passphrase_hash", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("locked_until", sa.Text),
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
