"""The journal: one winner among many, a rollback goes first, a late promote is fenced, orphans are aborted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.access import Actor
from core.deploy.database import DeployDatabase, trials
from core.deploy.journal import Intent, Journal, Message
from core.deploy.outbox import Outbox
from core.deploy.store import Store
from core.deploy.trial import Step as TrialStep
from core.deploy.trial import Trial, TrialKind, TrialState
from core.deploy.trial_store import TrialStore
from core.deploy.types import Artifact, EndpointKey, OperationKind, OperationState, Slot, SlotName
from core.errors import Conflict, NotFound
from tests.contract.ledger_store import BACKENDS, fresh_database

KEY = EndpointKey("risk", "production")


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeployDatabase]:
    on_sqlite = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path}/ledger.db"
        if on_sqlite
        else fresh_database(request.getfixturevalue("postgres"))
    )
    database = DeployDatabase(url)
    store = Store(database)
    store.ensure_endpoint(KEY, 18999, "ada")
    for number, name in enumerate(SlotName, 1):
        artifact = Artifact(directory=tmp_path, sha256=f"{number}" * 64, size_bytes=1)
        slot = Slot(name=name, version=number, artifact=artifact, process=None, started_at=datetime.now(UTC))
        store.put_slot(KEY, slot)
    yield database
    database.engine.dispose()


def intent(kind: OperationKind = OperationKind.DEPLOY, version: int = 1, **more: object) -> Intent:
    return Intent(key=KEY, kind=kind, to_version=version, actor="ada", reason="test", **more)


def test_one_of_many_begins(database: DeployDatabase) -> None:
    def begin(_: int) -> str:
        try:
            return Journal(database).begin(intent()).id
        except Conflict:
            return ""

    with ThreadPoolExecutor(8) as pool:
        won = [result for result in pool.map(begin, range(8)) if result]
    assert len(won) == 1


def test_a_second_click_is_told_who_was_first_though_live_is_the_same(database: DeployDatabase) -> None:
    """Ending a canary by a rollback leaves live as it was: the expected version alone tells two clicks not apart."""
    journal, click = Journal(database), intent(OperationKind.ROLLBACK, once=True)
    journal.finish(journal.begin(click), OperationState.DONE, "v1 serves again.")
    with pytest.raises(Conflict, match=r"Already done by ada \d s ago: v1 is live"):
        journal.begin(click)
    with pytest.raises(Conflict, match="Already done"):
        journal.refuse_again(KEY)
    assert journal.begin(replace(click, once=False)).state is OperationState.RUNNING


def test_a_first_version_is_first_or_not_at_all(database: DeployDatabase) -> None:
    """Two people deploy where nothing serves: the second plan was made for an empty place."""
    journal = Journal(database)
    first = journal.begin(intent(expects=0))
    journal.decide(first, live=SlotName.A, previous=None, weights={SlotName.A: 1})
    journal.finish(first, OperationState.DONE, "done")
    with pytest.raises(Conflict, match=r"v1 is live in production, deployed by ada .*; nothing was expected"):
        journal.begin(intent(version=2, expects=0))


def test_an_open_trial_is_the_newest_whatever_the_clock_said(database: DeployDatabase) -> None:
    """The clock was set back between two trials: the page showed the one that is over and no way to end the other."""
    now, store = datetime.now(UTC), TrialStore(database)
    over = Trial(
        id="t-1", key=KEY, kind=TrialKind.CANARY, state=TrialState.ABORTED, live=1, candidate=2, shares=(10,),
        past=(TrialStep(share=10, since=now),), baseline={}, started_at=now, by=Actor("ada"), ended_at=now,
    )  # fmt: skip
    store.add(over)
    runs = replace(
        over, id="t-2", state=TrialState.RUNNING, started_at=now - timedelta(hours=2), ended_at=None
    )
    store.add(runs)
    assert store.last(KEY) == store.of(KEY) == runs


def test_nothing_is_done_where_nothing_was_ever_deployed(database: DeployDatabase) -> None:
    elsewhere = replace(intent(), key=EndpointKey("other", "staging"))
    with pytest.raises(NotFound, match="Nothing was ever deployed at other/staging"):
        Journal(database).begin(elsewhere)


def test_a_database_from_before_there_were_trials_has_none(database: DeployDatabase) -> None:
    with database.writing() as connection:
        trials.drop(connection)
    older = DeployDatabase(database.url)
    assert TrialStore(older).of(KEY) is None
    assert TrialStore(older).open_trials() == ()


def test_a_rollback_takes_over_and_the_late_promote_changes_nothing(database: DeployDatabase) -> None:
    journal, store = Journal(database), Store(database)
    first = journal.begin(intent(version=1))
    journal.decide(first, live=SlotName.A, previous=None, weights={SlotName.A: 100})
    journal.finish(first, OperationState.DONE, "")
    late = journal.begin(intent(version=2))
    back = journal.begin(intent(OperationKind.ROLLBACK, version=3))
    journal.decide(back, live=SlotName.C, previous=None, weights={SlotName.C: 100})
    with pytest.raises(Conflict, match="rollback of risk/production took over"):
        journal.decide(late, live=SlotName.B, previous=SlotName.A, weights={SlotName.B: 100})
    assert store.endpoint(KEY).live_version == 3
    assert journal.operation(late.id).state is OperationState.PREEMPTED
    with pytest.raises(Conflict, match="started a rollback"):
        journal.begin(intent(OperationKind.ROLLBACK, version=1))


def test_what_was_taken_back_is_no_good_target(database: DeployDatabase) -> None:
    journal, store = Journal(database), Store(database)
    moves = (("a", OperationKind.DEPLOY), ("b", OperationKind.DEPLOY), ("a", OperationKind.ROLLBACK))
    for name, kind in moves:
        slot = SlotName(name)
        operation = journal.begin(intent(kind, version=1 + "ab".index(name)))
        journal.decide(operation, live=slot, previous=None, weights={slot: 100})
        journal.finish(operation, OperationState.DONE, "")
    assert [(stretch.version, stretch.good) for stretch in store.served(KEY)] == [
        (1, True),
        (2, False),
        (1, True),
    ]


def test_a_switch_that_did_not_hold_is_withdrawn_with_its_messages(database: DeployDatabase) -> None:
    journal, store = Journal(database), Store(database)
    operation = journal.begin(intent(version=1))
    before = store.endpoint(KEY)
    told = (Message("alias", {"alias": "champion", "version": 1}),)
    journal.decide(operation, live=SlotName.A, previous=None, weights={SlotName.A: 100}, messages=told)
    journal.withdraw(operation, before)
    assert store.endpoint(KEY).live is None and store.served(KEY) == ()
    assert Outbox(database).pending() == ()


def test_an_operation_whose_process_died_is_aborted(database: DeployDatabase) -> None:
    url = database.url.render_as_string(hide_password=False)
    code = (
        "from core.deploy.database import DeployDatabase; from core.deploy.journal import Journal, Intent\n"
        "from core.deploy.types import EndpointKey, OperationKind\n"
        f"Journal(DeployDatabase({url!r})).begin("
        "Intent(key=EndpointKey('risk', 'production'), kind=OperationKind.DEPLOY, to_version=2, "
        "actor='bob', reason=''))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=60)
    (orphan,) = Journal(database).abort_orphans()
    assert orphan.actor == "bob"
    assert Journal(database).operation(orphan.id).state is OperationState.ABORTED
    assert Journal(database).begin(intent()).state is OperationState.RUNNING
