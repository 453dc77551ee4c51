"""What can happen to a ledger file: a full disk, garbage, no permission; and a chain's arithmetic."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import Actor
from core.errors import BadSettings, Unavailable
from core.ledger.canonical import canonical_json, digest, instant, instant_text
from core.ledger.events import Commented, Event, FreezeSet, kinds, restore
from core.ledger.store import Ledger

ANA = Actor("ana")


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def test_a_full_disk_loses_nothing_and_leaves_nothing_half_written(ledger):
    ledger.append(FreezeSet(model="a"), ANA)
    with ledger.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk is full"):
        ledger.append(Commented(request_id="r", reason="x" * 100_000), ANA)
    assert ledger.verify().events == 1
    with ledger.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert ledger.append(FreezeSet(model="a"), ANA).seq == 2
    assert ledger.verify().ok


def test_a_file_that_is_no_database_is_named_and_untouched(tmp_path):
    file = tmp_path / "ledger.db"
    file.write_bytes(b"not a database at all, but some other file" * 30)
    with pytest.raises(Unavailable, match=r"ledger\.db .* no SQLite database"):
        Ledger(f"sqlite:///{file}").append(FreezeSet(), ANA)
    assert file.read_bytes().startswith(b"not a database")


def test_a_truncated_file_is_noticed(tmp_path, ledger):
    for number in range(300):
        ledger.append(Commented(request_id="r", reason="x" * 500 + str(number)), ANA)
    anchor = ledger.anchor()
    ledger.database.engine.dispose()
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        assert not Ledger(f"sqlite:///{file}").verify(anchor).ok
    except Unavailable as error:
        assert "damaged" in error.what


def test_a_file_that_was_replaced_is_noticed_and_left_alone(tmp_path, ledger):
    """Another file was put under a running process, whose connections still lead to the old one."""
    ledger.append(FreezeSet(model="a"), ANA)
    other = Ledger(f"sqlite:///{tmp_path}/other.db")
    other.append(FreezeSet(model="z"), ANA)
    other.database.engine.dispose()
    (tmp_path / "other.db").replace(tmp_path / "ledger.db")
    before = (tmp_path / "ledger.db").read_bytes()
    for action in (ledger.head, ledger.state, lambda: ledger.append(FreezeSet(model="y"), ANA)):
        with pytest.raises(Unavailable, match="replaced by another file"):
            action()
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_a_file_that_vanished_is_not_begun_anew(tmp_path, ledger):
    ledger.append(FreezeSet(model="a"), ANA)
    (tmp_path / "ledger.db").unlink()
    for action in (ledger.head, lambda: ledger.append(FreezeSet(model="b"), ANA)):
        with pytest.raises(Unavailable, match="has vanished"):
            action()
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_a_ledger_that_cannot_be_kept_is_refused(url):
    with pytest.raises(BadSettings):
        Ledger(url)


def test_a_server_that_is_down_is_named_without_its_password():
    with pytest.raises(Unavailable) as caught:
        Ledger("postgresql://desk:secret@127.0.0.1:1/desk").head()
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5))
def test_the_order_of_keys_does_not_matter(value):
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)
    assert digest(value) == digest(backwards)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_text_order_is_time_order(naive):
    at, later = naive.replace(tzinfo=UTC), datetime(2200, 1, 2, tzinfo=UTC)
    assert instant(instant_text(at)) == at
    assert instant_text(at) < instant_text(later)


def test_every_kind_has_its_own_name_and_a_sentence():
    classes = list(kinds().values())
    assert len({cls.kind for cls in classes}) == len(classes) > 20
    assert all(cls.__doc__ and not cls.__doc__.startswith(cls.__name__ + "(") for cls in classes)


def test_an_event_kind_of_the_future_is_still_readable():
    event = restore("teleported", "m", "production", {"reason": "why not", "speed": 3})
    assert event == Event(model="m", environment="production", reason="why not")
