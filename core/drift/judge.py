"""From statistics to verdicts: size of effect and adjusted significance together, with a sentence why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.drift.bins import small_cells
from core.drift.compare import coarse
from core.drift.kinds import Family
from core.drift.policy import Adjustment, Policy
from core.drift.profile import Profile
from core.drift.statistics.adjust import benjamini_hochberg, bonferroni
from core.drift.statistics.ks import detectable
from core.drift.statistics.proportions import all_in_one
from core.drift.types import ColumnKind, ColumnReport, Quality, Statistics, Told, Verdict

_UNTESTED = {
    ColumnKind.DATETIME: "times move by nature; range and freshness are reported instead",
    ColumnKind.IDENTIFIER: "an identifier is new in every row; only new values and duplicates are counted",
    ColumnKind.TEXT: "free text is not compared",
    ColumnKind.EMPTY: "the reference holds no value",
    ColumnKind.UNSUPPORTED: "this type cannot be compared",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for one column, before it is known how many other columns were asked.

    The profiles are outlines; ``levels`` is how many different levels current holds.
    """

    reference: Profile
    current: Profile
    statistics: Statistics
    quality: Quality
    levels: int = 0


def _decision(item: Evidence) -> tuple[str, float, float] | None:
    """Test, p-value and effect that the verdict rests on: by level where values are few, else KS.

    The chi-square test pools rare levels, which would hide levels that the reference never had; so the chance
    that the rows of the commonest new level all fall into current is asked too (times the number of levels, since
    any could have been it), and that of so many new levels; the smallest of the three p-values counts three times.
    """
    found = item.statistics
    if found.chi2 is not None and found.total_variation is not None:
        pvalue, new = found.chi2.pvalue, item.quality.new_levels
        if new:
            reference, current = item.reference.present, item.current.present
            surprise = item.levels * all_in_one(new[0].count, reference, current)
            many = 1.0 if found.novelty is None else found.novelty
            pvalue = min(1.0, 3 * min(pvalue, surprise, many))
        return "chi2", pvalue, found.total_variation
    if found.ks is not None:
        return "ks", found.ks.pvalue, found.ks.statistic
    return None


def judge(evidence: Sequence[Evidence], policy: Policy) -> tuple[ColumnReport, ...]:
    """A report for each column; p-values are adjusted over the columns that have enough rows."""
    drafts = [_draft(item, policy) for item in evidence]
    tested = [draft.pvalue for draft in drafts if _counts(draft, policy)]
    adjusted = iter(_adjust(np.array(tested), policy.adjustment))
    missing = iter(
        _adjust(np.array([item.quality.missing_pvalue or 0.0 for item in evidence]), policy.adjustment)
    )
    reports = []
    for draft in drafts:
        own = float(next(adjusted)) if _counts(draft, policy) else None
        reports.append(_decide(replace(draft, adjusted_pvalue=own), float(next(missing)), policy))
    return tuple(reports)


def _adjust(pvalues: np.ndarray, how: Adjustment) -> np.ndarray:
    if how is Adjustment.BENJAMINI_HOCHBERG:
        return benjamini_hochberg(pvalues)
    return bonferroni(pvalues) if how is Adjustment.BONFERRONI else pvalues


def _counts(draft: ColumnReport, policy: Policy) -> bool:
    return draft.pvalue is not None and min(draft.rows_reference, draft.rows_current) >= policy.min_rows


def _draft(item: Evidence, policy: Policy) -> ColumnReport:
    reference, current = item.reference, item.current
    chosen = _decision(item)
    test, pvalue, effect = chosen if chosen else (None, None, None)
    return ColumnReport(
        name=reference.name,
        kind=reference.kind,
        verdict=Verdict.NOT_TESTED,
        reason="",
        rows_reference=reference.present,
        rows_current=current.present,
        statistics=_beside_one_value(item),
        quality=_without_same_type(item),
        test=test,
        pvalue=pvalue,
        effect=effect,
        detectable=detectable(reference.present, current.present, policy.alpha.value) if test else None,
    )


def _beside_one_value(item: Evidence) -> Statistics:
    """The statistics; where one side is a single value, D is a share of the other's rows and may count 1 to 10."""
    found, quality = item.statistics, item.quality
    if found.ks is None or found.chi2 is not None:
        return found
    sides = (
        (quality.constant_reference, item.current.present),
        (quality.constant_current, item.reference.present),
    )
    for constant, rows in sides:
        counted = np.rint(np.array([found.ks.statistic, 1 - found.ks.statistic]) * rows)
        if constant and small_cells(counted).any():
            return Statistics(ks=found.ks, told=Told(None, None, coarse(found.ks.statistic, rows)))
    return found


def _without_same_type(item: Evidence) -> Quality:
    """The quality facts; the two types stay only where their families differ."""
    return (
        item.quality if _type_changed(item) else replace(item.quality, type_reference=None, type_current=None)
    )


