"""Better, worse, not distinguishable or not comparable: the answer for every candidate and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.compare.directions import direction, improves
from core.compare.evidence import LEVEL, Evidence, Finding
from core.compare.holm import holm
from core.compare.types import Direction, Estimate, Item, Verdict, Word

if TYPE_CHECKING:
    from core.compare.evidence import ScoresOf


def verdicts(
    items: Sequence[Item], baseline_index: int, declared: Mapping[str, str], scores_of: ScoresOf
) -> tuple[Verdict, ...]:
    """One verdict per candidate and metric that either logged, candidates in order, metrics by name.

    ``scores_of`` gives an item's per-row test scores or None. Paired rows decide where both have them,
    repeated runs of a setting where not. A verdict is better or worse only if the 95 % interval leaves out
    zero and the p-value, Holm-adjusted over the candidates, is below 0.05.
    """
    evidence = Evidence(items, baseline_index, scores_of)
    candidates = evidence.candidates
    names = sorted(set().union(*(item.metrics for item in items)))
    by_metric = {
        name: _judge_all(name, candidates, evidence.findings(name), direction(name, declared))
        for name in names
    }
    of_baseline = items[baseline_index].metrics
    return tuple(
        by_metric[name][index]
        for index, candidate in enumerate(candidates)
        for name in names
        if name in of_baseline or name in candidate.metrics
    )


def _judge_all(
    metric: str, candidates: Sequence[Item], findings: Sequence[Finding], towards: Direction
) -> list[Verdict]:
    # Runs of one setting share their estimate: it is one test, and counts once.
    tests = {id(finding.estimate): finding.estimate.p_value for finding in findings if finding.tested}
    adjusted = dict(zip(tests, holm(list(tests.values())), strict=True))
    return [
        _verdict(metric, candidate.ref, finding, towards, adjusted)
        for candidate, finding in zip(candidates, findings, strict=True)
    ]


def _verdict(
    metric: str, candidate: str, finding: Finding, towards: Direction, adjusted: Mapping[int, float]
) -> Verdict:
    word = Word.SAME if finding.comparable else Word.NOT_COMPARABLE
    estimate = finding.estimate
    bare = Verdict(candidate=candidate, metric=metric, word=word, reason=finding.reason)
    if estimate is None:
        return bare
    if not estimate.n:
        return replace(bare, difference=estimate.difference)
    full = replace(
        bare,
        difference=estimate.difference,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        method=estimate.method,
    )
    if not finding.tested:
        return full
    adjusted_p = adjusted[id(estimate)]
    word, reason = _judge(metric, estimate, towards, adjusted_p, len(adjusted))
    note = f"; {estimate.note}" if estimate.note else ""
    return replace(full, word=word, reason=reason + note, adjusted_p=float(f"{adjusted_p:.2g}"))


def _judge(
    metric: str, estimate: Estimate, towards: Direction, adjusted_p: float, family: int
) -> tuple[Word, str]:
    holms = f" (Holm over {family} candidates)" if family > 1 else ""
    p_words = ("p < 0.001" if adjusted_p < 0.001 else f"p = {adjusted_p:.2g}") + holms
    if estimate.low <= 0 <= estimate.high:
        return Word.SAME, f"the 95 % interval of the difference includes 0, {p_words}"
    if adjusted_p >= 1 - LEVEL:
        return Word.SAME, f"{p_words} is not below 0.05"
    better = improves(estimate.difference, towards)
    if better is None:
        return Word.NOT_COMPARABLE, f"no direction is declared for {metric}: add it to [metric_directions]"
    word = Word.BETTER if better else Word.WORSE
    return word, f"the 95 % interval of the difference leaves out 0, {p_words}"
