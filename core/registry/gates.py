"""A policy's gates on a candidate: PASS, FAIL or INCONCLUSIVE, never a silent pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from core.privacy import SMALL, is_small
from core.registry.drift_gate import NAMES as DRIFT_NAMES
from core.registry.drift_gate import drift_verdict
from core.registry.intervals import by_interval
from core.registry.reproducible import lineage_verdict
from core.registry.subgroups import judge_groups, judge_groups_against

if TYPE_CHECKING:
    import pandas as pd

    from core.compare.types import Item
    from core.registry.policy import Gate, SubgroupGate, Tier
    from core.workspace import Workspace

ROWS, SIZE, LINEAGE = "test rows", "model size (MB)", "lineage"
_COMMANDS = {"data-validation": "validate-data", "data-quality": "check-quality"}


class Verdict(StrEnum):
    """The outcome of a gate."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One gate: the candidate's ``value`` against the ``threshold``, and the sentence for it."""

    name: str
    verdict: Verdict
    value: float | None = None
    threshold: float | None = None
    reason: str = ""


def overall(results: Sequence[GateResult]) -> Verdict:
    """One FAIL fails, one INCONCLUSIVE leaves it open; without any gate nothing was shown."""
    verdicts = {result.verdict for result in results}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.INCONCLUSIVE


def evaluate(
    ws: Workspace, tier: Tier, candidate: Item, champion: Item | str, size_bytes: int | None
) -> tuple[GateResult, ...]:
    """The tier's gates on ``candidate``; ``champion`` is what is live, or why there is nothing to compare with.

    ``size_bytes`` is None when the candidate's files are not here to be measured.
    """
    from core.compare.engine import row_scores

    def scores(item: Item) -> pd.DataFrame | None:
        return row_scores(ws, item)

    results = [
        _relative(gate, candidate, champion, ws.settings.metric_directions, scores)
        if gate.against
        else _absolute(gate, candidate)
        for gate in tier.gates
    ]
    results += [
        _subgroup(gate, candidate, champion, ws.settings.metric_directions, scores) for gate in tier.subgroups
    ]
    if tier.min_rows is not None:
        results.append(_rows(tier.min_rows, scores(candidate)))
    if tier.size_mb is not None:
        results.append(_size(tier.size_mb, size_bytes))
    results += [_kept(ws, name, candidate.run_id) for name in tier.checks]
    for kind in tier.drift:
        verdict, reason = drift_verdict(ws, kind, candidate, champion)
        results.append(_result(DRIFT_NAMES[kind], Verdict(verdict), None, None, reason))
    if tier.lineage:
        verdict, reason = lineage_verdict(ws, candidate.run_id)
        results.append(_result(LINEAGE, Verdict(verdict), None, None, reason))
    return tuple(results)


def evaluate_version(
    ws: Workspace, tier: Tier, model: str, version: int, champion: int | None
) -> tuple[GateResult, ...]:
    """The gates on a registered version, against the version that is live; raises NotFound, Unavailable."""
    run_id = ws.registry.version(model, version).run_id
    return evaluate(
        ws,
        tier,
        item_of(ws, model, version, run_id),
        champion_item(ws, model, champion),
        size_of(ws, model, version),
    )


def champion_item(ws: Workspace, model: str, champion: int | None) -> Item | str:
    """What is live as an item; else the sentence why there is nothing to measure against."""
    if champion is None:
        return f"no version of {model} is live, so there is nothing to compare with"
    try:
        return item_of(ws, model, champion, ws.registry.version(model, champion).run_id)
    except ModelDeskError as error:
        return f"the champion cannot be read: {error.what}"


def item_of(ws: Workspace, model: str, version: int, run_id: str | None) -> Item:
    """The version as an item; one without a source run simply has no metrics."""
    from core.compare.references import version_item
    from core.compare.types import Item

    ref = f"version:{model}/{version}"
    if run_id:
        return version_item(ws, model, version, run_id, ref)
    return Item(ref=ref, label=f"{model} v{version}", kind="version", model=model, version=version)


def size_of(ws: Workspace, model: str, version: int) -> int | None:
    """Bytes of the version's files when they lie on this machine."""
    folder = ws.registry.folder(model, version)
    if folder is None:
        return None
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _absolute(gate: Gate, candidate: Item) -> GateResult:
    low, high = gate.min, gate.max
    threshold = low if low is not None else high
    value = candidate.metrics.get(gate.metric)
    lacking = _lacking(gate.metric, candidate)
    if value is None or lacking:
        return _result(gate.name, Verdict.INCONCLUSIVE, value, threshold, lacking)
    if low is not None and value < low:
        return _result(gate.name, Verdict.FAIL, value, low, f"{value:.6g} is below {low:g}")
    if high is not None and value > high:
        return _result(gate.name, Verdict.FAIL, value, high, f"{value:.6g} is above {high:g}")
    return _result(gate.name, Verdict.PASS, value, threshold, f"{value:.6g} is within the bound")


