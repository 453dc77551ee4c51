"""The rules of a ramp: what goes on, what stands still for a person, what is taken back at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deploy.bake import judge_refused
from core.deploy.canary_analysis import judge_traffic, wilson_low
from core.deploy.trial import ArmTraffic, Judgement, TrafficRules

RULES = TrafficRules(min_requests=200, hold_s=60)
LIVE = ArmTraffic(requests=2000, failed=2, p50_ms=10, p99_ms=40)


def candidate(requests: int, failed: int, p99_ms: float = 40) -> ArmTraffic:
    return ArmTraffic(requests=requests, failed=failed, p50_ms=10, p99_ms=p99_ms)


@pytest.mark.parametrize(
    ("arm", "seconds", "judgement"),
    [
        (candidate(0, 0), 10, Judgement.WAIT),
        (candidate(199, 0), 600, Judgement.WAIT),
        (candidate(400, 0), 30, Judgement.WAIT),
        (candidate(400, 1), 61, Judgement.CONTINUE),
        (candidate(400, 7), 61, Judgement.PAUSE),  # 1.75 %, above 0.1 % + 1 %, could be chance
        (candidate(400, 40), 61, Judgement.ABORT),
        (candidate(5, 5), 1, Judgement.ABORT),  # a candidate that fails everything goes after a handful
        (candidate(3, 1), 1, Judgement.WAIT),
        (candidate(400, 0, p99_ms=131), 61, Judgement.PAUSE),
        (candidate(400, 0, p99_ms=129), 61, Judgement.CONTINUE),
    ],
)
def test_judgements(arm: ArmTraffic, seconds: float, judgement: Judgement) -> None:
    assert judge_traffic(LIVE, arm, RULES, seconds)[0] is judgement


def test_live_that_fails_itself_is_the_measure() -> None:
    sick = ArmTraffic(requests=1000, failed=300, p50_ms=10, p99_ms=40)
    assert judge_traffic(sick, candidate(400, 110), RULES, 61)[0] is Judgement.CONTINUE


@given(st.integers(1, 5000), st.data())
def test_wilson_is_a_lower_bound(of: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, of))
    assert 0 <= wilson_low(failed, of) <= failed / of + 1e-12


def test_wilson_known_value() -> None:
    # Brown, Cai, DasGupta (2001): 10 of 100 at 95 % has the Wilson interval 0.0552 to 0.1744.
    assert wilson_low(10, 100, z=1.96) == pytest.approx(0.0552, abs=1e-4)


@pytest.mark.parametrize(
    ("before", "now", "judgement"),
    [
        ((300, 0), (40, 0), Judgement.CONTINUE),
        ((300, 0), (40, 2), Judgement.CONTINUE),  # two bad requests are callers' business
        ((300, 90), (40, 14), Judgement.CONTINUE),  # callers that send bad rows did so before
        ((300, 0), (40, 3), Judgement.PAUSE),
        ((300, 0), (40, 12), Judgement.ABORT),
        ((300, 0), (6, 6), Judgement.ABORT),
        ((300, 90), (300, 120), Judgement.PAUSE),
        ((300, 90), (300, 240), Judgement.ABORT),
        ((0, 0), (40, 40), Judgement.PAUSE),  # nothing to compare with: no ground to go back on
        ((20, 0), (40, 12), Judgement.PAUSE),  # of twenty, up to a quarter may have been chance
    ],
)
def test_answers_of_400_are_held_against_those_before(
    before: tuple[int, int], now: tuple[int, int], judgement: Judgement
) -> None:
    found = judge_refused(*(ArmTraffic(requests=of, failed=failed) for of, failed in (before, now)))
    assert found[0] is judgement and str(now[0]) in found[1]
    assert ("not clear" in found[1]) == (judgement is Judgement.PAUSE)
