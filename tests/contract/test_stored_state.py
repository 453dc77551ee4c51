"""The state stored beside the events: always what they tell, whoever wrote it and whatever was done to it."""

from __future__ import annotations

import random
from dataclasses import fields
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from core.access import Actor
from core.cli.main import app
from core.errors import IntegrityFailure
from core.ledger import alert_events as al
from core.ledger import events as ev
from core.ledger import version_events as vs
from core.ledger.projections import PARTS, project
from core.ledger.schema import projection
from core.ledger.state import State
from core.ledger.store import Ledger
from core.ledger.stored import state_problems, stored_state
from core.ledger.types import ProblemKind
from tests.contract.ledger_store import ANA

LATER = datetime(2030, 1, 1, tzinfo=UTC)
EVE = Actor("eve", 'Eve 🫀 "O\'Hara"', "demo", demo=True)


def any_event(draw: random.Random) -> ev.Event:
    """Some event about few models, requests and operations, so that events meet."""
    place = {"model": draw.choice(["a/b", "ö\"'🫀"]), "environment": draw.choice(["production", "staging"])}
    asked = {**place, "request_id": f"req-{draw.randrange(4)}"}
    moved = {
        **place,
        "operation_id": f"op-{draw.randrange(6)}",
        "from_version": 1,
        "to_version": draw.randrange(1, 4),
    }
    alert = {**place, "alert_id": f"al-{draw.randrange(3)}"}
    person = draw.choice(["ana", "ben"])
    return draw.choice(
        [
            lambda: ev.RequestOpened(
                **asked, version=2, run_id=None, run_author="", digest="d", policy_version=1, tier="", needs=1,
                evidence={"metrics": {"auroc": 0.5, "n": 3}, "gates": [{"value": float("nan")}]},
                champion=None, expires_at=LATER, reason="because\n" + "x" * draw.randrange(500),
            ),
            lambda: ev.ApprovalSigned(
                **asked, version=2, digest="d", printed_name="Ana", meaning="yes", authenticated=draw.random() < 0.5
            ),
            lambda: ev.ChangesRequested(**asked, reason="more rows"),
            lambda: ev.GateOverridden(**asked, gate="auroc", digest="d"),
            lambda: ev.RequestRejected(**asked, printed_name="Ana", reason="no"),
            lambda: ev.Commented(**asked, reason="hm"),
            lambda: ev.OperationStarted(**moved, verb="promote", plan={"checks": [1, 2.5, None]}),
            lambda: ev.OperationFailed(**moved, verb="promote", live_version=1, error="x"),
            lambda: ev.Promoted(**moved, request_id=asked["request_id"], seconds={"switch": 1.0}, steps=("a", "b")),
            lambda: ev.RolledBack(**moved, review_due=LATER),
            lambda: ev.RolledBackReviewed(**place, operation_id=moved["operation_id"]),
            lambda: ev.AliasMovedOutside(**place, alias="champion", from_version=1, to_version=None),
            lambda: ev.AliasReconciled(**place, alias="champion", from_version=1, to_version=3, accepted=True),
            lambda: ev.FreezeSet(**place, reason="incident"),
            lambda: ev.FreezeLifted(**place),
            lambda: vs.VersionArchived(model=place["model"], version=draw.randrange(1, 4), reason="old"),
            lambda: vs.VersionRestored(model=place["model"], version=draw.randrange(1, 4), reason="needed"),
            lambda: ev.DeputyNamed(deputy=person, principal="cia", until=LATER),
            lambda: ev.DeputyEnded(deputy=person, principal="cia"),
            lambda: ev.PolicyPublished(policy="p", version=draw.randrange(3), sha256="s", text="tiers: []\n"),
            lambda: al.DriftAlertRaised(**alert, severity="high", summary="moved", details={"psi": 0.3}),
            lambda: al.DriftAlertAcknowledged(**alert),
            lambda: al.DriftAlertSnoozed(**alert, until=LATER),
            lambda: al.DriftAlertResolved(**alert),
            lambda: al.RetrainingRequested(**alert, columns=("age",)),
        ]
    )()  # fmt: skip


