"""The first signature of a session asks for the passphrase, the next one after 15 idle minutes asks again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import Refused
from core.registry import approvals
from core.registry.requests import find_request
from core.registry.signing import enrol, open_session, renewed
from tests.contract.registry_desk import CLIN, LEAD, RINA
from tests.contract.test_approvals import WORDS, ruled_desk
from tests.contract.test_groups_and_reminders import CLOCK, Later


def test_a_session_ends_after_15_idle_minutes_and_with_its_passphrase(tmp_path: Path) -> None:
    desk = ruled_desk(tmp_path, needs=2)
    ws, begin = Later(desk.ws.settings), datetime.now(UTC)
    CLOCK[0] = begin
    first, second = (
        approvals.open_request(ws, "risk", version, "production", RINA, "better").request_id
        for version in (2, 3)
    )
    with pytest.raises(Refused, match="passphrase"):
        approvals.approve(ws, first, LEAD)
    session = open_session(ws, LEAD, WORDS)
    CLOCK[0] = begin + timedelta(minutes=14, seconds=59)
    approvals.approve(ws, first, LEAD, session=session)
    (signed,) = find_request(ws, first).signatures
    assert (signed.event.printed_name, signed.at, signed.event.authenticated) == ("Lea Lead", CLOCK[0], True)
    assert signed.event.meaning == "I approve release to production"
    used = renewed(ws, session)
    CLOCK[0] = begin + timedelta(minutes=15)
    with pytest.raises(Refused, match="session is over"):
        approvals.approve(ws, second, LEAD, session=session)
    with pytest.raises(Refused, match="session is over"):
        approvals.approve(ws, first, CLIN, session=used)
    enrol(ws, LEAD, "another long passphrase", WORDS)
    with pytest.raises(Refused, match="session is over"):
        approvals.approve(ws, second, LEAD, session=used)
    assert find_request(ws, second).signatures == ()
