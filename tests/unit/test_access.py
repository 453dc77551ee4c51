"""Who may do what: the table of roles, word for word, and each write of core asked as each role."""

from __future__ import annotations

import getpass

import pytest

from core.access import LOCAL, ROLES, Action, Actor, decide, demo_actor, local_actor, require
from core.errors import BadInput, Refused
from core.settings import AccessSection, GrantSection, Settings, UserSection

READ = {"view"}
ANALYST = READ | {"export", "comment"}
TABLE = {
    "viewer": READ,
    "analyst": ANALYST,
    "contributor": ANALYST | {"register", "request", "run-pipeline", "monitor"},
    "approver": ANALYST
    | {"approve", "name-deputy", "lift-freeze", "review", "override-gate", "archive-version"},
    "operator": ANALYST | {"monitor", "acknowledge", "promote", "deploy", "roll-back", "reconcile", "freeze"},
    "admin": {str(action) for action in Action} - {"approve", "override-gate"},
}
KIM = Actor("kim", "Kim", "oidc")


def settings(tmp_path, mode: str = "oidc", *grants: GrantSection, users: tuple = ()) -> Settings:
    return Settings(root=tmp_path, access=AccessSection(mode=mode, grants=grants, users=users))


def test_the_table_of_roles():
    assert {role: {str(action) for action in actions} for role, actions in ROLES.items()} == TABLE


@pytest.mark.parametrize("role", TABLE)
@pytest.mark.parametrize("action", Action)
def test_each_role_may_do_what_the_table_says(tmp_path, role, action):
    granted = settings(tmp_path, "oidc", GrantSection(user="kim", role=role))
    decision = decide(granted, KIM, action, "risk", "production")
    assert decision.allowed == (action in TABLE[role])
    assert "Kim" in decision.reason and (decision.allowed or role in decision.reason)


def test_without_a_grant_nothing_is_allowed(tmp_path):
    for action in Action:
        assert not decide(settings(tmp_path), KIM, action, "risk", "production").allowed
    with pytest.raises(
        Refused, match=r"Kim has no role for risk in production; 'promote' needs admin or operator"
    ):
        require(settings(tmp_path), KIM, Action.PROMOTE, "risk", "production")


def test_a_grant_holds_for_its_models_and_environments_only(tmp_path):
    grant = GrantSection(user="kim", role="operator", models="risk-*", environments=("staging",))
    granted = settings(tmp_path, "oidc", grant)
    assert decide(granted, KIM, Action.PROMOTE, "risk-a", "staging").allowed
    assert not decide(granted, KIM, Action.PROMOTE, "risk-a", "production").allowed
    assert not decide(granted, KIM, Action.PROMOTE, "Risk-a", "staging").allowed
    assert not decide(granted, Actor("Kim", source="oidc"), Action.PROMOTE, "risk-a", "staging").allowed


def test_the_local_user_is_admin_and_approver_on_this_machine_only(tmp_path):
    local = settings(tmp_path, "local")
    me = local_actor(local)
    assert (me.name, me.source) == (getpass.getuser(), LOCAL)
    assert all(decide(local, me, action).allowed for action in Action)
    served = settings(tmp_path, "proxy")
    assert not any(decide(served, me, action).allowed for action in Action)


def test_a_demo_user_has_what_is_granted_and_is_marked(tmp_path):
    users = (UserSection(name="rev", display_name="Dr. Rev", demo=True), UserSection(name="real"))
    local = settings(tmp_path, "local", GrantSection(user="rev", role="approver"), users=users)
    actor = demo_actor(local, "rev")
    assert actor.printed_name == "Dr. Rev (demo user)"
    assert decide(local, actor, Action.APPROVE).allowed
    assert not decide(local, actor, Action.PROMOTE).allowed
    with pytest.raises(BadInput, match=r"Demo users: rev\."):
        demo_actor(local, "real")
    with pytest.raises(Refused, match="local mode only"):
        demo_actor(settings(tmp_path, "oidc", users=users), "rev")


def test_a_deputy_may_approve_for_an_approver_and_nothing_else(tmp_path):
    granted = settings(tmp_path, "oidc", GrantSection(user="lead", role="approver"))
    assert decide(granted, KIM, Action.APPROVE, stands_in_for=("lead",)).allowed
    assert not decide(granted, KIM, Action.PROMOTE, stands_in_for=("lead",)).allowed
    assert not decide(granted, KIM, Action.APPROVE, stands_in_for=("somebody",)).allowed