def _relative(
    gate: Gate,
    candidate: Item,
    champion: Item | str,
    declared: dict[str, str],
    scores: Callable[[Item], pd.DataFrame | None],
) -> GateResult:
    from core.compare.directions import direction
    from core.compare.evidence import Evidence
    from core.compare.types import Direction

    value = candidate.metrics.get(gate.metric)
    towards = direction(gate.metric, declared)
    lacking = champion if isinstance(champion, str) else _lacking(gate.metric, candidate)
    if not lacking and towards is Direction.UNKNOWN:
        lacking = f"which way {gate.metric} improves is not known: declare it in metric_directions"
    if lacking or isinstance(champion, str):
        return _result(gate.name, Verdict.INCONCLUSIVE, value, None, lacking)
    if lacking := _lacking(gate.metric, champion, "the champion"):
        return _result(gate.name, Verdict.INCONCLUSIVE, value, None, lacking)
    sign = 1 if towards is Direction.HIGHER else -1
    threshold = champion.metrics[gate.metric] - sign * gate.margin
    finding = Evidence((champion, candidate), 0, scores).findings(gate.metric)[0]
    estimate = finding.estimate
    if estimate is not None and estimate.n > 0 and math.isfinite(estimate.low + estimate.high):
        verdict, numbers, meaning = by_interval(estimate, sign, gate.margin)
        reason = (
            numbers + (f": {meaning}" if meaning else "") + (f"; {finding.reason}" if finding.reason else "")
        )
        return _result(gate.name, Verdict(verdict), value, threshold, reason)
    if not finding.comparable:
        return _result(gate.name, Verdict.INCONCLUSIVE, value, threshold, f"not comparable: {finding.reason}")
    gain = sign * (candidate.metrics[gate.metric] - champion.metrics[gate.metric])
    verdict = Verdict.PASS if gain >= -gate.margin - 1e-12 else Verdict.FAIL
    words = f"the difference of the logged values alone, without an interval: {sign * gain:+.4g}"
    return _result(gate.name, verdict, value, threshold, f"{words} ({finding.reason})")


def _rows(minimum: int, table: pd.DataFrame | None) -> GateResult:
    if table is None:
        reason = "the run logged no per-row test scores, so their number is not known"
        return _result(ROWS, Verdict.INCONCLUSIVE, None, minimum, reason)
    found = len(table)
    if is_small(found):
        reason = f"{SMALL} test rows, {minimum:,} are needed"
        return _result(ROWS, Verdict.INCONCLUSIVE if found < minimum else Verdict.PASS, None, minimum, reason)
    if found < minimum:
        return _result(
            ROWS, Verdict.INCONCLUSIVE, found, minimum, f"{found:,} test rows, {minimum:,} are needed"
        )
    return _result(ROWS, Verdict.PASS, found, minimum, f"{found:,} test rows")


def _size(limit_mb: float, size_bytes: int | None) -> GateResult:
    if size_bytes is None:
        return _result(
            SIZE, Verdict.INCONCLUSIVE, None, limit_mb, "the model's files cannot be measured here"
        )
    size = size_bytes / 1e6
    verdict = Verdict.PASS if size <= limit_mb else Verdict.FAIL
    return _result(SIZE, verdict, size, limit_mb, f"{size:.2f} MB of at most {limit_mb:g} MB")


def _subgroup(
    gate: SubgroupGate,
    candidate: Item,
    champion: Item | str,
    declared: dict[str, str],
    scores: Callable[[Item], pd.DataFrame | None],
) -> GateResult:
    """The worst group decides; all that did not pass are named. Against the champion the value is the gain."""
    if gate.against:
        other = champion if isinstance(champion, str) else scores(champion)
        threshold, groups = -gate.margin, judge_groups_against(gate, scores(candidate), other, declared)
    else:
        threshold = gate.min if gate.min is not None else gate.max
        groups = judge_groups(gate, scores(candidate))
    if isinstance(groups, str):
        return _result(gate.name, Verdict.INCONCLUSIVE, None, threshold, groups)
    worst = groups[0]
    said = "; ".join(f"{group.name}: {group.detail}" for group in groups if group.outcome != "PASS")
    shown = [group.value for group in groups if group.outcome == worst.outcome and group.value is not None]
    value = None if not shown else min(shown) if gate.max is None or gate.min is not None else max(shown)
    reason = said or f"all {len(groups)} groups are within the bound"
    return _result(gate.name, Verdict(worst.outcome), value, threshold, reason)


def _kept(ws: Workspace, name: str, run_id: str | None) -> GateResult:
    """The newest report of a data check that was kept with the run, as the ledger recorded it."""
    from core.registry.attach import attached

    record = attached(ws, run_id, name) if run_id else None
    if record is None:
        reason = f"no {name} report is kept with the run (`{_COMMANDS[name]} --run` keeps one)"
        return _result(name, Verdict.INCONCLUSIVE, None, None, reason)
    said = f"reported {record.at:%Y-%m-%d %H:%M} UTC by {record.actor.printed_name}"
    return _result(name, Verdict(record.payload["verdict"]), None, None, said)


def _lacking(metric: str, item: Item, name: str = "the candidate") -> str:
    if metric not in item.metrics:
        return f"{name} has no {metric}"
    return "" if math.isfinite(item.metrics[metric]) else f"{metric} of {name} is not a finite number"


def _result(
    name: str, verdict: Verdict, value: float | None, threshold: float | None, reason: str
) -> GateResult:
    return GateResult(name=name, verdict=verdict, value=value, threshold=threshold, reason=reason)
