"""What a pull request is told of its candidate: the gates, what differs from the champion, the data's checks."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.document import Table
from core.errors import BadSettings
from core.privacy import shown_metrics
from core.registry.attach import attached
from core.registry.candidate import Judged, candidate_item, champion_of, judge_candidate
from core.reports.charts import Interval, intervals
from core.reports.types import Report

if TYPE_CHECKING:
    from core.compare.types import Item, Verdict
    from core.workspace import Workspace

CHECKS = ("data-validation", "data-quality")


def candidate_report(
    ws: Workspace,
    run: str | None,
    version: str | None,
    against: str = "champion",
    model: str | None = None,
    policy: Path | None = None,
) -> Report:
    """The report on a run or version. Without a policy there are no gates, and it says so.

    Raises BadInput, NotFound, Unavailable.
    """
    candidate = candidate_item(ws, run, version)
    champion, name = champion_of(ws, candidate, against, model)
    try:
        judged = judge_candidate(ws, candidate, against, model, policy)
    except BadSettings:
        if policy or ws.settings.policy:
            raise
        judged = None
    verdicts = _verdicts(ws, candidate, champion)
    checks = _checks(ws, candidate)
    facts = {
        "candidate": candidate.ref,
        "run_id": candidate.run_id,
        "champion": champion if isinstance(champion, str) else champion.ref,
        "model": name,
        "verdict": str(judged.verdict) if judged else None,
        "gates": [asdict(result) for result in judged.results] if judged else [],
        "metrics": shown_metrics(candidate.metrics),
        "differences": [_difference(one) for one in verdicts],
        "checks": checks,
        "url": _url(ws, candidate),
    }
    said = "no champion to compare with" if isinstance(champion, str) else f"against {champion.label}"
    lead = f"{facts['verdict'] or 'No policy, so no verdict'}: {candidate.label}, {said}."
    tables = (*_gates(judged), *_deltas(candidate, champion, verdicts), *_checked(checks), _where(facts))
    return Report(
        title=f"{name or 'Candidate'}: {candidate.label}",
        lead=lead,
        tables=tables,
        facts=facts,
        marker=f"report {name or candidate.run_id}",
    )


def _verdicts(ws: Workspace, candidate: Item, champion: Item | str) -> tuple[Verdict, ...]:
    from core.compare.engine import row_scores
    from core.compare.verdicts import verdicts

    if isinstance(champion, str) or champion.run_id == candidate.run_id:
        return ()
    declared = ws.settings.metric_directions
    return verdicts((champion, candidate), 0, declared, lambda item: row_scores(ws, item))


def _difference(verdict: Verdict) -> dict[str, Any]:
    names = ("metric", "difference", "low", "high", "n", "method", "reason")
    return {name: getattr(verdict, name) for name in names} | {"verdict": verdict.word.value}


def _gates(judged: Judged | None) -> tuple[Table, ...]:
    if judged is None:
        return (Table("Gates", note="No release policy is configured: nothing was judged."),)
    rows = tuple(
        (one.name, str(one.verdict), _number(one.value), _number(one.threshold), one.reason)
        for one in judged.results
    )
    note = f"Tier {judged.tier.name}." if rows else f"The tier {judged.tier.name} has no gates."
    return (Table("Gates", ("Gate", "Verdict", "Value", "Threshold", "Why"), rows, note),)


def _deltas(candidate: Item, champion: Item | str, verdicts: tuple[Verdict, ...]) -> tuple[Table, ...]:
    if isinstance(champion, str):
        return (Table("Against the champion", note=champion.capitalize() + "."),)
    if not verdicts:
        return (Table("Against the champion", note="The candidate is the champion."),)
    ours, theirs = shown_metrics(candidate.metrics), shown_metrics(champion.metrics)
    rows = tuple(
        (
            one.metric,
            _number(theirs.get(one.metric)),
            _number(ours.get(one.metric)),
            "–" if one.difference is None else f"{one.difference:+.4g}",
            "–" if one.low is None or one.high is None else f"{one.low:+.4g} to {one.high:+.4g}",
            one.word.value,
            one.reason,
        )
        for one in verdicts
    )
    drawn = [
        Interval(one.metric, one.difference, one.low, one.high, one.word.value)
        for one in verdicts
        if one.difference is not None and one.low is not None and one.high is not None
        and math.isfinite(one.low + one.high)
    ]  # fmt: skip
    columns = ("Metric", champion.label, candidate.label, "Difference", "95 % interval", "Verdict", "Why")
    return (Table("Against the champion", columns, rows, svg=intervals(drawn)),)


def _checks(ws: Workspace, candidate: Item) -> list[dict[str, Any]]:
    records = {name: attached(ws, candidate.run_id, name) for name in CHECKS if candidate.run_id}
    return [
        {
            "name": name,
            "verdict": record.payload["verdict"],
            "at": record.at.isoformat(),
            "by": record.actor.printed_name,
        }
        for name, record in records.items()
        if record
    ]


def _checked(checks: list[dict[str, Any]]) -> tuple[Table, ...]:
    rows = tuple((one["name"], one["verdict"], f"{one['at'][:16]} UTC", one["by"]) for one in checks)
    return (Table("Data checks", ("Check", "Verdict", "At", "By"), rows),) if rows else ()


def _url(ws: Workspace, candidate: Item) -> str:
    base = ws.settings.notify.base_url.rstrip("/")
    if candidate.model and candidate.version:
        return f"{base}/version?model={candidate.model}&version={candidate.version}"
    return f"{base}/run?run={candidate.run_id}"


def _where(facts: dict[str, Any]) -> Table:
    return Table("Where to look", note=facts["url"])


def _number(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.6g}"
