"""The demo's generator and story, without building anything."""

from __future__ import annotations

import numpy as np
import pytest

from core.demo import patients, stays, story
from core.demo.patients import Rule
from core.demo.story import FULL, REVISIONS, SMALL, Scale, Verb


def test_a_cohort_is_the_same_for_the_same_seed() -> None:
    assert patients.cohort(300, 1).equals(patients.cohort(300, 1))
    assert not patients.cohort(300, 1).equals(patients.cohort(300, 2))


def test_pseudonyms_are_unique_and_hold_no_row_number() -> None:
    ids = patients.cohort(500, 1)["patient_id"]
    assert ids.is_unique
    assert ids.str.fullmatch(r"p-[0-9a-f]{12}").all()


def test_the_central_laboratory_reports_glucose_in_other_units() -> None:
    cohort = patients.cohort(2000, 1)
    by_site = cohort.groupby("site")["glucose"].median()
    assert by_site["central"] / by_site["north"] == pytest.approx(patients.MG_DL_PER_MMOL_L, rel=0.1)


def test_the_risk_is_learnable_and_changes_with_the_rule() -> None:
    from sklearn.metrics import roc_auc_score

    rows = patients.generate(4000, 5)
    before, after = patients.risk(rows), patients.risk(rows, Rule.CHANGED)
    labels = patients.draw_labels(rows, 6)
    assert 0.2 < labels.mean() < 0.4
    assert roc_auc_score(labels, before) > 0.88
    assert roc_auc_score(patients.draw_labels(rows, 6, Rule.CHANGED), before) < 0.8
    assert roc_auc_score(patients.draw_labels(rows, 6, Rule.CHANGED), after) > 0.85


def test_stays_are_indexed_by_pseudonym_and_rarely_readmitted() -> None:
    features, readmitted = stays.stays(1500, 3)
    assert features.index.is_unique and features.index.equals(readmitted.index)
    assert 0.1 < readmitted.mean() < 0.3
    assert set(np.unique(readmitted)) == {0, 1}


def test_commits_change_data_params_and_code_in_order() -> None:
    days = [revision.days_ago for revision in REVISIONS]
    assert days == sorted(days, reverse=True)
    assert sum(revision.share is not None for revision in REVISIONS) >= 3
    assert sum(bool(revision.params) for revision in REVISIONS) >= 3
    assert sum(revision.overlay is not None for revision in REVISIONS) >= 4


@pytest.mark.parametrize("scale", [FULL, SMALL], ids=lambda scale: scale.name)
def test_nothing_is_decided_before_it_exists(scale: Scale) -> None:
    for decision in scale.decisions:
        if decision.model == story.MODEL:
            assert decision.version <= scale.revisions
            assert REVISIONS[decision.version - 1].days_ago > decision.days_ago


@pytest.mark.parametrize("scale", [FULL, SMALL], ids=lambda scale: scale.name)
def test_a_version_serves_during_the_whole_inference_log(scale: Scale) -> None:
    served = story.served(scale)
    assert served[0].days_ago > scale.days
    assert any(decision.verb is Verb.ROLL_BACK for decision in served)
    assert 0 < served[-1].days_ago < scale.days, "a promotion happens within the log"


def test_labels_of_the_changed_rule_have_arrived() -> None:
    assert story.RULE_CHANGE_DAYS_AGO - story.LABEL_DELAY_DAYS[1] >= 3
