"""Which stage execution logged a run: the order of evidence, and that none is claimed without it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.lineage.match import equal_params, flatten, match_run, same_value
from core.lineage.types import Evidence, Strength
from tests.unit.lineage_story import FEATURES_A, MODEL_1, MODEL_2, MODEL_3, STAGE, project, run

PROJECT = project()
TRAIN = {record.outs[0].digest: record for record in PROJECT.stages if record.address == "train"}


@pytest.mark.parametrize(
    ("case", "given_run", "files", "model", "evidence", "strength"),
    [
        (
            "tag and data hash",
            run("r1", tags={**STAGE, "data.hash": FEATURES_A}, params={"lr": "0.1"}, head="c0"),
            (),
            MODEL_1,
            Evidence.RUN_TAG,
            Strength.EXACT,
        ),
        (
            "the commit is the parent of the lock's: c1 means what c2 holds",
            run("r2", tags=STAGE, params={"lr": "0.1"}, head="c1"),
            (),
            MODEL_2,
            Evidence.RUN_TAG,
            Strength.EXACT,
        ),
        (
            "the params decide where nothing else does",
            run("r3", tags=STAGE, params={"train.lr": "0.20"}),
            (),
            MODEL_3,
            Evidence.RUN_TAG,
            Strength.STRONG,
        ),
        (
            "params fit, but the run's commit is far from that lock",
            run("r3", tags=STAGE, params={"train.lr": "0.20"}, head="c0"),
            (),
            MODEL_3,
            Evidence.RUN_TAG,
            Strength.LIKELY,
        ),
        (
            "tag and commit, nothing to compare",
            run("r3", tags=STAGE, head="c2"),
            (),
            MODEL_3,
            Evidence.RUN_TAG,
            Strength.STRONG,
        ),
        (
            "tag alone: several executions fit",
            run("r3", tags=STAGE),
            (),
            None,
            Evidence.RUN_TAG,
            Strength.LIKELY,
        ),
        (
            "no tag, an artifact equals the output",
            run("r2"),
            (MODEL_2,),
            MODEL_2,
            Evidence.CONTENT_HASH,
            Strength.EXACT,
        ),
        (
            "no tag, no file: commit window and equal params",
            run("r3", params={"lr": "0.2", "seed": "7"}, head="c2"),
            (),
            MODEL_3,
            Evidence.COMMIT_AND_PARAMS,
            Strength.LIKELY,
        ),
        ("a name alone", run("r9", name="train"), (), None, Evidence.NAME, Strength.WEAK),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_order_of_evidence(case, given_run, files, model, evidence, strength) -> None:
    match = match_run(given_run, (PROJECT,), files)
    assert match is not None
    assert (match.evidence, match.strength) == (evidence, strength)
    if model:
        assert match.record is TRAIN[model]


@pytest.mark.parametrize(
    ("case", "given_run"),
    [
        ("nothing in common", run("r9")),
        ("a commit alone is no evidence", run("r9", head="c2")),
        ("one equal param is no evidence", run("r9", head="c2", params={"seed": "7"})),
        ("the tag names a stage that was never locked", run("r9", tags={"dvc.stage": "other"})),
        ("a param contradicts every lock", run("r9", tags=STAGE, params={"lr": "0.5"}, head="c2")),
        ("the data was never locked", run("r9", tags={**STAGE, "data.hash": "e" * 32}, params={"lr": "0.1"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_claim_without_evidence(case, given_run) -> None:
    assert match_run(given_run, (PROJECT,)) is None


@pytest.mark.parametrize(
    ("locked", "logged", "same"),
    [
        (0.1, "0.1", True),
        (1e-05, "1e-5", True),
        (10, "10.0", True),
        (float("nan"), "nan", True),
        (True, "True", True),
        (True, "true", True),
        (True, "1", False),
        (False, "", False),
        (None, "None", True),
        (None, "null", True),
        (None, "0", False),
        ("relu", "relu", True),
        ("10", "10.0", True),
        ([1, 2], "[1, 2]", True),
        (0.1, "0.2", False),
        (0.1, "auto", False),
    ],
)
def test_typed_values_against_mlflows_text(locked, logged, same) -> None:
    assert same_value(locked, logged) is same


def test_short_keys_count_only_where_they_are_unique() -> None:
    params = {"train": {"seed": 1, "lr": 0.5}, "split": {"seed": 2}}
    assert equal_params(params, {"lr": "0.5", "seed": "99"}) == 1
    assert equal_params(params, {"train.seed": "1", "split.seed": "2"}) == 2
    assert equal_params(params, {"split.seed": "3"}) is None


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("abc.", min_size=1, max_size=4), st.integers() | st.booleans() | st.text(), max_size=6
    )
)
def test_a_run_that_logs_what_is_locked_never_contradicts(params) -> None:
    assert equal_params(params, {key: str(value) for key, value in flatten(params).items()}) == len(params)
