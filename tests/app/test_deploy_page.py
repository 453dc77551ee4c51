"""The Deploy page without a browser: empty, with an alias alone, with a rollback, and with MLflow down."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.workspace import Workspace
from tests.deploy_workspace import MODEL, make_workspace

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    ws = make_workspace(tmp_path, engine="none")
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    return ws


def open_page() -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("app_pages/deploy.py")
    return app.run()


def words(app: AppTest) -> str:
    return "\n".join(item.value for item in (*app.markdown, *app.caption, *app.success, *app.error))


def deploy(app: AppTest, version: int) -> AppTest:
    app.selectbox(key=f"version_{MODEL}").set_value(version).run()
    app.button(key="open_deploy").click().run()
    return app.button(key="confirm_deploy").click().run()


def test_before_anything_was_decided(ws: Workspace) -> None:
    app = open_page()
    assert not app.exception
    assert "nothing to roll back to" in words(app)
    assert app.button(key="open_rollback").disabled


def test_deploy_twice_and_roll_back(ws: Workspace) -> None:
    app = deploy(open_page(), 1)
    assert "is v1, confirmed by reading it back" in words(app)
    app = deploy(app, 2)
    assert ws.registry.model(MODEL).aliases["champion"] == 2
    assert app.button(key="open_rollback").label == "Roll back to v1"
    app.button(key="open_rollback").click().run()
    app.button(key="confirm_rollback").click().run()
    assert not app.exception
    assert ws.registry.model(MODEL).aliases["champion"] == 1
    assert "v1 live" in words(app)
    assert [record.kind for record in ws.ledger.records(kinds=("rolled_back", "freeze_set"))] == [
        "rolled_back",
        "freeze_set",
    ]


def test_mlflow_down_shows_the_last_known_state(ws: Workspace) -> None:
    deploy(open_page(), 1)
    (ws.root / "mlflow" / "mlflow.db").rename(ws.root / "mlflow" / "away.db")
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    app = open_page()
    assert not app.exception
    assert "last known state" in words(app)
    assert "v1 live" in words(app)


def test_freezing_and_lifting_from_the_page(ws: Workspace) -> None:
    app = deploy(open_page(), 1)
    app.button(key="open_freeze").click().run()
    app.button(key="confirm_reasoned").click().run()
    assert "Say why" in words(app), "without a reason nothing is done, and the dialog stays"
    app.text_input(key="reasoned_reason").set_value("audit week").run()
    app.button(key="confirm_reasoned").click().run()
    assert ws.ledger.state().freeze(MODEL, "production").reason == "audit week"
    assert app.button(key="open_deploy").disabled is False and "audit week" in words(app)
    app.button(key="open_lift").click().run()
    app.text_input(key="reasoned_reason").set_value("it is over").run()
    app.button(key="confirm_reasoned").click().run()
    assert "are possible again" in words(app)
    assert ws.ledger.state().freeze(MODEL, "production") is None


def test_a_freeze_that_nobody_looked_at_is_not_lifted(ws: Workspace) -> None:
    """The dialog was opened about one freeze; meanwhile it was lifted, and a colleague set another."""
    from core.access import local_actor
    from core.registry import freezes

    me, place = local_actor(ws.settings), (MODEL, "production")
    freezes.freeze(ws, *place, me, "audit week")
    app = open_page()
    app.button(key="open_lift").click().run()
    freezes.lift(ws, *place, me, "it is over")
    freezes.freeze(ws, *place, me, "sensitivity fell")
    app.text_input(key="reasoned_reason").set_value("the audit is over").run()
    app.button(key="confirm_reasoned").click().run()
    assert "has frozen biopsy in production meanwhile: sensitivity fell" in words(app)
    assert ws.ledger.state().freeze(*place).reason == "sensitivity fell"


def test_who_may_not_is_told_before_the_dialog(ws: Workspace) -> None:
    """A button that only says no after a reason was typed costs the minute that somebody on call has not got."""
    with (ws.root / "modeldesk.toml").open("a") as settings:
        settings.write(
            '[[access.users]]\nname = "vic"\ndisplay_name = "Vic"\ndemo = true\n'
            '[[access.grants]]\nuser = "vic"\nrole = "viewer"\n'
        )
    app = deploy(deploy(open_page(), 1), 2)
    app.selectbox(key="act_as").set_value("vic").run()
    for key in ("open_rollback", "open_deploy", "open_freeze"):
        assert app.button(key=key).disabled, key
    assert words(app).count("has the role viewer") == 2, "said without hovering, which no phone can"
    assert not app.exception


def test_what_is_live_is_never_of_before_a_switch_elsewhere(ws: Workspace) -> None:
    """Two people on call: the page may not offer a way back from a version that the other one has replaced."""
    from core.access import local_actor
    from core.deploy import release

    me = local_actor(ws.settings)
    for version in (1, 2):
        release.carry_out(ws, release.plan_deploy(ws, MODEL, version, "production"), me, "better")
    app = open_page()
    assert "v2 live" in words(app)
    release.carry_out(ws, release.plan_rollback(ws, MODEL, "production"), me, "scores drifted")
    app.run()
    assert "v1 live" in words(app)
    assert "v2 live" not in words(app)


def test_a_trial_is_acted_on_as_it_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialog said 25 %; meanwhile the rules had gone to 25 %, and the click would have gone to 50 %."""
    from core.access import local_actor
    from core.deploy import release, trials
    from core.deploy.trial import TrialState, canary
    from tests import cheap_workspace as cheap

    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    with cheap.cheap_workspace(tmp_path, versions=2) as ws:
        cheap.ship(ws, 1)
        me, store = local_actor(ws.settings), trials.store_of(ws.deployments)
        release.carry_out(
            ws, release.plan_deploy(ws, cheap.MODEL, 2, "production", trial=canary(10)), me, "is it safe?"
        )
        app = open_page()
        app.button(key="trial_advance").click().run()
        assert "Canary of risk in production: v2 beside v1" in words(app)
        trials.advance(ws.deployments, store.needed(cheap.KEY), me)
        app.button(key="confirm_reasoned").click().run()
        assert "moved on meanwhile: the canary of v2 is running at 25 %" in words(app)
        assert store.needed(cheap.KEY).share == 25 and app.button(key="trial_advance").label == "Go to 50 %"
        app.button(key="trial_pause").click().run()
        app.text_input(key="reasoned_reason").set_value("the ward asks to wait").run()
        app.button(key="confirm_reasoned").click().run()
        assert store.needed(cheap.KEY).state is TrialState.PAUSED
        assert "**Paused:** the ward asks to wait" in words(app), (
            "in sight: no phone shows what a pointer would"
        )
        app.button(key="trial_abort").click().run()
        app.button(key="confirm_reasoned").click().run()
        assert "Say why" in words(app) and store.needed(cheap.KEY).open
        app.text_input(key="reasoned_reason").set_value("odd scores").run()
        app.button(key="confirm_reasoned").click().run()
        assert store.of(cheap.KEY) is None and cheap.says(ws) == 1
        assert "**Last canary:** v2 beside v1, aborted" in words(app) and not app.exception


def test_a_models_name_is_no_markdown() -> None:
    from core.deploy.release import ReleasePlan
    from dashboard.parts.release import plan_line

    plan = ReleasePlan(
        verb="deploy", model="a*b*[c](d) $e$", environment="production", from_version=1, to_version=2, steps=(),
        inner=None,
    )  # fmt: skip
    assert plan_line(plan) == r"**Deploy a\*b\*\[c\]\(d\) \$e\$ in production: v1 → v2**"
