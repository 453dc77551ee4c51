"""The drift check: two tables in, a verdict for each column and for the whole out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.drift.cache import ProfileCache
from core.drift.compare import quality, statistics
from core.drift.duplicates import RowHashes
from core.drift.judge import Evidence, judge
from core.drift.policy import DEFAULT, Policy
from core.drift.profile import Profile, profile_like, profile_reference
from core.drift.sources import Source, open_source
from core.drift.types import (
    ColumnKind,
    ColumnReport,
    DriftReport,
    Quality,
    SchemaFinding,
    Severity,
    Statistics,
    Verdict,
)
from core.errors import BadInput, ModelDeskError


def check(
    reference: Any,
    current: Any,
    policy: Policy = DEFAULT,
    *,
    columns: Collection[str] | None = None,
    importance: Mapping[str, float] | None = None,
    cache: ProfileCache | None = None,
    now: datetime | None = None,
) -> DriftReport:
    """Compare ``current`` with ``reference`` (paths, pyarrow tables, data frames, sources, or two tables of an engine).

    One column is read at a time; what goes wrong in one column is said there and costs no other. ``columns``
    limits the check to those names; ``importance`` (column -> share of the model's importance) weighs them;
    ``cache`` keeps the profiles of reference files; ``now`` lets times in the future be counted.
    Raises BadInput for a file that cannot be read or a column that neither side has.
    """
    left, right = open_source(reference), open_source(current)
    engine = _engine(left, right)
    wanted = _wanted(left, right, policy, columns)
    both = [name for name in wanted if name in left.names and name in right.names]
    hashes = RowHashes(right.rows)
    found = (
        _ask(left, right, both, policy, now)
        if engine
        else (_examine(left, right, name, policy, cache, now, hashes) for name in both)
    )
    evidence, broken = [], []
    for one in found:
        (evidence if isinstance(one, Evidence) else broken).append(one)
    compared = {report.name: report for report in (*judge(evidence, policy), *broken)}
    absent = {name: _one_sided(left, right, name) for name in wanted if name not in compared}
    weights = importance or {}
    reports = tuple(
        replace(found, importance=weights.get(name))
        for name in wanted
        for found in (compared.get(name) or absent[name],)
    )
    findings = left.findings + right.findings + _schema(reports) + hashes.findings()
    return replace(_whole(left, right, reports, findings, policy, weights), engine=engine)


def _engine(left: Source, right: Source) -> str | None:
    """The engine that holds both tables, None for this machine. Raises BadInput for tables in two places."""
    engines = {getattr(side, "engine", None) for side in (left, right)}
    if len(engines) > 1:
        raise BadInput(
            "One table is in an engine, the other is not.", "Name two tables of one engine, or two files."
        )
    return engines.pop()


def _ask(
    left: Source, right: Source, names: list[str], policy: Policy, now: datetime | None
) -> Iterator[Evidence | ColumnReport]:
    """The evidence on columns whose rows stay in their engine."""
    from core.drift.engines.columns import Comparison
    from core.drift.engines.failures import EngineFailed

    comparison = Comparison(left, right, names, policy.kinds, now)
    for name in names:
        try:
            yield comparison.examine(name)
        except EngineFailed as error:
            yield _not_tested(name, error.what)


def _wanted(left: Source, right: Source, policy: Policy, columns: Collection[str] | None) -> tuple[str, ...]:
    known = tuple(dict.fromkeys((*left.names, *right.names)))
    if columns is None:
        return tuple(name for name in known if name not in policy.ignore)
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise BadInput(
            f"Neither file has a column named {', '.join(repr(name) for name in unknown)}.",
            f"The columns are: {', '.join(known)}.",
        )
    return tuple(dict.fromkeys(columns))


def _examine(
    left: Source,
    right: Source,
    name: str,
    policy: Policy,
    cache: ProfileCache | None,
    now: datetime | None,
    hashes: RowHashes,
) -> Evidence | ColumnReport:
    try:
        known = reference_profile(left, name, policy.kinds.get(name), cache)
        column = right.column(name)
        hashes.add(column)
        seen = profile_like(known, column)
        found, facts = statistics(known, seen), quality(known, seen, now)
        # Without their arrays: all columns' evidence is held until every column has been seen.
        return Evidence(
            known.outline, seen.outline, found, facts, 0 if seen.levels is None else len(seen.levels)
        )
    except ModelDeskError as error:
        return _not_tested(name, error.what.rstrip("."))
    except Exception as error:  # noqa: BLE001 - whatever one column holds, it must not cost the report
        # The message may quote a value, so only its type is told.
        return _not_tested(name, f"the column could not be read ({type(error).__name__})")


def _not_tested(name: str, reason: str) -> ColumnReport:
    return ColumnReport(name=name, kind=ColumnKind.UNSUPPORTED, verdict=Verdict.NOT_TESTED, reason=reason)


def reference_profile(
    source: Source, name: str, override: ColumnKind | None, cache: ProfileCache | None
) -> Profile:
    """The reference column's profile, from the cache where its file has been profiled before."""
    if cache is None or len(source.files) != 1:
        return profile_reference(name, source.column(name), override)
    kept = cache.load(source.files[0], name, override)
    if kept is None:
        kept = profile_reference(name, source.column(name), override)
        if kept.values is not None and kept.kind is not ColumnKind.DATETIME:
            kept = replace(kept, kept_sums=kept.sums)
        cache.store(source.files[0], name, override, kept)
    return kept


def _one_sided(left: Source, right: Source, name: str) -> ColumnReport:
    if name in left.names:
        return ColumnReport(
            name=name,
            kind=ColumnKind.EMPTY,
            verdict=Verdict.VANISHED,
            reason="the column is missing in current",
            quality=Quality(type_reference=str(left.type_of(name))),
        )
    return ColumnReport(
        name=name,
        kind=ColumnKind.EMPTY,
        verdict=Verdict.NEW,
        reason="the column is new in current; the reference does not have it",
        statistics=Statistics(),
        quality=Quality(type_current=str(right.type_of(name))),
    )


def _schema(reports: tuple[ColumnReport, ...]) -> tuple[SchemaFinding, ...]:
    kinds = {
        Verdict.VANISHED: ("missing column", Severity.HIGH),
        Verdict.NEW: ("extra column", Severity.NOTICE),
        Verdict.TYPE_CHANGED: ("type changed", Severity.HIGH),
    }
    return tuple(
        SchemaFinding(report.name, *kinds[report.verdict], f"{_called(report.name)}: {report.reason}")
        for report in reports
        if report.verdict in kinds
    )


def _whole(
    left: Source,
    right: Source,
    reports: tuple[ColumnReport, ...],
    findings: tuple[SchemaFinding, ...],
    policy: Policy,
    weights: Mapping[str, float],
) -> DriftReport:
    tested = [report for report in reports if report.verdict.is_tested]
    drifted = [report for report in tested if report.verdict is Verdict.DRIFT]
    share = len(drifted) / len(tested) if tested else None
    weight = sum(weights.get(report.name, 0.0) for report in drifted) if weights else None
    verdict, reason = _dataset_verdict(left, right, reports, share, weight, policy)
    return DriftReport(
        verdict=verdict,
        reason=reason,
        rows_reference=left.rows,
        rows_current=right.rows,
        columns=reports,
        schema=findings,
        policy=policy.name,
        drifted_share=share,
        weighted_share=weight,
        importance=dict(weights),
    )


def _dataset_verdict(
    left: Source,
    right: Source,
    reports: tuple[ColumnReport, ...],
    share: float | None,
    weight: float | None,
    policy: Policy,
) -> tuple[Verdict, str]:
    for source, side in ((right, "current"), (left, "reference")):
        if source.rows == 0:
            return Verdict.INCONCLUSIVE, f"no rows in {side}"
    broken = [r.name for r in reports if r.verdict.is_alarm and r.verdict is not Verdict.DRIFT]
    drifted = [r.name for r in reports if r.verdict is Verdict.DRIFT]
    if share is not None and drifted and _too_many(share, weight, policy):
        return (
            Verdict.DRIFT,
            f"{len(drifted)} of {_tested(reports)} tested columns drifted: {_names(drifted)}{_weight(weight)}",
        )
    if broken and policy.quality_counts:
        return Verdict.DRIFT, f"columns that cannot be used as before: {_names(broken)}"
    if share is None:
        return Verdict.INCONCLUSIVE, _why_nothing(reports, policy)
    doubtful = [r.name for r in reports if r.verdict is Verdict.INCONCLUSIVE]
    if len(doubtful) > _tested(reports):
        return Verdict.INCONCLUSIVE, f"too few values in {_names(doubtful)}"
    if drifted:
        return Verdict.OK, f"{len(drifted)} drifted, within what the policy tolerates: {_names(drifted)}"
    return Verdict.OK, f"none of {_tested(reports)} tested columns drifted{_unwatched(reports)}"


def _unwatched(reports: tuple[ColumnReport, ...]) -> str:
    names = [report.name for report in reports if report.verdict is Verdict.NOT_TESTED]
    return f"; not tested: {_names(names, 3)}" if names else ""


def _weight(weight: float | None) -> str:
    return "" if weight is None else f" ({weight:.0%} of what the model uses)"


def _too_many(share: float, weight: float | None, policy: Policy) -> bool:
    if policy.importance_share is not None and policy.importance_share.crossed_by(weight):
        return True
    return share > policy.tolerated_share.value


def _why_nothing(reports: tuple[ColumnReport, ...], policy: Policy) -> str:
    if any(report.verdict is Verdict.INCONCLUSIVE for report in reports):
        return f"too few rows: each column needs {policy.min_rows} with a value on both sides"
    return "no column could be tested"


def _tested(reports: tuple[ColumnReport, ...]) -> int:
    return sum(report.verdict.is_tested for report in reports)


def _names(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(_called, names[:shown])) + more


def _called(name: str) -> str:
    return name or "(a column without a name)"
