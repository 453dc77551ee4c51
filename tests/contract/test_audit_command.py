"""C10 and the ledger's promises from outside: every tampering ends the command with exit 8; roles; a full disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from core.access import Actor
from core.cli.main import app
from core.errors import Unavailable
from core.ledger import schema
from core.ledger.events import Commented, FreezeSet
from core.ledger.store import Ledger
from tests.contract.ledger_store import ANA, Store, fresh_database

ROOT = Path(__file__).parents[2]
MOVE = "UPDATE ledger_events SET seq = {} WHERE seq = {}"
TAMPERINGS = {
    "changed": ["UPDATE ledger_events SET payload = replace(payload, 'remark 2', 'remark 9') WHERE seq = 3"],
    "swapped": [MOVE.format(100, 2), MOVE.format(2, 4), MOVE.format(4, 100)],
    "removed": ["DELETE FROM ledger_events WHERE seq = 3"],
    "cut tail": ["DELETE FROM ledger_events WHERE seq > 4"],
    "emptied": ["DELETE FROM ledger_events"],
}


def core(*words: str, workspace: Path) -> tuple[int, dict[str, Any]]:
    """The command's exit code and what it printed."""
    done = CliRunner().invoke(app, [*words, "--workspace", str(workspace), "--output", "json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def kept(store: Store, tmp_path: Path) -> Iterator[tuple[Store, Path]]:
    """Six events, an anchor written by the command, and a workspace on them."""
    store.fill(6)
    (tmp_path / "modeldesk.toml").write_text(f'[ledger]\nurl = "{store.url}"\n')
    written = core("audit", "anchor", "--out", str(tmp_path / "anchor.json"), workspace=tmp_path)
    assert written[0] == 0 and written[1]["events"] == 6
    yield store, tmp_path


def test_the_command_finds_every_tampering(kept):
    store, folder = kept
    anchor = ("--anchor", str(folder / "anchor.json"))
    assert core("audit", "verify", *anchor, workspace=folder)[0] == 0
    with store.ledger.database.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(*schema.events.c))]
    for name, statements in TAMPERINGS.items():
        store.tamper(*statements)
        code, found = core("audit", "verify", *anchor, workspace=folder)
        kinds = {problem["kind"] for problem in found["problems"]}
        assert (code, kinds) == (8, {"cut tail" if name == "emptied" else name}), name
        _put_back(store, rows)
    assert core("audit", "verify", *anchor, workspace=folder)[0] == 0


def test_the_command_finds_a_chain_that_was_built_anew(kept, tmp_path_factory):
    store, folder = kept
    other = Ledger(f"sqlite:///{tmp_path_factory.mktemp('other')}/ledger.db")
    for number in range(7):
        other.append(Commented(model="m", request_id="r", reason=f"remark {number}"), Actor("mallory"))
    with other.database.engine.connect() as connection:
        _put_back(store, [tuple(row) for row in connection.execute(sa.select(*schema.events.c))])
    assert core("audit", "verify", workspace=folder)[0] == 0, "the chain alone is in order"
    code, found = core("audit", "verify", "--anchor", str(folder / "anchor.json"), workspace=folder)
    assert code == 8 and found["problems"][0]["kind"] == "rebuilt"


def _put_back(store: Store, rows: list[tuple[object, ...]]) -> None:
    store.tamper("DELETE FROM ledger_events")
    with store.ledger.database.engine.begin() as connection:
        names = schema.events.c.keys()
        connection.execute(sa.insert(schema.events), [dict(zip(names, row, strict=True)) for row in rows])


@pytest.mark.postgres
def test_the_documented_role_works_and_cannot_change_what_is_recorded(postgres: str, tmp_path):
    url = fresh_database(postgres)
    owner = Ledger(url)
    owner.append(FreezeSet(model="m"), ANA)
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE model_desk LOGIN")
        for grant in schema.GRANTS:
            assert grant in (ROOT / "README.md").read_text()
            connection.exec_driver_sql(grant)
    mine = sa.make_url(url).set(username="model_desk")
    ledger = Ledger(mine.render_as_string(hide_password=False))
    assert ledger.append(FreezeSet(model="n"), ANA).seq == 2
    assert len(ledger.state().freezes) == 2 and ledger.verify().ok and ledger.rebuild().seq == 2
    for statement in (
        "UPDATE ledger_events SET model = 'x'",
        "DELETE FROM ledger_events",
        "TRUNCATE ledger_events",
        "ALTER TABLE ledger_events DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_no_change ON ledger_events",
        "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
        "UPDATE ledger_version SET version_num = '0'",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):  # noqa: SIM117
            with ledger.database.engine.begin() as connection:
                connection.exec_driver_sql(statement)
    with owner.database.engine.begin() as connection:
        connection.exec_driver_sql("REVOKE INSERT ON ledger_events FROM model_desk")
    with pytest.raises(Unavailable, match="this role has not the rights"):
        ledger.append(FreezeSet(model="o"), ANA)
    ledger.database.engine.dispose()
    owner.database.engine.dispose()


FILL = """
import resource, sys
from core.access import Actor
from core.cli.main import app
from core.errors import Unavailable
from core.ledger.events import Commented
from core.ledger.store import Ledger
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ledger, done = Ledger(sys.argv[1]), 0
for number in range(2000):
    try:
        done = ledger.append(Commented(model="m", request_id="r", reason=str(number) * 200), Actor("ana")).seq
    except Unavailable as error:
        print(done, error)
        sys.exit(0)
sys.exit("the disk never filled up")
"""


@pytest.mark.parametrize("how", ["small disk", "limited file"])
def test_a_disk_that_fills_up_loses_nothing_and_leaves_nothing_half_written(how: str, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = how == "small disk"
    if mounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("this machine does not allow mounts")
    try:
        url, limit = f"sqlite:///{disk}/ledger.db", 0 if mounted else 300_000
        filled = subprocess.run(
            [sys.executable, "-c", FILL, url, str(limit)],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert filled.returncode == 0, filled.stderr
        done, _, said = filled.stdout.partition(" ")
        assert int(done) > 5 and "nothing was recorded" in said, filled.stdout
        if mounted:
            with pytest.raises(OSError) as full:
                (disk / "more").write_bytes(b"x" * 1_000_000)
            assert full.value.errno == errno.ENOSPC
            (disk / "more").unlink(missing_ok=True)
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        ledger = Ledger(url)
        assert ledger.head().events == int(done) and ledger.verify().ok
        assert ledger.append(FreezeSet(model="m"), ANA).seq == int(done) + 1
        assert Ledger(url).state().seq == int(done) + 1 and ledger.verify().ok
        ledger.database.engine.dispose()
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_odd_names_go_through_the_whole_ledger(store: Store):
    name = "a/b\\c \"d\" 'e' 🫀 ; DROP TABLE ledger_events; --" + "x" * 500
    store.ledger.append(FreezeSet(model=name, environment="prod/ução", reason=name), Actor(name, name))
    again = Ledger(store.url)
    assert again.state().freeze(name, "prod/ução").by.name == name
    assert again.records(model=name)[0].reason == name and again.verify().ok
