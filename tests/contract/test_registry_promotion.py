"""Promoting and rolling back by alias, on a real MLflow store and a real ledger."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.access import UNKNOWN
from core.errors import BadInput, Conflict, ModelDeskError, NotFound, Refused, Unavailable
from core.ledger.events import FreezeLifted, OperationStarted
from core.registry.promotion import carry_out, plan_promotion, plan_rollback
from core.registry.standing import detect_outside_moves, repair, standings
from tests.contract.registry_desk import LEAD, OPAL, VERA, DeskSetup, new_desk


@pytest.fixture
def desk(tmp_path) -> DeskSetup:
    return new_desk(tmp_path)


def lift(desk: DeskSetup) -> None:
    desk.ws.ledger.append(FreezeLifted(model="risk", environment="production", reason="fixed"), LEAD)


def test_a_promotion_moves_the_alias_and_is_on_the_record(desk):
    outcome = desk.promote(1)
    assert (outcome.from_version, outcome.to_version, outcome.verified) == (None, 1, True)
    assert desk.champion() == 1
    assert desk.kinds() == ["operation_started", "promoted"]
    event = desk.last()
    assert (event.actor, event.reason, event.model, event.environment) == (
        OPAL,
        "better",
        "risk",
        "production",
    )
    assert event.payload["basis"] == "no policy"
    live = desk.ws.ledger.state().live("risk", "production")
    assert live is not None and (live.version, live.by.name) == (1, "opal")


def test_a_plan_changes_nothing(desk):
    plan = plan_promotion(desk.ws, "risk", 2)
    assert "risk@champion: nothing -> v2" in plan.changes
    assert plan.blocked is None
    assert (desk.champion(), desk.kinds()) == (None, [])


def test_a_repeated_key_gives_the_first_outcome(desk):
    plan = plan_promotion(desk.ws, "risk", 1)
    first = carry_out(desk.ws, plan, OPAL, "better", "k")
    again = carry_out(desk.ws, plan, OPAL, "better", "k")
    assert again.repeated and again.operation_id == first.operation_id
    assert desk.kinds() == ["operation_started", "promoted"]
    with pytest.raises(BadInput, match="key was used before"):
        desk.promote(2, key="k")
    desk.promote(2)
    back = desk.roll_back(key="k")
    assert desk.roll_back(key="k") == replace_repeated(back)
    assert desk.champion() == 1


def replace_repeated(outcome):
    from dataclasses import replace

    return replace(outcome, repeated=True)


def test_a_double_click_and_two_engineers_act_once(desk):
    for version in (1, 2, 3):
        desk.promote(version)
    plan = plan_rollback(desk.ws, "risk")

    def click(key: str) -> str:
        try:
            return "repeated" if carry_out(desk.ws, plan, OPAL, "drift", key).repeated else "done"
        except Conflict as error:
            return error.what

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(click, ["k1", "k1", "k1", "k2", "k2", "k2"]))
    assert answers.count("done") == 1
    assert desk.champion() == 2
    assert desk.kinds().count("rolled_back") == 1
    told = [answer for answer in answers if answer.startswith("Already done by Opal Operator")]
    assert told and all("s ago" in answer for answer in told)
    assert answers.count("repeated") + len(told) == 5


def test_a_stale_plan_is_refused_and_names_who_was_first(desk):
    desk.promote(1)
    plan = plan_promotion(desk.ws, "risk", 3)
    desk.promote(2)
    with pytest.raises(Conflict, match=r"v2 by now \(promoted by Opal Operator \d s ago\), not v1"):
        carry_out(desk.ws, plan, OPAL, "better")
    assert desk.champion() == 2
    assert desk.last().kind == "action_refused"
    with pytest.raises(Conflict, match="not v1; nothing was changed"):
        plan_promotion(desk.ws, "risk", 3, expect_current=1)


def test_rollback_goes_to_what_really_served(desk):
    desk.promote(3)
    desk.promote(1)
    outcome = desk.roll_back()
    assert (outcome.from_version, outcome.to_version) == (1, 3)
    lift(desk)
    assert plan_rollback(desk.ws, "risk").blocked is not None
    desk.promote(2)
    assert plan_rollback(desk.ws, "risk").to_version == 3


def test_a_version_that_was_taken_back_is_no_target_until_promoted_again(desk):
    for version in (1, 2, 3):
        desk.promote(version)
    desk.roll_back()
    assert plan_rollback(desk.ws, "risk").to_version == 1
    lift(desk)
    desk.promote(3)
    desk.promote(1)
    assert plan_rollback(desk.ws, "risk").to_version == 3


def test_the_next_eligible_target_is_offered_when_files_or_version_are_gone(desk):
    for version in (1, 2, 3):
        desk.promote(version)
    shutil.rmtree(desk.ws.registry.folder("risk", 2))
    plan = plan_rollback(desk.ws, "risk")
    assert plan.to_version == 1
    assert ("v2 files", "FAIL") in [(check.name, check.verdict) for check in plan.checks]
    desk.store.client.delete_model_version("risk", "1")
    plan = plan_rollback(desk.ws, "risk")
    assert plan.to_version is None
    assert plan.blocked is not None and "gone" in plan.blocked.what
    with pytest.raises(Refused):
        carry_out(desk.ws, plan, OPAL, "drift")


def test_without_history_explicit_targets_are_offered(desk):
    desk.store.alias("risk", "champion", 3)
    plan = plan_rollback(desk.ws, "risk")
    assert plan.blocked is not None and "knows of no earlier version" in plan.blocked.what
    assert plan.alternatives == (2, 1)
    assert desk.roll_back(to="1").to_version == 1
    with pytest.raises(NotFound, match="no version 9"):
        plan_rollback(desk.ws, "risk", to="9")
    with pytest.raises(BadInput, match="no version"):
        plan_rollback(desk.ws, "risk", to="newest")


def test_after_a_rollback_promotions_are_frozen_until_lifted(desk):
    desk.promote(1)
    desk.promote(2)
    desk.roll_back()
    assert desk.kinds()[-2:] == ["rolled_back", "freeze_set"]
    plan = plan_promotion(desk.ws, "risk", 3)
    assert isinstance(plan.blocked, Refused)
    with pytest.raises(Refused, match=r"frozen since .* by Opal Operator: rolled back: drift"):
        carry_out(desk.ws, plan, OPAL, "better")
    assert desk.champion() == 1
    staging = plan_promotion(desk.ws, "risk", 3, "staging")
    assert carry_out(desk.ws, staging, OPAL, "try").to_version == 3
    lift(desk)
    assert desk.promote(3).to_version == 3
    (review,) = desk.ws.ledger.state().reviews_due.values()
    assert review.kind == "rolled_back"


def test_a_rollback_needs_a_reason_and_a_right(desk):
    desk.promote(1)
    desk.promote(2)
    plan = plan_rollback(desk.ws, "risk")
    with pytest.raises(BadInput, match="needs a reason"):
        carry_out(desk.ws, plan, OPAL, "  ")
    for actor in (VERA, LEAD):
        with pytest.raises(Refused, match="needs admin or operator"):
            carry_out(desk.ws, plan, actor, "drift")
    assert desk.champion() == 2
    refused = desk.last()
    assert (refused.kind, refused.actor.name, refused.payload["action"]) == (
        "action_refused",
        "lead",
        "rollback",
    )


def test_an_alias_moved_outside_must_be_acknowledged(desk):
    desk.promote(1)
    desk.promote(2)
    desk.store.alias("risk", "champion", 3)
    plan = plan_rollback(desk.ws, "risk")
    assert "the ledger says v2, MLflow says v3" in plan.outside
    with pytest.raises(Conflict, match="moved outside"):
        carry_out(desk.ws, plan, OPAL, "drift")
    assert carry_out(desk.ws, plan, OPAL, "drift", acknowledged=True).to_version == 1
    found = desk.ws.ledger.records(kinds=("alias_moved_outside",))
    assert [(record.actor, record.payload["to_version"]) for record in found] == [(UNKNOWN, 3)]


@pytest.mark.parametrize("moved", [False, True])
def test_a_crash_between_intent_and_outcome_is_finished_by_the_same_key(desk, moved):
    intent = OperationStarted(
        model="risk",
        environment="production",
        operation_id="op",
        verb="promote",
        from_version=None,
        to_version=2,
        alias="champion",
    )
    desk.ws.ledger.append(intent, OPAL, key="promote:k")
    plan = plan_promotion(desk.ws, "risk", 2)
    if moved:
        desk.store.alias("risk", "champion", 2)
    assert list(desk.ws.ledger.state().unfinished) == ["op"]
    outcome = carry_out(desk.ws, plan, OPAL, "better", "k")
    assert (outcome.operation_id, outcome.repeated, desk.champion()) == ("op", False, 2)
    assert desk.ws.ledger.state().unfinished == {}


def test_a_failure_while_moving_leaves_all_as_it_was(desk, monkeypatch):
    desk.promote(1)
    monkeypatch.setattr(desk.ws.registry, "_write_alias", _broken)
    with pytest.raises(Unavailable):
        desk.promote(2, key="k")
    assert desk.champion() == 1
    assert desk.last().kind == "operation_failed"
    assert desk.last().payload["live_version"] == 1
    monkeypatch.undo()
    assert desk.promote(2, key="k").to_version == 2


def _broken(model: str, alias: str, version: int) -> None:
    raise Unavailable("MLflow is gone.")


def test_a_failed_version_is_not_promoted_to_an_unknown_environment(desk):
    with pytest.raises(BadInput, match="no environment 'prod'"):
        plan_promotion(desk.ws, "risk", 1, "prod")
    with pytest.raises(ModelDeskError, match="no version 9"):
        plan_promotion(desk.ws, "risk", 9)


def test_an_alias_deleted_outside_is_seen_and_put_back(desk):
    desk.promote(2)
    desk.store.client.delete_registered_model_alias("risk", "champion")
    (found,) = standings(desk.ws, "risk")
    assert not found.in_sync and found.alias_version is None
    (record,) = detect_outside_moves(desk.ws, (found,))
    assert (record.payload["from_version"], record.payload["to_version"]) == (2, None)
    assert record.actor.name == "unknown"
    with pytest.raises(BadInput, match="nothing to accept"):
        repair(desk.ws, "risk", "production", OPAL, "so be it", accept=True)
    repair(desk.ws, "risk", "production", OPAL, "deleted by hand")
    assert desk.champion() == 2
    (found,) = standings(desk.ws, "risk")
    assert found.in_sync
