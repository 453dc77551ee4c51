"""What a policy can ask beside plain bounds: every subgroup, per-environment rules, reviewed rollbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput, BadSettings, Conflict, Refused
from core.registry import approvals, reviews
from core.registry.policy import SubgroupGate, parse_policy
from core.registry.promotion import carry_out, plan_promotion, plan_rollback
from core.registry.requests import approved_basis
from core.registry.retirement import archive_version, delete_version, restore_version
from core.registry.subgroups import judge_groups, judge_groups_against
from tests.contract.registry_desk import ADAM, CLIN, LEAD, OPAL, RINA, new_desk
from tests.contract.test_approvals import WORDS, ruled_desk


def rows(**share_found: float) -> pd.DataFrame:
    """100 ill and 100 healthy patients a site; of the ill, this share is found."""
    tables = []
    for site, share in share_found.items():
        prediction = np.r_[np.arange(100) < round(100 * share), np.zeros(100, bool)].astype(int)
        label = np.r_[np.ones(100, int), np.zeros(100, int)]
        tables.append(
            pd.DataFrame({"site": site, "label": label, "prediction": prediction, "score": prediction})
        )
    table = pd.concat(tables, ignore_index=True)
    return table.assign(row_id=np.arange(len(table)), patient_id=[f"p{n}" for n in range(len(table))])


def outcomes(gate: SubgroupGate, table: pd.DataFrame | None) -> list[tuple[str, str]] | str:
    found = judge_groups(gate, table)
    return found if isinstance(found, str) else [(group.name, group.outcome) for group in found]


def test_one_group_below_the_bound_fails_however_good_the_others_are() -> None:
    gate = SubgroupGate(metric="sensitivity", by="site", min=0.7)
    assert outcomes(gate, rows(north=0.9, south=0.6)) == [("south", "FAIL"), ("north", "PASS")]
    assert outcomes(gate, rows(north=0.9, south=0.8)) == [("north", "PASS"), ("south", "PASS")]


def test_a_small_group_decides_nothing() -> None:
    gate = SubgroupGate(metric="sensitivity", by="site", min=0.7, rows=50)
    table = pd.concat([rows(north=0.9), rows(south=0.1).head(20)])
    assert outcomes(gate, table) == [("south", "INCONCLUSIVE"), ("north", "PASS")]
    few_ill = pd.concat([rows(north=0.9), rows(south=0.1).iloc[95:]])  # 5 ill among 105
    assert outcomes(gate, few_ill)[0] == ("south", "INCONCLUSIVE")


def test_what_cannot_be_judged_says_why() -> None:
    gate = SubgroupGate(metric="sensitivity", by="site", min=0.7)
    table = rows(north=0.9, south=0.9)
    assert "no per-row" in str(outcomes(gate, None))
    assert "no column 'sex'" in str(outcomes(gate.model_copy(update={"by": "sex"}), table))
    assert "identifier" in str(outcomes(gate.model_copy(update={"by": "patient_id"}), table))
    assert "cannot be computed" in str(outcomes(gate.model_copy(update={"metric": "latency"}), table))
    assert "1 groups" in str(outcomes(gate, rows(north=0.9)))


def test_a_value_that_tells_a_small_count_is_not_shown() -> None:
    """95 of 100 found: the rate would say that 5 people were missed."""
    found = judge_groups(SubgroupGate(metric="sensitivity", by="site", min=0.7), rows(north=0.95, south=0.6))
    assert not isinstance(found, str)
    assert {group.name: group.value is None for group in found} == {"north": True, "south": False}


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (
            "{metric: sensitivity, by: site}",
            "'tiers[0].subgroups[0]' is wrong: a gate has either min and/or max, or against: champion.",
        ),
        (
            "{metric: sensitivity, by: site, min: 0.5, rows: 5}",
            "'tiers[0].subgroups[0].rows' is wrong: Input should be greater than or equal to 11.",
        ),
        ("{metric: sensitivity, site: x, min: 0.5}", "'tiers[0].subgroups[0].site' is not a known key."),
        ("{metric: sensitivity, min: 0.5}", "'tiers[0].subgroups[0].by' is wrong: Field required."),
    ],
)
def test_a_wrong_subgroup_gate_names_line_and_key(gate: str, said: str) -> None:
    text = f"tiers:\n  - name: high\n    models: [risk]\n    subgroups:\n      - {gate}\n"
    with pytest.raises(BadSettings) as error:
        parse_policy(text.encode(), "policy.yaml")
    assert error.value.what == f"policy.yaml, line 5: {said}"


def test_staging_and_production_may_have_different_rules(tmp_path: Path) -> None:
    text = """tiers:
  - {name: release, models: [risk], needs: 2}
  - {name: trial, models: [risk], environments: [staging], needs: 1}
