"""What waits for whom, on the overview and in the sidebar: only what this person may act on is theirs."""

from __future__ import annotations

from datetime import UTC, datetime

from core.access import Actor, local_actor
from core.attention import overview
from core.ledger.events import FreezeSet
from core.workspace import Workspace
from dashboard.services import forget
from tests.app.test_registry_page import promote, visit, words, ws  # noqa: F401
from tests.deploy_workspace import MODEL


def test_a_viewer_is_not_told_that_something_waits_for_them(ws: Workspace) -> None:  # noqa: F811
    """An alias to put back and a freeze to lift waited 'for you' whoever looked."""
    promote(ws, 2)
    ws.registry.set_alias(MODEL, "champion", 1, expected=2)
    ws.ledger.append(
        FreezeSet(model=MODEL, environment="production", reason="a look first"), local_actor(ws.settings)
    )
    now = datetime.now(UTC)
    assert all(item.mine for item in overview(ws, local_actor(ws.settings), now).items)
    viewer = overview(ws, Actor("vic", "Vic Viewer", "oidc"), now)
    assert {item.word for item in viewer.items} == {"OUT OF SYNC", "FROZEN"}
    assert not any(item.mine for item in viewer.items)


def test_every_sentence_that_waits_is_shown_whole_and_as_written(ws: Workspace) -> None:  # noqa: F811
    reason = "a *long* look at [every](http://e.example) ward first, " + "and again " * 10
    ws.ledger.append(FreezeSet(model=MODEL, environment="", reason=reason), local_actor(ws.settings))
    forget()
    app = visit("overview")
    assert "Waiting for you (1)" in words(app)
    shown = words(app).replace("\\", "").replace("\u2060", "")
    assert reason.strip() in shown and "[every](" not in words(app)
