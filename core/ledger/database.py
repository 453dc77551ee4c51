"""The ledger's database: which URLs it takes, how its tables are made, and what a failure means."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.database import Database
from core.errors import BadSettings, Unavailable
from core.ledger import schema

_CAUSES = (
    ("full", "the disk is full", "Free some space and try again; nothing was recorded."),
    (
        "disk i/o error",
        "the disk does not take what is written",
        "Check its space and health; nothing was recorded.",
    ),
    ("locked", "another process holds it", "Try again; nothing was recorded."),
    ("readonly", "it is read-only", "Check the permissions of the file and its folder."),
    ("unable to open", "it cannot be opened", "Check that the folder exists and is writable."),
    ("not a database", "the file is no SQLite database", "Restore it from a backup; it was not touched."),
    ("malformed", "the file is damaged", "Restore it from a backup and run `audit verify --anchor`."),
    ("only grows", "it refuses to change what is recorded", "Record a new event instead."),
    ("permission denied", "this role has not the rights", "Grant them as the README says under 'Ledger'."),
)


class LedgerDatabase(Database):
    """The tables of the ledger, brought up by Alembic on the first write."""

    what = "The ledger"
    lock = "ledger"

    def __init__(self, url: str) -> None:
        super().__init__(sa.make_url(url))
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise BadSettings(
                f"The ledger cannot live in {self.url.get_backend_name()}.",
                "Set [ledger] url in modeldesk.toml to a sqlite:/// or postgresql:// URL.",
            )
        if self.is_sqlite and self.url.database in (None, "", ":memory:"):
            raise BadSettings("A ledger in memory would be forgotten.", "Name a file: sqlite:///ledger.db.")

    def is_readable(self, connection: sa.Connection) -> bool:
        """True for this version's tables and earlier ones."""
        found = schema.version_of(connection)
        if found is not None and found not in schema.VERSIONS:
            raise schema.too_new(found)
        return found is not None

    def is_complete(self, connection: sa.Connection) -> bool:
        """True for this version's tables."""
        return schema.version_of(connection) == schema.HEAD

    def make(self, connection: sa.Connection) -> None:
        """Run the migrations that are missing."""
        schema.upgrade(connection)

    def explained(self, error: DBAPIError) -> Unavailable:
        """Cause and way out, without what the statement held."""
        text = str(error.orig).lower()
        for sign, cause, way_out in _CAUSES:
            if sign in text:
                return Unavailable(f"The ledger at {self.name} did not answer: {cause}.", way_out)
        return Unavailable(
            f"The ledger at {self.name} did not answer ({type(error.orig).__name__}).",
            "Check [ledger] url in modeldesk.toml and that its server runs.",
        )
