"""What a ledger promises, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.access import Actor
from core.errors import Conflict, Unavailable
from core.ledger.events import Commented, FreezeSet, Promoted
from core.ledger.store import Ledger
from core.ledger.types import Anchor, ProblemKind
from tests.contract.ledger_store import ANA, Store


def kinds_found(store: Store, anchor: Anchor | None = None) -> list[tuple[int, ProblemKind]]:
    return [(problem.seq, problem.kind) for problem in Ledger(store.url).verify(anchor).problems]


def test_looking_at_an_absent_ledger_creates_nothing(store, tmp_path):
    assert store.ledger.records() == ()
    assert store.ledger.head().events == 0
    assert store.ledger.verify().ok
    assert list(tmp_path.iterdir()) == []


def test_an_event_comes_back_as_it_was(store):
    event = Promoted(
        model="risk/'\"🫀" + "x" * 500,
        environment="production",
        reason="better\nby 0.02",
        operation_id="op",
        from_version=7,
        to_version=8,
        seconds={"switch": 0.5},
        steps=("alias moved",),
    )
    written = store.ledger.append(event, Actor("eve", "Eve", "demo", demo=True))
    (read,) = Ledger(store.url).records()
    assert read == written
    assert read.event == event
    assert (read.seq, read.actor.printed_name, read.reason) == (1, "Eve (demo user)", "better\nby 0.02")
    assert read.at.utcoffset() == timedelta(0)


def test_records_can_be_narrowed(store):
    store.ledger.append(FreezeSet(model="a", environment="production"), ANA)
    store.ledger.append(Commented(model="b", request_id="r"), ANA)
    assert [record.seq for record in store.ledger.records(model="b")] == [2]
    assert [record.seq for record in store.ledger.records(kinds=("freeze_set",))] == [1]
    assert [record.seq for record in store.ledger.records(after=1)] == [2]
    assert store.ledger.records(until=datetime.now(UTC) - timedelta(days=1)) == ()
    assert len(store.ledger.records(since=datetime.now(UTC) - timedelta(days=1))) == 2


def test_a_repeated_key_gives_the_first_record(store):
    first = store.ledger.append(FreezeSet(model="a"), ANA, key="k")
    assert store.ledger.append(FreezeSet(model="other"), ANA, key="k") == first
    assert store.ledger.by_key("k") == first
    assert store.ledger.by_key("unknown") is None
    assert store.ledger.head().events == 1


@pytest.mark.parametrize("statement", ["UPDATE ledger_events SET model = 'x'", "DELETE FROM ledger_events"])
def test_the_application_cannot_change_or_delete(store, statement):
    store.fill(2)
    with pytest.raises(DBAPIError, match="only grows"), store.ledger.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert store.ledger.verify().events == 2


def test_the_application_cannot_replace_or_truncate(store):
    store.fill(2)
    statement = "TRUNCATE ledger_events"
    if store.ledger.database.is_sqlite:
        statement = "INSERT OR REPLACE INTO ledger_events SELECT * FROM ledger_events WHERE seq = 1"
    with pytest.raises(DBAPIError, match="only grows"), store.ledger.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("row", [1, 3, 5])
@pytest.mark.parametrize("column", ["at", "kind", "model", "environment", "actor", "payload"])
def test_one_changed_byte_names_its_row(store, row, column):
    store.fill(5)
    store.tamper(f"UPDATE ledger_events SET {column} = {column} || ' ' WHERE seq = {row}")
    assert kinds_found(store) == [(row, ProblemKind.CHANGED)]


def test_swapped_removed_and_inserted_rows_are_named(store):
    store.fill(6)
    move = "UPDATE ledger_events SET seq = {} WHERE seq = {}"
    store.tamper(move.format(100, 2), move.format(2, 4), move.format(4, 100))
    assert kinds_found(store) == [(2, ProblemKind.SWAPPED), (4, ProblemKind.SWAPPED)]
    store.tamper(move.format(100, 2), move.format(2, 4), move.format(4, 100))
    assert kinds_found(store) == []
    store.tamper("DELETE FROM ledger_events WHERE seq = 3")
    assert kinds_found(store) == [(3, ProblemKind.REMOVED)]


def test_a_row_rewritten_with_its_hash_is_named_by_the_next(store, tmp_path):
    store.fill(4)
    forged = Ledger(f"sqlite:///{tmp_path}/forged.db")
    forged.append(Commented(model="m", request_id="r", reason="forged"), ANA)
    fake = forged.records()[0]
    columns = (
        f'at = \'{fake.at:%Y-%m-%dT%H:%M:%S.%fZ}\', payload = \'{{"reason":"forged","request_id":"r"}}\''
    )
    store.tamper(f"UPDATE ledger_events SET {columns}, hash = '{fake.hash}' WHERE seq = 1")
    assert kinds_found(store) == [(1, ProblemKind.BROKEN_LINK)]


def test_only_the_anchor_shows_a_cut_tail_or_a_rebuilt_chain(store, tmp_path):
    store.fill(5)
    anchor = store.ledger.anchor()
    assert kinds_found(store, anchor) == []
    store.tamper("DELETE FROM ledger_events WHERE seq = 5")
    assert kinds_found(store) == []
    assert kinds_found(store, anchor) == [(5, ProblemKind.CUT_TAIL)]
    rebuilt = Store(Ledger(f"sqlite:///{tmp_path}/rebuilt.db"), f"sqlite:///{tmp_path}/rebuilt.db")
    rebuilt.fill(6)
    assert kinds_found(rebuilt) == []
    assert kinds_found(rebuilt, anchor) == [(5, ProblemKind.REBUILT)]


def test_an_anchor_over_an_emptied_ledger(store):
    store.fill(3)
    anchor = store.ledger.anchor()
    store.tamper("DELETE FROM ledger_events")
    assert kinds_found(store, anchor) == [(1, ProblemKind.CUT_TAIL)]


def test_a_clock_that_goes_back_is_noticed_but_nothing_is_lost(store):
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    ledger = Ledger(store.url, clock=lambda: next(times))
    ledger.append(FreezeSet(model="a"), ANA)
    ledger.append(FreezeSet(model="a"), ANA)
    outcome = ledger.verify()
    assert outcome.ok
    assert "clock went back before event 2" in outcome.notices[0]


def _append_many(url: str, worker: int) -> None:
    ledger = Ledger(url)
    for number in range(50):
        ledger.append(Commented(model=f"m{worker}", request_id="r", reason=str(number)), Actor(f"w{worker}"))


def test_twenty_processes_append_without_gaps(store):
    context = multiprocessing.get_context("forkserver")
    # Imported once for all of them; each still opens the database by itself.
    context.set_forkserver_preload([__name__])
    workers = [context.Process(target=_append_many, args=(store.url, number)) for number in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(180)
    assert [worker.exitcode for worker in workers] == [0] * 20
    assert [record.seq for record in store.ledger.records()] == list(range(1, 1001))
    assert store.ledger.verify().ok


def test_one_at_a_time_under_a_name(store):
    store.fill(1)
    other = Ledger(store.url)
    with store.ledger.exclusive("model m"):
        with pytest.raises(Conflict), other.exclusive("model m", wait_s=0.1):
            pytest.fail("two at once")
        with other.exclusive("another model", wait_s=5):
            pass
    with other.exclusive("model m", wait_s=1):
        pass


def test_a_ledger_of_a_newer_version_is_left_alone(store):
    store.fill(1)
    store.tamper("UPDATE ledger_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="newer Model Desk"):
        Ledger(store.url).records()
    with pytest.raises(Unavailable, match="newer Model Desk"):
        Ledger(store.url).append(FreezeSet(), ANA)


def test_the_schema_matches_its_migrations(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from core.ledger import schema

    store.fill(1)
    with store.ledger.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        differences = [
            change for change in compare_metadata(context, schema.metadata) if change[0] != "remove_index"
        ]
        assert differences == []
        assert sa.inspect(connection).has_table("ledger_events")
        assert schema.version_of(connection) == schema.HEAD
