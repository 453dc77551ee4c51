"""Is the candidate safe so far? Pure: the router's counters of both versions in, one of four judgements out."""

from __future__ import annotations

import math

from core.deploy.trial import ArmTraffic, Judgement, TrafficRules

CONFIDENCE_Z = 2.576
"""Two-sided 99 %: a ramp is aborted on clear harm alone; on a hint it stands still for a person to look."""

FEWEST_FAILURES = 3
"""One failed request is an accident, whatever the interval says of so few."""


def judge_traffic(
    live: ArmTraffic, candidate: ArmTraffic, rules: TrafficRules, seconds: float
) -> tuple[Judgement, str]:
    """The judgement of a step that runs for ``seconds``, and its reason.

    ABORT: even the lowest error rate that fits (Wilson, 99 %) is above live's by more than the margin; this needs
    no minimum of requests, so a candidate that fails everything goes after a handful. PAUSE: the rate itself is
    above the margin, or the p99 above its limit. Then WAIT until there are enough requests and time.
    """
    allowed = _rate(live) + rules.error_margin
    if candidate.failed >= FEWEST_FAILURES and wilson_low(candidate.failed, candidate.requests) > allowed:
        return Judgement.ABORT, f"{_says(candidate)}; live {_says(live)}"
    if candidate.requests < rules.min_requests:
        return Judgement.WAIT, f"{candidate.requests} of {rules.min_requests} requests"
    if _rate(candidate) > allowed:
        return Judgement.PAUSE, f"{_says(candidate)}; live {_says(live)}: more than the margin, not clear yet"
    if live.p99_ms is not None and candidate.p99_ms is not None:
        limit = live.p99_ms * rules.latency_factor + rules.latency_slack_ms
        if candidate.p99_ms > limit:
            return Judgement.PAUSE, f"p99 {candidate.p99_ms:.0f} ms, above the limit of {limit:.0f} ms"
    if seconds < rules.hold_s:
        return Judgement.WAIT, f"well so far; {rules.hold_s - seconds:.0f} s of the step are left"
    return Judgement.CONTINUE, f"{_says(candidate)}; live {_says(live)}"


def wilson_low(failed: int, of: int, z: float = CONFIDENCE_Z) -> float:
    """The lower end of Wilson's score interval for a share (Wilson 1927)."""
    share = failed / of
    centre = share + z**2 / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, (centre - spread) / (1 + z**2 / of))


def _rate(arm: ArmTraffic) -> float:
    return arm.failed / arm.requests if arm.requests else 0.0


def _says(arm: ArmTraffic) -> str:
    return f"{_rate(arm):.1%} of {arm.requests} requests failed"
