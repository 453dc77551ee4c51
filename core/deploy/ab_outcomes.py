"""Is the candidate better? The prediction log joined with late labels, per person, and judged by the trial's rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from core.deploy import served_files, served_log
from core.deploy.ab_statistics import SRM_ALPHA, Difference, always_valid, fixed_horizon, sample_ratio_p
from core.deploy.trial import Metric, Trial
from core.errors import ModelDeskError
from core.privacy import is_small, shown_count

if TYPE_CHECKING:
    import pandas as pd

    from core.workspace import Workspace


class AbVerdict(StrEnum):
    """What may be said."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    NOT_DISTINGUISHABLE = "NOT DISTINGUISHABLE"
    NO_VERDICT = "NO VERDICT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One version: people assigned, people with an outcome, and the metric's mean (None for too few people)."""

    version: int
    assigned: int
    outcomes: int
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbReport:
    """The state of a comparison. ``crossed`` were answered by both versions and are left out."""

    verdict: AbVerdict
    reason: str
    metric: Metric
    method: str
    live: Arm
    candidate: Arm
    crossed: int
    srm_p: float
    difference: Difference | None = None


def report(ws: Workspace, trial: Trial, now: datetime) -> AbReport:
    """The comparison as of ``now``; raises BadInput and NotFound when log or labels cannot be read."""
    people = _people(ws, trial)
    labelled = people[people["outcome"].notna()].sort_values("at", kind="stable")
    arms = {version: _arm(people, labelled, version) for version in (trial.live, trial.candidate)}
    srm = _srm(people, trial)
    rules = trial.outcomes
    method = (
        f"fixed horizon of {rules.size} outcomes per version, registered beforehand"
        if rules.size
        else f"always valid (mSPRT, effect of interest {rules.effect:g})"
    )
    verdict, reason, difference = _verdict(labelled, trial, srm)
    return AbReport(
        verdict=verdict,
        reason=reason,
        metric=rules.metric,
        method=method,
        live=arms[trial.live],
        candidate=arms[trial.candidate],
        crossed=int(people.attrs["crossed"]),
        srm_p=srm,
        difference=difference,
    )


def report_facts(ws: Workspace, trial: Trial, now: datetime) -> dict[str, Any]:
    """The report for the ledger and the command line, small counts hidden; the reason alone when there is none."""
    try:
        found = report(ws, trial, now)
    except ModelDeskError as error:
        return {"verdict": str(AbVerdict.NO_VERDICT), "reason": error.what}
    arms = {
        name: {"version": arm.version, "assigned": shown_count(arm.assigned), "outcomes": shown_count(arm.outcomes),
               "mean": arm.mean}
        for name, arm in (("live", found.live), ("candidate", found.candidate))
    }  # fmt: skip
    facts = {"verdict": str(found.verdict), "reason": found.reason, "metric": str(found.metric), **arms}
    facts |= {"method": found.method, "srm_p": found.srm_p, "crossed": shown_count(found.crossed)}
    if found.difference is not None and found.live.mean is not None and found.candidate.mean is not None:
        d = found.difference
        facts["difference"] = {"estimate": d.estimate, "low": d.low, "high": d.high, "p_value": d.p_value}
    return facts


def _verdict(labelled: pd.DataFrame, trial: Trial, srm: float) -> tuple[AbVerdict, str, Difference | None]:
    rules = trial.outcomes
    mine = (labelled["version"] == trial.candidate).to_numpy()
    values = labelled["outcome"].to_numpy(dtype=float)
    live, candidate = values[~mine], values[mine]
    if srm < SRM_ALPHA:
        return (
            AbVerdict.NO_VERDICT,
            f"the split is not as planned (p = {srm:.2g}): find out why before believing any difference",
            None,
        )
    if is_small(len(live)) or is_small(len(candidate)) or not (len(live) and len(candidate)):
        return AbVerdict.NO_VERDICT, "too few outcomes are known yet", None
    if rules.size is not None:
        found = fixed_horizon(live, candidate, size=rules.size, alpha=rules.alpha)
        if found is None:
            least = min(len(live), len(candidate))
            return AbVerdict.NO_VERDICT, f"{least} of the {rules.size} registered outcomes per version", None
    else:
        found = always_valid(live, candidate, mine, tau=rules.effect, alpha=rules.alpha)
    if found.p_value > rules.alpha:
        return AbVerdict.NOT_DISTINGUISHABLE, f"p = {found.p_value:.2g}, above {rules.alpha:g}", found
    better = (found.estimate > 0) == rules.metric.higher_is_better
    return AbVerdict.BETTER if better else AbVerdict.WORSE, f"p = {found.p_value:.2g}", found


