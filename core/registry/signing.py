"""The passphrase behind a signature: enrolment, checking, and the lock after too many wrong ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.access import LOCAL, Action, Actor, require
from core.errors import BadInput, Refused
from core.ledger.canonical import instant, instant_text
from core.ledger.events import SignatureFailed, SignerEnrolled
from core.ledger.schema import signers

if TYPE_CHECKING:
    from core.workspace import Workspace

SHORTEST = 12
TRIES = 5
LOCKED_FOR = timedelta(minutes=15)
IDLE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SigningSession:
    """A person who gave the passphrase a moment ago: it need not be given again until 15 idle minutes passed.

    ``proof`` is the stored hash that the passphrase matched; another passphrase since then ends the session.
    """

    signer: str
    source: str
    used_at: datetime
    proof: str

    def holds(self, actor: Actor, now: datetime) -> bool:
        """Whether it is this person's and was used within the last 15 minutes."""
        mine = (self.signer, self.source) == (actor.name, actor.source)
        return mine and timedelta() <= now - self.used_at < IDLE


def is_enrolled(ws: Workspace, name: str) -> bool:
    """Whether the person signs with a passphrase."""
    with ws.ledger.database.reading() as connection:
        if connection is None:
            return False
        return connection.execute(sa.select(signers.c.name).where(signers.c.name == name)).first() is not None


def enrol(ws: Workspace, actor: Actor, passphrase: str, current: str | None = None) -> None:
    """Set the actor's passphrase, or change it when ``current`` is the one in force.

    Raises BadInput for a short one, Refused for a wrong ``current`` and for whoever has no role here.
    """
    from argon2 import PasswordHasher

    require(ws.settings, actor, Action.VIEW)
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


def open_session(ws: Workspace, actor: Actor, passphrase: str) -> SigningSession:
    """Check the passphrase and begin a signing session. Raises Refused as :func:`authenticate` does."""
    if not is_enrolled(ws, actor.name):
        raise Refused(f"{actor.printed_name} has no passphrase to sign with.", "Set one first.")
    authenticate(ws, actor, passphrase)
    with ws.ledger.database.reading() as connection:
        assert connection is not None
        row = connection.execute(sa.select(signers).where(signers.c.name == actor.name)).one()
    return SigningSession(actor.name, actor.source, ws.ledger.now(), row.passphrase_hash)


def renewed(ws: Workspace, session: SigningSession) -> SigningSession:
    """The session after it was used just now."""
    return replace(session, used_at=ws.ledger.now())


def authenticate(
    ws: Workspace, actor: Actor, passphrase: str | None, session: SigningSession | None = None
) -> bool:
    """True for the right passphrase or a session that holds; False for a signer without one in local mode.

    Raises Refused for a wrong or missing passphrase, a locked signer, and for one without a passphrase where
    people sign in.
    """
    if session is not None and passphrase is None:
        return _in_session(ws, actor, session)
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    if ws.ledger.rehearses:
        return is_enrolled(ws, actor.name)
    now = ws.ledger.now()
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


def _in_session(ws: Workspace, actor: Actor, session: SigningSession) -> bool:
    now = ws.ledger.now()
    with ws.ledger.database.reading() as connection:
        query = sa.select(signers).where(signers.c.name == actor.name)
        row = None if connection is None else connection.execute(query).first()
    locked = row is not None and row.locked_until and instant(row.locked_until) > now
    if row is None or locked or row.passphrase_hash != session.proof or not session.holds(actor, now):
        raise Refused("The signing session is over; nothing was signed.", "Give your passphrase.")
    return True


def _update(connection: sa.Connection, name: str, failures: int, locked_until: str | None) -> None:
    values = {"failures": failures, "locked_until": locked_until}
    connection.execute(sa.update(signers).where(signers.c.name == name).values(values))
