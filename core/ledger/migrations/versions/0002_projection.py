"""The state that follows from the events, kept beside them so that it need not be worked out on each start.

It is written in the transaction that appends an event, checked by `audit verify` and made anew by `audit rebuild`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table; the next append fills it."""
    op.create_table(
        "ledger_projection",
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