def _people(ws: Workspace, trial: Trial) -> pd.DataFrame:
    """One row a person (whoever sends no X-Assign is a person per request): version, first time, outcome."""
    import pandas as pd

    log = _log(ws, trial)
    log = log.merge(_labels(ws, trial), on="request_id", how="left")
    log["outcome"] = _outcomes(log, trial.outcomes.metric)
    log["person"] = log["assigned"].where(log["assigned"].fillna("") != "", log["request_id"])
    versions = log.groupby("person")["version"].nunique()
    crossed = versions.index[versions > 1]
    log = log[~log["person"].isin(crossed)].sort_values("timestamp", kind="stable")
    first = log.groupby("person", sort=False).agg(version=("version", "first"), first=("timestamp", "first"))
    known = log[log["outcome"].notna()].groupby("person", sort=False)
    outcomes = known.agg(outcome=("outcome", "first"), at=("observed_at", "first"))
    people = first.join(outcomes)
    people["at"] = (
        people["at"].fillna(people["first"]) if len(people) else pd.Series(dtype="datetime64[ns, UTC]")
    )
    people.attrs["crossed"] = len(crossed)
    return people


def _log(ws: Workspace, trial: Trial) -> pd.DataFrame:
    import pandas as pd

    folder = served_files.folder_of(ws.settings, trial.key)
    wanted = ["request_id", "timestamp", "model_version", "prediction", "score", served_log.ASSIGNED]
    parts = []
    for file in served_files.own_files(folder):
        if file.name[:10] >= f"{trial.started_at:%Y-%m-%d}":
            part = pd.read_parquet(file)
            parts.append(part.reindex(columns=wanted))
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in wanted})
    log = pd.concat(parts, ignore_index=True) if parts else empty
    log["timestamp"] = pd.to_datetime(log["timestamp"], utc=True)
    log["version"] = pd.to_numeric(log["model_version"], errors="coerce")
    until = trial.ended_at or pd.Timestamp.max.tz_localize("UTC")
    during = (log["timestamp"] >= trial.started_at) & (log["timestamp"] <= until)
    return log[during & log["version"].isin((trial.live, trial.candidate))].reset_index(drop=True)


def _labels(ws: Workspace, trial: Trial) -> pd.DataFrame:
    import pandas as pd

    monitor = next(
        (m for m in ws.settings.monitors
         if (m.model, m.environment) == (trial.key.model, trial.key.environment)),
        None,
    )  # fmt: skip
    names = ["request_id", "label", "observed_at"]
    if monitor is None or monitor.labels is None or not ws.settings.path(monitor.labels).exists():
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})
    from core.drift.sources import open_source

    source = open_source(ws.settings.path(monitor.labels))
    given = {"request_id": monitor.request_id, "label": monitor.label, "observed_at": "observed_at"}
    table = pd.DataFrame({k: source.column(v).to_pandas() for k, v in given.items() if v in source.names})
    table["observed_at"] = pd.to_datetime(table.get("observed_at", pd.NaT), utc=True)
    return table.sort_values("observed_at", kind="stable").drop_duplicates("request_id", keep="last")


def _outcomes(log: pd.DataFrame, metric: Metric) -> pd.Series:
    import pandas as pd

    label = log["label"]
    if metric is Metric.BRIER:
        score, truth = (pd.to_numeric(log[name], errors="coerce") for name in ("score", "label"))
        return (score - truth) ** 2
    numbers = [pd.to_numeric(log[name], errors="coerce") for name in ("prediction", "label")]
    same = log["prediction"].astype(str) == label.astype(str)
    if all(n.notna().any() for n in numbers):
        same = numbers[0] == numbers[1]
    return same.astype(float).where(label.notna() & log["prediction"].notna())


def _arm(people: pd.DataFrame, labelled: pd.DataFrame, version: int) -> Arm:
    own = labelled.loc[labelled["version"] == version, "outcome"]
    few = not len(own) or is_small(len(own))
    return Arm(
        version=version,
        assigned=int((people["version"] == version).sum()),
        outcomes=len(own),
        mean=None if few else float(np.mean(own)),
    )


def _srm(people: pd.DataFrame, trial: Trial) -> float:
    """Were people split as each step planned? Whoever came first in a step is expected at its share."""
    expected = np.zeros(2)
    for step, following in zip(trial.past, (*trial.past[1:], None), strict=True):
        came = people["first"] >= step.since
        if following is not None:
            came &= people["first"] < following.since
        expected += int(came.sum()) * np.array([100 - step.share, step.share]) / 100
    counts = [int((people["version"] == version).sum()) for version in (trial.live, trial.candidate)]
    return sample_ratio_p(counts, list(expected))
