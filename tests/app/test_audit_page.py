"""The Audit page without a browser: the chain checked on real ledgers, and who may do what."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from core.audit.access_review import access_review
from core.audit.coverage import COVERAGE
from core.ledger.events import kinds
from core.workspace import Workspace
from dashboard.services import forget
from tests.app.test_registry_page import promote, visit, words, ws  # noqa: F401
from tests.deploy_workspace import MODEL


def button(app, label: str):
    return next(item for item in app.button if item.label == label)


def test_an_empty_ledger_says_so(ws: Workspace) -> None:  # noqa: F811
    app = visit("audit")
    assert "the chain begins with the first decision" in words(app)
    assert button(app, "Verify the chain").disabled


def test_one_click_checks_the_chain_and_says_so_in_a_sentence(ws: Workspace) -> None:  # noqa: F811
    promote(ws, 2)
    app = visit("audit")
    button(app, "Verify the chain").click().run()
    assert not app.exception
    assert "All 2 events are in order (no anchor given: a cut tail would not show)." in words(app)
    with ws.ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        connection.execute(
            sa.text("UPDATE ledger_events SET payload = replace(payload, 'better', 'worse') WHERE seq = 1")
        )
    button(app, "Verify the chain").click().run()
    assert "tampered with or damaged" in words(app) and "Event 1 was changed" in words(app)


def test_who_may_do_what_is_listed_with_the_last_use(ws: Workspace) -> None:  # noqa: F811
    promote(ws, 2)
    rows = visit("audit", model=MODEL).dataframe[0].value
    mine = rows[rows["Environment"] == "production"].iloc[0]
    assert mine["Promote"].startswith("● 20") and mine["Roll back"] == "● may"
    assert "approves and promotes" in mine["Look at"]


@pytest.mark.parametrize("tab", ["What is recorded", "Events"])
def test_each_tab_opens_from_its_address(ws: Workspace, tab: str) -> None:  # noqa: F811
    promote(ws, 2)
    app = visit("audit", show=tab)
    shown = app.dataframe[0].value if app.dataframe else app.table[0].value
    assert len(shown) >= 2


def test_the_model_inventory_counts_what_nobody_told(ws: Workspace) -> None:  # noqa: F811
    from core.registry.inventory import inventory

    app = visit("overview")
    assert "5 answers of the model inventory are missing" in words(app)
    assert "lacks owner, deputy, intended use, risk tier, review trigger" in words(app)
    client = store_client(ws)
    for tag in ("owner", "deputy", "card.intended_use", "risk_tier"):
        client.set_registered_model_tag(MODEL, tag, "told")
    forget()
    assert "1 answer of the model inventory is missing" in words(visit("overview"))
    assert inventory(ws)[MODEL]["review trigger"] == "" and inventory(ws)[MODEL]["owner"] == "told"


def store_client(ws: Workspace):  # noqa: F811
    from mlflow.tracking import MlflowClient

    return MlflowClient(ws.settings.tracking_uri, ws.settings.registry_uri)


def test_the_coverage_names_every_kind_of_event_once() -> None:
    named = [kind for line in COVERAGE for kind in line.kinds]
    assert sorted(named) == sorted(kinds())


def test_a_right_that_is_gone_is_pointed_out(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from core.ledger.events import DeputyNamed
    from tests.contract.registry_desk import GRANTS, LEAD, new_desk

    desk = new_desk(tmp_path)
    desk.promote(2)
    later = datetime(2090, 1, 1, tzinfo=UTC)
    desk.ws.ledger.append(DeputyNamed(deputy="vera", principal="lead", until=later), LEAD)
    access = desk.ws.settings.access
    left = access.model_copy(update={"grants": tuple(item for item in GRANTS if item.user != "opal")})
    rows = {row.person.name: row for row in access_review(desk.again(access=left).ws, datetime.now(UTC)).rows
            if row.environment == "production"}  # fmt: skip
    assert "no right any more to promote" in rows["opal"].note and not any(rows["opal"].rights.values())
    assert rows["vera"].rights["approve"] and rows["vera"].note.startswith("as deputy of lead")
    assert "rina" not in rows