def as_stored(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Every stored entry in its order, text for text."""
    columns = (projection.c.part, projection.c.key, projection.c.value)
    query = sa.select(*columns).order_by(projection.c.part, projection.c.seq)
    with ledger.database.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_every_part_of_the_state_is_stored():
    assert {item.name for item in fields(State)} == {*PARTS, "seq"}


@pytest.mark.parametrize("seed", range(3))
def test_following_and_making_anew_give_the_same(store, seed):
    draw = random.Random(seed)
    for number in range(120):
        store.ledger.append(any_event(draw), EVE if number % 3 else ANA)
    told = project(store.ledger.records())
    with store.ledger.database.reading() as connection:
        stored, _ = stored_state(connection)
    assert state_problems(stored, told) == () and stored.seq == told.seq == 120
    assert Ledger(store.url).state() == told == store.ledger.state()
    followed = as_stored(store.ledger)
    assert len(followed) > 10
    store.ledger.rebuild()
    assert as_stored(store.ledger) == followed
    assert store.ledger.verify().ok
    store.ledger.append(any_event(draw), ANA)
    assert Ledger(store.url).state() == project(store.ledger.records())


def test_a_forged_approval_in_the_stored_state_is_found(store):
    asked = {"model": "m", "environment": "production", "request_id": "req-1"}
    store.ledger.append(
        ev.RequestOpened(
            **asked, version=2, run_id=None, run_author="", digest="d", evidence={}, policy_version=None, tier="",
            needs=1, champion=None, expires_at=LATER,
        ),
        ANA,
    )  # fmt: skip
    store.tamper(
        "UPDATE ledger_projection SET value = replace(value, '\"needs\":1', '\"needs\":0') WHERE part = 'requests'"
    )
    (problem,) = Ledger(store.url).verify().problems
    assert problem.kind is ProblemKind.STATE and "requests" in problem.detail
    store.ledger.rebuild()
    assert Ledger(store.url).verify().ok
    store.tamper("UPDATE ledger_projection SET value = '{}' WHERE part = 'requests'")
    assert Ledger(store.url).verify().problems[0].kind is ProblemKind.STATE
    with pytest.raises(IntegrityFailure, match="audit rebuild"):
        Ledger(store.url).state().requests["req-1"].opened  # noqa: B018


def test_what_is_stored_for_other_events_does_not_count(store):
    """A ledger put back from a backup, or rows that came in beside the program."""
    for number in range(5):
        store.ledger.append(ev.FreezeSet(model=f"m{number}"), ANA)
    store.tamper("DELETE FROM ledger_events WHERE seq = 5")
    assert [key[0] for key in Ledger(store.url).state().freezes] == ["m0", "m1", "m2", "m3"]
    Ledger(store.url).append(ev.FreezeLifted(model="m0"), ANA)
    assert [key[0] for key in Ledger(store.url).state().freezes] == ["m1", "m2", "m3"]
    assert Ledger(store.url).verify().ok


def test_a_ledger_from_before_is_read_and_brought_up_by_the_next_write(store):
    store.ledger.append(ev.FreezeSet(model="m"), ANA)
    store.tamper("DROP TABLE ledger_projection", "UPDATE ledger_version SET version_num = '0001'")
    old = Ledger(store.url)
    assert list(old.state().freezes) == [("m", "")] and old.verify().ok
    old.append(ev.FreezeSet(model="n"), ANA)
    assert list(Ledger(store.url).state().freezes) == [("m", ""), ("n", "")]
    assert as_stored(old)


def test_the_command(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.append(ev.FreezeSet(model="m"), ANA)
    with ledger.database.writing() as connection:
        connection.execute(
            sa.update(projection).where(projection.c.part == "freezes").values(key='["x", ""]')
        )
    place = ("--workspace", str(tmp_path))
    assert CliRunner().invoke(app, ["audit", "verify", *place]).exit_code == 8
    assert CliRunner().invoke(app, ["audit", "rebuild", *place]).exit_code == 0
    assert CliRunner().invoke(app, ["audit", "verify", *place]).exit_code == 0
