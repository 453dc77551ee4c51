"""A drift report as plain data for JSON and exports, with every small count hidden."""

from __future__ import annotations

import math
from typing import Any

from core.drift.types import ColumnReport, DriftReport, Level, Quality, SchemaFinding, TestResult
from core.privacy import RARE, SMALLEST, is_small, shown_cells
from core.privacy import shown_count as count
from core.privacy import shown_share as share

_MOST_LEVELS = 20
_LONGEST_LEVEL = 60


def report_json(report: DriftReport) -> dict[str, Any]:
    """The report as the command line prints it (see the published schema of ``drift check``)."""
    document = {
        "verdict": report.verdict.value,
        "reason": report.reason,
        "policy": report.policy,
        "engine": report.engine or "local",
        "rows": {"reference": count(report.rows_reference), "current": count(report.rows_current)},
        "drifted_share": report.drifted_share,
        "weighted_share": report.weighted_share,
        "columns": [_column(column) for column in report.columns],
        "schema": [_finding(finding) for finding in report.schema],
    }
    if report.classifier_auc is not None:
        value, low, high = report.classifier_auc
        document["domain_classifier"] = {"auc": value, "low": low, "high": high}
    if report.mmd is not None:
        document["mmd"] = _test(report.mmd)
    return document


def _column(column: ColumnReport) -> dict[str, Any]:
    found = column.statistics
    return {
        "name": column.name,
        "kind": column.kind.value,
        "verdict": column.verdict.value,
        "statistics": {
            "ks": _test(found.ks),
            "psi": _number(found.psi),
            "psi_noise_floor": _number(found.psi_noise_floor),
            "jensen_shannon": _number(found.jensen_shannon),
            "hellinger": _number(found.hellinger),
            "wasserstein_normed": _number(found.wasserstein_normed),
            "chi2": _test(found.chi2),
            "total_variation": _number(found.total_variation),
            "l_infinity": _number(found.l_infinity),
        },
        "test": column.test,
        "effect": _number(column.effect),
        "pvalue": _number(column.pvalue),
        "adjusted_pvalue": _number(column.adjusted_pvalue),
        "detectable": _number(column.detectable),
        "importance": column.importance,
        "quality": quality_json(column),
        "reason": column.reason,
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _test(result: TestResult | None) -> dict[str, Any] | None:
    if result is None or math.isnan(result.statistic):
        return None
    return {"statistic": result.statistic, "pvalue": _number(result.pvalue), "method": result.method}


def quality_json(column: ColumnReport) -> dict[str, Any]:
    """The quality facts with counts of 1 to 10 and the names of levels that rare hidden.

    Shares are of all rows: count and share together would else give away how few have no value.
    """
    found = column.quality
    rows = column.rows_current + found.missing_current
    before = column.rows_reference + found.missing_reference
    return {
        "missing": {
            "reference": count(found.missing_reference),
            "current": count(found.missing_current),
            "share_reference": share(found.missing_reference, before),
            "share_current": share(found.missing_current, rows),
            "pvalue": None if column.few_missing else found.missing_pvalue,
        },
        "new_levels": _levels(found.new_levels, rows),
        "vanished_levels": _levels(found.vanished_levels, before),
        "out_of_range": dict(zip(("below", "above"), _outside(column), strict=True)),
        "infinite": {"reference": count(found.infinite_reference), "current": count(found.infinite_current)},
        "constant": {"reference": found.constant_reference, "current": found.constant_current},
        "duplicates": None if found.duplicates_current is None else count(found.duplicates_current),
        "new_values": _new_values(found, rows),
        "newest": {"reference": _day(found.newest_reference), "current": _day(found.newest_current)},
        "in_future": count(found.in_future),
        "type": {"reference": found.type_reference, "current": found.type_current},
        "parsed_as_number": found.parsed,
        "rounded": found.rounded,
    }


def _outside(column: ColumnReport) -> tuple[int | str, int | str]:
    """Values below and above the reference's range; hidden too where the few within would follow."""
    found = column.quality
    below, above = found.below_range, found.above_range
    within = column.rows_current - found.infinite_current - below - above
    if not is_small(within):
        return count(below), count(above)
    shown = shown_cells((below, within, above))
    return shown[0], shown[2]


def _day(at: Any) -> str | None:
    return None if at is None else at.date().isoformat()


def _new_values(found: Quality, rows: int) -> dict[str, Any] | None:
    if found.new_values is None:
        return None
    return {"count": count(found.new_values), "share": share(found.new_values, rows)}


def _levels(levels: tuple[Level, ...], rows: int) -> list[dict[str, Any]]:
    """Levels held by more than ten rows by name; all the rarer ones as one nameless entry."""
    shown = [level for level in levels if level.count >= SMALLEST]
    rare = [level for level in levels if level.count < SMALLEST]
    found: list[dict[str, Any]] = [
        {"level": shown_level(level.name), "count": level.count, "share": share(level.count, rows)}
        for level in shown[:_MOST_LEVELS]
    ]
    if len(shown) > _MOST_LEVELS:
        found.append({"level": f"<{len(shown) - _MOST_LEVELS} more levels>", "count": None, "share": None})
    if rare:
        total = sum(level.count for level in rare)
        found.append({"level": RARE, "count": count(total), "share": share(total, rows)})
    return found


def shown_level(name: str) -> str:
    """A level's name on one line and not too long, without signs that no font draws."""
    line = "".join(sign if sign.isprintable() else " " for sign in name)
    return line if len(line) <= _LONGEST_LEVEL else f"{line[: _LONGEST_LEVEL - 1]}…"


def _finding(finding: SchemaFinding) -> dict[str, Any]:
    return {
        "column": finding.column,
        "kind": finding.kind,
        "severity": finding.severity.value,
        "message": finding.message,
    }


def _named(levels: tuple[Level, ...], most: int = 3) -> str:
    """The commonest levels in brackets; those of 1 to 10 rows stay nameless."""
    names = [shown_level(level.name) for level in levels if level.count >= SMALLEST]
    more = ", …" if names and len(levels) > min(len(names), most) else ""
    return f" ({', '.join(names[:most])}{more})" if names else ""


def quality_sentences(column: ColumnReport) -> tuple[str, ...]:
    """The quality facts worth a reader's time, as short sentences; empty when there are none."""
    found, said = column.quality, []
    if found.missing_reference or found.missing_current:
        said.append(f"missing: {count(found.missing_reference)} before, {count(found.missing_current)} now")
    for levels, word in ((found.new_levels, "new"), (found.vanished_levels, "vanished")):
        if levels:
            said.append(f"{len(levels)} {word} level{'s' if len(levels) > 1 else ''}{_named(levels)}")
    if found.below_range or found.above_range:
        # Not their sum: with one of the two in an export the other would follow.
        below, above = _outside(column)
        said.append(f"outside the reference's range: {below} below, {above} above")
    if found.infinite_reference or found.infinite_current:
        said.append(
            f"infinite: {count(found.infinite_reference)} before, {count(found.infinite_current)} now"
        )
    if found.constant_current:
        said.append("constant now" + (" and before" if found.constant_reference else ""))
    if found.rounded:
        said.append("whole numbers beyond 2^53, compared to 16 digits")
    if found.duplicates_current:
        said.append(f"repeated identifiers: {count(found.duplicates_current)}")
    if found.newest_current is not None:
        said.append(f"newest day {_day(found.newest_current)}, before {_day(found.newest_reference)}")
    if found.in_future:
        said.append(f"in the future: {count(found.in_future)}")
    return tuple(said)