"""
    policy = parse_policy(text.encode(), "policy.yaml")
    needs = {place: tier.needs if tier else 0 for place in ("production", "staging", "lab")
             if (tier := policy.tier("risk", place)) or True}  # fmt: skip
    assert needs == {"production": 2, "staging": 1, "lab": 0}


def test_an_unreviewed_rollback_holds_up_releases_when_the_policy_says_so(tmp_path: Path) -> None:
    desk = ruled_desk(tmp_path, gates="    reviewed_rollbacks: true\n")

    def released(version: int) -> None:
        found = approvals.open_request(desk.ws, "risk", version, "production", ADAM, "better")
        approvals.approve(desk.ws, found.request_id, LEAD, passphrase=WORDS)
        carry_out(desk.ws, plan_promotion(desk.ws, "risk", version), OPAL, "better")

    released(1)
    released(2)
    carry_out(desk.ws, plan_rollback(desk.ws, "risk"), OPAL, "scores drifted")
    (due,) = reviews.reviews_due(desk.ws)
    with pytest.raises(Refused, match="was not reviewed yet"):
        approved_basis(desk.ws, "risk", 3, "production")
    operation = due.payload["operation_id"]
    with pytest.raises(Refused, match="'review' needs"):
        reviews.review(desk.ws, operation, OPAL, "it was right")
    reviews.review(desk.ws, operation, CLIN, "it was right")
    assert reviews.reviews_due(desk.ws) == ()


@pytest.mark.parametrize("retire", [delete_version, archive_version])
def test_a_version_that_is_needed_is_neither_deleted_nor_archived(tmp_path: Path, retire) -> None:
    desk = new_desk(tmp_path)
    desk.promote(1)
    desk.promote(2)
    for version, why in ((2, "the alias champion names"), (1, "a target of a rollback")):
        with pytest.raises(Refused, match=why):
            retire(desk.ws, "risk", version, ADAM, "tidy up")
    asked = approvals.open_request(desk.ws, "risk", 3, "production", RINA, "better")
    with pytest.raises(Refused, match=asked.request_id):
        retire(desk.ws, "risk", 3, ADAM, "tidy up")
    approvals.withdraw(desk.ws, asked.request_id, RINA)
    with pytest.raises(BadInput, match="reason"):
        retire(desk.ws, "risk", 3, ADAM, " ")
    with pytest.raises(Refused, match="needs admin"):
        retire(desk.ws, "risk", 3, OPAL, "tidy up")
    assert not desk.ws.ledger.state().archived and len(desk.ws.registry.versions("risk")) == 3


def test_a_version_that_nothing_needs_is_deleted(tmp_path: Path) -> None:
    desk = new_desk(tmp_path)
    delete_version(desk.ws, "risk", 3, ADAM, "trained on wrong units")
    assert [item.version for item in desk.ws.registry.versions("risk")] == [2, 1]
    assert desk.last().kind == "version_deleted" and desk.last().actor.name == "adam"


def against(margin: float, **candidate: float) -> list[tuple[str, str]] | str:
    gate = SubgroupGate(metric="sensitivity", by="site", against="champion", margin=margin)
    found = judge_groups_against(gate, rows(**candidate), rows(north=0.8, south=0.8), {})
    return found if isinstance(found, str) else [(group.name, group.outcome) for group in found]


def test_each_group_is_held_against_the_champion() -> None:
    """Better for most is no excuse for being worse for some."""
    assert against(0.1, north=0.9, south=0.6) == [("south", "FAIL"), ("north", "PASS")]
    assert against(0.1, north=0.9, south=0.72) == [("south", "INCONCLUSIVE"), ("north", "PASS")]
    assert against(0.2, north=0.9, south=0.72) == [("north", "PASS"), ("south", "PASS")]
    assert against(-0.05, north=0.95, south=0.8) == [("south", "FAIL"), ("north", "PASS")]


def test_a_group_that_is_worse_is_named_with_its_gain_and_interval() -> None:
    gate = SubgroupGate(metric="sensitivity", by="site", against="champion", margin=0.1)
    found = judge_groups_against(gate, rows(north=0.85, south=0.6), rows(north=0.8, south=0.8), {})
    assert not isinstance(found, str)
    worst = found[0]
    assert (worst.name, worst.value) == ("south", pytest.approx(-0.2))
    assert "95 % interval" in worst.detail and worst.detail.endswith("worse than the margin of 0.1 allows")
    few_missed = judge_groups_against(gate, rows(north=0.95, south=0.85), rows(north=0.8, south=0.8), {})
    assert not isinstance(few_missed, str)
    hidden = next(group for group in few_missed if group.name == "north")
    assert hidden.value is None, "95 of 100 found would tell that 5 were missed"


def test_nothing_to_hold_a_group_against_is_said() -> None:
    gate = SubgroupGate(metric="sensitivity", by="site", against="champion")
    table = rows(north=0.9, south=0.9)
    assert judge_groups_against(gate, table, "nothing is live", {}) == "nothing is live"
    assert "champion logged no per-row" in str(judge_groups_against(gate, table, None, {}))
    assert "the run logged no per-row" in str(judge_groups_against(gate, None, table, {}))
    assert "another split" in str(judge_groups_against(gate, table, table.head(300), {}))
    small = pd.concat([rows(north=0.9), rows(south=0.1).head(20)], ignore_index=True)
    small["row_id"] = np.arange(len(small))
    found = judge_groups_against(gate, small, small, {})
    assert not isinstance(found, str) and (found[0].name, found[0].outcome) == ("south", "INCONCLUSIVE")


def test_an_archived_version_goes_nowhere_until_it_is_restored(tmp_path: Path) -> None:
    desk = new_desk(tmp_path)
    archive_version(desk.ws, "risk", 3, LEAD, "trained on wrong units")
    assert desk.last().kind == "version_archived" and desk.last().actor.name == "lead"
    with pytest.raises(Refused, match=r"v3 is archived since .* by Lea Lead: trained on wrong units"):
        approvals.open_request(desk.ws, "risk", 3, "production", RINA, "better")
    with pytest.raises(Refused, match="`registry restore risk --version 3"):
        desk.promote(3)
    with pytest.raises(Conflict, match="archived already"):
        archive_version(desk.ws, "risk", 3, ADAM, "again")
    assert {item.version for item in desk.ws.registry.versions("risk")} == {1, 2, 3}, "MLflow keeps it"
    restore_version(desk.ws, "risk", 3, ADAM, "the units were right")
    with pytest.raises(Conflict, match="not archived"):
        restore_version(desk.ws, "risk", 3, ADAM, "again")
    desk.promote(3)
    assert desk.champion() == 3
    assert desk.ws.ledger.verify().ok


def test_a_rollback_passes_the_archive_and_ends_it(tmp_path: Path) -> None:
    """What was taken back may be archived; break glass still reaches it, and what serves is no longer archived."""
    desk = new_desk(tmp_path)
    desk.promote(1)
    desk.promote(2)
    desk.roll_back()
    archive_version(desk.ws, "risk", 2, ADAM, "it was bad")
    desk.roll_back(to="2")
    assert desk.champion() == 2 and not desk.ws.ledger.state().archived