def _type_changed(item: Evidence) -> bool:
    families = {item.reference.family, item.current.family}
    if len(families) == 1 or Family.NOTHING in families:
        return False
    return not (families == {Family.BOOLEAN, Family.NUMBER} and item.statistics != Statistics())


def _decide(draft: ColumnReport, missing_p: float, policy: Policy) -> ColumnReport:
    verdict, reason = _verdict(draft, missing_p, policy)
    return _as_told(replace(draft, verdict=verdict, reason=reason))


def _as_told(report: ColumnReport) -> ColumnReport:
    """The report without figures that a count of 1 to 10 rows would follow from."""
    found, told = report.statistics, report.statistics.told
    if told is None:
        return report
    shown = replace(
        found, ks=None, chi2=told.chi2, total_variation=told.total_variation, novelty=None, told=None
    )
    pvalue = told.chi2.pvalue if told.chi2 else None
    return replace(report, statistics=shown, effect=told.effect, pvalue=pvalue, adjusted_pvalue=None)


def _verdict(draft: ColumnReport, missing_p: float, policy: Policy) -> tuple[Verdict, str]:
    quality = draft.quality
    rows_reference = draft.rows_reference + quality.missing_reference
    rows_current = draft.rows_current + quality.missing_current
    if rows_current == 0:
        return Verdict.INCONCLUSIVE, "no rows in current"
    if rows_reference == 0:
        return Verdict.INCONCLUSIVE, "no rows in reference"
    if quality.type_current is not None:
        return Verdict.TYPE_CHANGED, _type_sentence(draft)
    if draft.kind in (ColumnKind.EMPTY, ColumnKind.UNSUPPORTED):
        filled = draft.kind is ColumnKind.EMPTY and draft.rows_current > 0
        return Verdict.NOT_TESTED, _UNTESTED[draft.kind] + ("; current holds some now" if filled else "")
    if draft.rows_current == 0:
        few = rows_current < policy.min_rows
        return (
            Verdict.INCONCLUSIVE if few else Verdict.NO_DATA
        ), "no data in current: every value is missing"
    gap = quality.missing_current / rows_current - quality.missing_reference / rows_reference
    enough = min(rows_reference, rows_current) >= policy.min_rows
    lost = enough and policy.alpha.crossed_by(missing_p) and policy.missing_effect.crossed_by(abs(gap))
    size = "" if draft.few_missing else f" by {abs(gap):.1%} of the rows"
    more = f"missing values went {'up' if gap > 0 else 'down'}{size}"
    if lost and draft.kind is not ColumnKind.DATETIME and not _drifts(draft, policy):
        return Verdict.DRIFT, more
    if draft.kind in _UNTESTED or draft.test is None:
        return Verdict.NOT_TESTED, _UNTESTED.get(draft.kind, "its values cannot be compared")
    if draft.adjusted_pvalue is None:
        return Verdict.INCONCLUSIVE, f"fewer than {policy.min_rows} rows with a value"
    if _drifts(draft, policy):
        return Verdict.DRIFT, _effect_sentence(draft) + (f"; {more}" if lost else "")
    return Verdict.OK, _ok_sentence(draft, policy)


def _drifts(draft: ColumnReport, policy: Policy) -> bool:
    gate = policy.ks_effect if draft.test == "ks" else policy.tvd_effect
    return policy.alpha.crossed_by(draft.adjusted_pvalue) and gate.crossed_by(draft.effect)


def _effect_sentence(draft: ColumnReport) -> str:
    if draft.statistics.told:
        sure = draft.adjusted_pvalue is not None and draft.adjusted_pvalue < 1e-4
        return _effect(draft) + (", adjusted p < 0.0001" if sure else "")
    return f"{_effect(draft)}, adjusted p {_p(draft.adjusted_pvalue)}"


def _effect(draft: ColumnReport) -> str:
    name, told = "D" if draft.test == "ks" else "total variation", draft.statistics.told
    return f"{name} about {told.effect:.2g}" if told else f"{name} = {draft.effect:.3f}"


def _ok_sentence(draft: ColumnReport, policy: Policy) -> str:
    if policy.alpha.crossed_by(draft.adjusted_pvalue):
        return f"{_effect_sentence(draft)}: significant but too small to matter"
    if draft.test == "ks" and draft.detectable and draft.detectable > policy.ks_effect.value:
        return f"no drift seen; with these rows a D under {draft.detectable:.2f} would not be"
    return "no drift"


def _type_sentence(draft: ColumnReport) -> str:
    change = f"the type changed from {draft.quality.type_reference} to {draft.quality.type_current}"
    if not draft.quality.parsed:
        return change
    if draft.rows_current == 0:
        return f"{change}; none of it reads as a number"
    return f"{change}; what reads as a number was compared: {_effect(draft)}"


def _p(value: float | None) -> str:
    if value is None:
        return "unknown"
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"
