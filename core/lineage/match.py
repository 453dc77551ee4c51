"""Which stage execution logged a run? Pure: a run, the lock history, and the best evidence there is.

The order of evidence is the tag ``dvc.stage`` with params and data hash, then a file of the run that equals an
output (which also decides between several executions that a tag fits), then commit window with equal params,
then a mere name. A run's commit is *not* the commit that holds
its lock entry: inside ``dvc repro`` HEAD is still the parent, inside ``dvc exp run`` the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.experiments.types import Run
from core.lineage.records import ProjectRecord, StageRecord
from core.lineage.types import Evidence, Strength

STAGE_TAG = "dvc.stage"
ROOT_TAG = "dvc.root"
DATA_TAG = "data.hash"

MIN_EQUAL_PARAMS = 2
WINDOW = 500
COMMIT_DELAY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Match:
    """The execution that logged a run, and why we think so."""

    record: StageRecord
    evidence: Evidence
    strength: Strength
    note: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    record: StageRecord
    equal: int
    data: bool
    window: int
    after: timedelta

    @property
    def score(self) -> tuple[bool, int, int]:
        return self.data, self.window, self.equal


def match_run(run: Run, projects: Sequence[ProjectRecord], files: Iterable[str] = ()) -> Match | None:
    """The stage execution that logged ``run``; ``files`` are md5 digests of its artifacts. None if unknown."""
    stage = run.tags.get(STAGE_TAG)
    equal = _by_content(run, files, projects)
    if not stage:
        return equal or _by_commit(run, projects) or _by_name(run, projects)
    tagged = _by_tag(run, stage, projects)
    if equal and equal.record.address == stage and (tagged is None or equal.strength > tagged.strength):
        return equal
    return tagged


def equal_params(locked: Mapping[str, Any], logged: Mapping[str, str]) -> int | None:
    """How many params of the lock the run logged with the same value; None when one differs.

    Keys match in full (``train.lr``) or by their last part (``lr``) where that part is unique in the lock.
    """
    flat = flatten(locked)
    last = [_last_part(key) for key in flat]
    equal = 0
    for key, value in flat.items():
        full, short = key.rpartition(":")[2], _last_part(key)
        name = full if full in logged else short if last.count(short) == 1 else None
        if name is None or name not in logged:
            continue
        if not same_value(value, logged[name]):
            return None
        equal += 1
    return equal


def _last_part(key: str) -> str:
    """``lr`` of ``conf.yaml:train.lr``."""
    return key.rpartition(":")[2].rpartition(".")[2]


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested params as dotted keys."""
    flat: dict[str, Any] = {}
    pending = [(prefix, params)]
    while pending:
        before, level = pending.pop()
        for key, value in level.items():
            if isinstance(value, Mapping):
                pending.append((f"{before}{key}.", value))
            else:
                flat[f"{before}{key}"] = value
    return flat


def same_value(locked: object, logged: str) -> bool:
    """Whether a typed value of a lock equals MLflow's text: as text, or as a number."""
    if locked is None:
        return logged.strip().lower() in {"none", "null"}
    if isinstance(locked, bool):
        return logged.strip().lower() == str(locked).lower()
    if str(locked).strip() == logged.strip():
        return True
    try:
        return math.isclose(float(locked), float(logged), rel_tol=1e-12)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _by_tag(run: Run, stage: str, projects: Sequence[ProjectRecord]) -> Match | None:
    rooted = [project for project in projects if project.is_root(run.tags.get(ROOT_TAG, ""))]
    found = [
        candidate
        for project in rooted or projects
        for record in project.executions.get(stage, ())
        for candidate in _judge(run, project, record)
    ]
    if run.tags.get(DATA_TAG):
        found = [candidate for candidate in found if candidate.data]
    best = _best(found)
    if best is None:
        return None
    first, alone = best
    strength, why = _tag_strength(run, first, alone=alone, several=len(found) > 1)
    return Match(first.record, Evidence.RUN_TAG, strength, f"tag {STAGE_TAG}={stage}, {why}")


def _tag_strength(run: Run, chosen: _Candidate, *, alone: bool, several: bool) -> tuple[Strength, str]:
    """How sure the tag makes us of this execution among all of its stage."""
    if not alone:
        return Strength.LIKELY, "several executions fit; the first lock after the run was taken"
    if chosen.data:
        return Strength.EXACT, "data hash in the lock"
    if chosen.window and chosen.equal:
        return Strength.EXACT, f"commit and {chosen.equal} params of the lock fit"
    if chosen.window:
        return Strength.STRONG, "chosen by the run's commit"
    if run.git_commit:
        return (
            Strength.LIKELY,
            "the run's commit is not near this lock: perhaps its own lock was never committed",
        )
    if chosen.equal or not several:
        return Strength.STRONG, f"{chosen.equal} params of the lock equal"
    return Strength.LIKELY, "nothing else to compare"


