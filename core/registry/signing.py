"""The passphrase behind a signature: enrolment, checking, and the lock after too many wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.access import LOCAL, Actor
from core.errors import BadInput, Refused
from core.ledger.canonical import instant, instant_text
from core.ledger.events import SignatureFailed, SignerEnrolled
from core.ledger.schema import signers

if TYPE_CHECKING:
    from core.workspace import Workspace

SHORTEST = 12
TRIES = 5
LOCKED_FOR = timedelta(minutes=15)


def is_enrolled(ws: Workspace, name: str) -> bool:
    """Whether the person signs with a passphrase."""
    with ws.ledger.database.reading() as connection:
        if connection is None:
            return False
        return connection.execute(sa.select(signers.c.name).where(signers.c.name == name)).first() is not None


def enrol(ws: Workspace, actor: Actor, passphrase: str, current: str | None = None) -> None:
    """Set the actor's passphrase, or change it when ``current`` is the one in force.

    Raises BadInput for a short one, Refused for a wrong ``current``.
    """
    from argon2 import PasswordHasher

    if len(passphrase) < SHORTEST:
        raise BadInput(
            f"A passphrase has at least {SHORTEST} characters.", "A few words make a good one; paste works."
        )
    if is_enrolled(ws, actor.name):
        authenticate(ws, actor, current)
    values = {"passphrase_hash": PasswordHasher().hash(passphrase), "failures": 0, "locked_until": None}
    with ws.ledger.database.writing() as connection:
        changed = connection.execute(sa.update(signers).where(signers.c.name == actor.name).values(values))
        if not changed.rowcount:
            connection.execute(sa.insert(signers).values(values | {"name": actor.name}))
    ws.ledger.append(SignerEnrolled(signer=actor.name), actor)


def authenticate(ws: Workspace, actor: Actor, passphrase: str | None) -> bool:
    """True for the right passphrase; False for a signer without one in local mode.

    Raises Refused for a wrong or missing passphrase, a locked signer, and for one without a passphrase where
    people sign in.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    if ws.ledger.rehearses:
        return is_enrolled(ws, actor.name)
    now = datetime.now(UTC)
    # The try is counted before it is made, so that tries at the same time cannot all be the first.
    with ws.ledger.database.writing() as connection:
        row = connection.execute(sa.select(signers).where(signers.c.name == actor.name)).first()
        if row is not None and not (row.locked_until and instant(row.locked_until) > now):
            failures = 1 if row.locked_until else row.failures + 1
            lock = instant_text(now + LOCKED_FOR) if failures >= TRIES else None
            _update(connection, actor.name, failures, lock)
    if row is None:
        if ws.settings.access.mode == LOCAL:
            return False
        raise Refused(f"{actor.printed_name} has no passphrase to sign with.", "Set one: `approval enrol`.")
    if row.locked_until and instant(row.locked_until) > now:
        raise Refused(
            f"Signing as {actor.printed_name} is locked until {instant(row.locked_until):%H:%M} UTC after "
            f"{TRIES} wrong passphrases.",
            "Wait, and try again.",
        )
    try:
        PasswordHasher().verify(row.passphrase_hash, passphrase or "")
    except VerificationError as error:
        ws.ledger.append(
            SignatureFailed(signer=actor.name, failures=failures, locked=lock is not None), actor
        )
        left = f"{TRIES - failures} tries are left." if lock is None else "Signing is locked for 15 minutes."
        raise Refused("The passphrase is wrong; nothing was signed.", left) from error
    with ws.ledger.database.writing() as connection:
        _update(connection, actor.name, 0, None)
    return True


def _update(connection: sa.Connection, name: str, failures: int, locked_until: str | None) -> None:
    values = {"failures": failures, "locked_until": locked_until}
    connection.execute(sa.update(signers).where(signers.c.name == name).values(values))