def _by_content(run: Run, files: Iterable[str], projects: Sequence[ProjectRecord]) -> Match | None:
    """The execution whose outputs the run's files equal; of several with the same outputs the likeliest."""
    wanted = set(files)
    if not wanted:
        return None
    found: dict[int, list[_Candidate]] = {}
    for project in projects:
        for record in project.makers(wanted):
            equal = sum(out.digest in wanted for out in record.outs)
            found.setdefault(equal, []).extend(_judge(run, project, record))
    best = _best(found[max(found)]) if found else None
    if best is None:
        return None
    record, alone = best[0].record, best[1]
    same = next(out.path for out in record.outs if out.digest in wanted)
    if alone:
        return Match(
            record, Evidence.CONTENT_HASH, Strength.EXACT, f"an artifact equals {same} byte for byte"
        )
    note = f"an artifact equals {same}, which several executions made alike"
    return Match(record, Evidence.CONTENT_HASH, Strength.LIKELY, note)


def _by_commit(run: Run, projects: Sequence[ProjectRecord]) -> Match | None:
    if not run.git_commit:
        return None
    found = [
        candidate
        for project in projects
        if run.git_commit in project.commit_by_sha
        for record in project.stages
        if not record.tracked
        for candidate in _judge(run, project, record)
        if candidate.window and candidate.equal >= MIN_EQUAL_PARAMS
    ]
    best = _best(found)
    if best is None or not best[1]:
        return None
    first = best[0]
    note = f"{first.equal} equal params within the run's commit window"
    return Match(first.record, Evidence.COMMIT_AND_PARAMS, Strength.LIKELY, note)


def _by_name(run: Run, projects: Sequence[ProjectRecord]) -> Match | None:
    found = [
        candidate
        for project in projects
        for record in project.executions.get(run.name, ())
        for candidate in _judge(run, project, record)
    ]
    best = _best(found)
    if best is None:
        return None
    return Match(best[0].record, Evidence.NAME, Strength.WEAK, "the run is called as the stage; nothing more")


def _judge(run: Run, project: ProjectRecord, record: StageRecord) -> Iterable[_Candidate]:
    """The record as a candidate, or nothing when its params contradict the run's."""
    equal = equal_params(record.params, run.params)
    if equal is None:
        return
    tagged = run.tags.get(DATA_TAG)
    data = bool(tagged) and any(file.digest == tagged for file in (*record.deps, *record.outs))
    yield _Candidate(record, equal, data, _window(run, project, record), _after(run, project, record))


def _window(run: Run, project: ProjectRecord, record: StageRecord) -> int:
    """3: the run's commit is just before the lock's; 2: the lock was in force at it; 0: neither."""
    commit = run.git_commit
    if not commit or commit not in project.commit_by_sha:
        return 0
    follows = any(_before(commit, lock, project, record) for lock in record.introduced)
    if follows and _in_time(run, project, record):
        return 3
    if commit in record.commits:
        return 2
    return int(follows)


def _before(commit: str, lock: str, project: ProjectRecord, record: StageRecord) -> bool:
    """Whether from ``commit`` the stage's lock entry first changed at ``lock``."""
    commits, holders = project.commit_by_sha, project.holders
    pending = list(commits[lock].parents) if lock in commits else []
    seen: set[str] = set()
    while pending and len(seen) < WINDOW:
        sha = pending.pop()
        if sha in seen or sha not in commits:
            continue
        if sha == commit:
            return True
        seen.add(sha)
        entry = holders.get((sha, record.address))
        pending += [
            parent for parent in commits[sha].parents if holders.get((parent, record.address)) is entry
        ]
    return False


def _in_time(run: Run, project: ProjectRecord, record: StageRecord) -> bool:
    """The lock was committed after the run began, and not long after."""
    return run.start_time is None or _after(run, project, record) <= COMMIT_DELAY


def _after(run: Run, project: ProjectRecord, record: StageRecord) -> timedelta:
    """How long after the run began the entry was first committed; the longest time when it never was."""
    if run.start_time is None:
        return timedelta.max
    begun = run.start_time - timedelta(seconds=1)  # git counts whole seconds
    times = (project.commit_by_sha[sha].at for sha in record.introduced if sha in project.commit_by_sha)
    return min((at - begun for at in times if at >= begun), default=timedelta.max)


def _best(found: Sequence[_Candidate]) -> tuple[_Candidate, bool] | None:
    """The best candidate, and whether it stands alone with its score."""
    if not found:
        return None
    soonest = sorted(found, key=lambda candidate: candidate.after)
    ranked = sorted(soonest, key=lambda candidate: candidate.score, reverse=True)
    alone = len(ranked) == 1 or ranked[0].score > ranked[1].score
    return ranked[0], alone
