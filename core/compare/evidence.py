"""What is known about a candidate against the baseline, metric by metric, before any verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.compare.grouping import setting_of
from core.compare.row_scores import Mismatch, pair, row_metric
from core.compare.types import Estimate, Item

if TYPE_CHECKING:
    import pandas as pd

    from core.compare.resampling import Resampled

    ScoresOf = Callable[[Item], pd.DataFrame | None]

LEVEL = 0.95
PAIRED_LIMIT = 20
_DEFINITION = 2e-3  # logged values are rounded, and a log loss may be clipped; a definition differs by more


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: ``estimate`` (tested when it has an interval), a reason, and whether one may compare."""

    reason: str = ""
    estimate: Estimate | None = None
    comparable: bool = True

    @property
    def tested(self) -> bool:
        """Whether there is an interval and a p-value to judge."""
        return self.comparable and self.estimate is not None and self.estimate.n > 0


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The candidate's test rows laid over the baseline's, or why they are not (``mismatch``, ``absent``)."""

    found: Mapping[str, tuple[Estimate, Resampled]]
    mismatch: str = ""
    absent: str = "no per-row scores"


class Evidence:
    """Gathers, for the items of one comparison, what each metric's verdict rests on."""

    def __init__(self, items: Sequence[Item], baseline_index: int, scores_of: ScoresOf) -> None:
        self._baseline = items[baseline_index]
        self._scores_of = scores_of
        self._repeats = _repeats(items)
        self._welch: dict[tuple[str, int], Estimate | None] = {}
        self.candidates = tuple(item for index, item in enumerate(items) if index != baseline_index)
        self._rows = self._lay_rows()

    def findings(self, metric: str) -> list[Finding]:
        """One finding for each candidate, in order."""
        return [
            self._finding(metric, candidate, rows)
            for candidate, rows in zip(self.candidates, self._rows, strict=True)
        ]

    def _lay_rows(self) -> list[_Rows]:
        count = len(self.candidates)
        if count > PAIRED_LIMIT:
            words = f"test rows are paired for up to {PAIRED_LIMIT} candidates, {count} were chosen"
            return [_Rows({}, absent=words)] * count
        of_baseline = self._scores_of(self._baseline)
        return [self._lay(of_baseline, candidate) for candidate in self.candidates]

    def _lay(self, of_baseline: pd.DataFrame | None, candidate: Item) -> _Rows:
        if _same_run(self._baseline, candidate):
            return _Rows({})
        of_candidate = self._scores_of(candidate)
        if of_baseline is None or of_candidate is None:
            lacking = "the baseline has " if of_candidate is not None else "the candidate has "
            return _Rows({}, absent=("" if of_baseline is of_candidate else lacking) + "no per-row scores")
        paired = pair(of_baseline, of_candidate)
        if isinstance(paired, Mismatch):
            return _Rows({}, mismatch=paired.reason)
        from core.compare.paired import estimates

        shared = set(self._baseline.metrics) & set(candidate.metrics)
        found = estimates(paired, {name for name in map(row_metric, shared) if name})
        return _Rows(found, absent="the test rows lack scores or have too few of a class for it")

    def _finding(self, metric: str, candidate: Item, rows: _Rows) -> Finding:
        if _same_run(self._baseline, candidate):
            return Finding("the same run as the baseline")
        for item, name in ((self._baseline, "the baseline"), (candidate, "the candidate")):
            if metric not in item.metrics:
                return Finding(f"{name} has no {metric}", comparable=False)
            if not math.isfinite(item.metrics[metric]):
                return Finding(f"{metric} of {name} is not a finite number", comparable=False)
        statistic = row_metric(metric)
        found = rows.found.get(statistic or "")
        conflict = data_conflict(self._baseline, candidate)
        bare = _bare(candidate.metrics[metric] - self._baseline.metrics[metric])
        if conflict:
            return Finding(conflict, found[0] if found else bare, comparable=False)
        if statistic and rows.mismatch:
            return Finding(rows.mismatch, bare, comparable=False)
        if found is None:
            return self._from_seeds(metric, candidate, rows.absent if statistic else "no per-row scores")
        redefined = _redefined(metric, self._baseline, candidate, found[1])
        return Finding(redefined, bare, comparable=False) if redefined else Finding(estimate=found[0])

    def _from_seeds(self, metric: str, candidate: Item, absent: str) -> Finding:
        """Repeated runs of both settings among the compared items, when there are at least two of each."""
        difference = candidate.metrics[metric] - self._baseline.metrics[metric]
        ours, theirs = self._repeats[id(self._baseline)], self._repeats[id(candidate)]
        if not (ours and theirs):
            return _untested(difference, f"a revision is one result, {absent}")
        if ours is theirs:
            return _untested(difference, f"the same setting as the baseline with another seed, {absent}")
        first, second = (_values(group, metric) for group in (ours, theirs))
        if len(first) == len(second) == 1:
            return _untested(difference, f"one run each, {absent}")
        if min(len(first), len(second)) < 2:
            return _untested(difference, f"{len(first)} and {len(second)} runs of the settings, {absent}")
        estimate = self._welch_of(metric, first, second, id(theirs))
        if estimate is None:
            return _untested(difference, "no spread over seeds: the seed does not change this metric")
        return Finding(estimate=estimate)

    def _welch_of(
        self, metric: str, first: Sequence[float], second: Sequence[float], group: int
    ) -> Estimate | None:
        """One estimate a pair of settings, however many of their runs are candidates."""
        if (metric, group) not in self._welch:
            from core.compare.seeds import permutation_note, welch

            estimate = welch(first, second, level=LEVEL)
            if estimate:
                note = f"means of the settings over {len(first)} and {len(second)} runs"
                if len(self.candidates) <= PAIRED_LIMIT:
                    note += f"; {permutation_note(first, second)}"
                estimate = replace(estimate, note=note)
            self._welch[metric, group] = estimate
        return self._welch[metric, group]


def data_conflict(first: Item, second: Item) -> str | None:
    """Why two items are about different data: the training data's hash, or an evaluation set's digest."""
    if first.data_hash and second.data_hash and first.data_hash != second.data_hash:
        return f"different data hash ({first.data_hash[:7]} and {second.data_hash[:7]})"
    ours, theirs = evaluation_sets(first), evaluation_sets(second)
    for context in sorted(set(ours) & set(theirs)):
        if ours[context] != theirs[context]:
            return f"different data set ({context})"
    return None


def evaluation_sets(item: Item) -> dict[str, tuple[str, ...]]:
    """Digests of the data sets that were not trained on, by context ("test", "evaluation" ...)."""
    digests: dict[str, list[str]] = {}
    for key, digest in item.datasets.items():
        context, named, _ = key.partition(": ")
        if named and context not in ("data", "train", "training"):
            digests.setdefault(context, []).append(digest)
    return {context: tuple(sorted(found)) for context, found in digests.items()}


def _same_run(first: Item, second: Item) -> bool:
    return first.run_id is not None and first.run_id == second.run_id


def _redefined(metric: str, baseline: Item, candidate: Item, sample: Resampled) -> str | None:
    """Why the rows are not what the logged metric was computed from."""
    pairs = ((baseline, "the baseline", sample.first), (candidate, "the candidate", sample.second))
    for item, name, value in pairs:
        logged = item.metrics[metric]
        if abs(logged - value) > _DEFINITION:
            return f"{name} logged {logged:.4g}, its test rows give {value:.4g}: another definition or split"
    return None


def _repeats(items: Sequence[Item]) -> dict[int, tuple[Item, ...]]:
    """For each item (by id) the runs of its setting, trained and tested on its data, each once; () for revisions."""
    groups: dict[object, dict[str, Item]] = {}
    keys = [
        (setting_of(item), item.data_hash, tuple(sorted(evaluation_sets(item).items()))) for item in items
    ]
    for item, key in zip(items, keys, strict=True):
        if item.run_id is not None:
            groups.setdefault(key, {})[item.run_id] = item
    frozen = {key: tuple(group.values()) for key, group in groups.items()}
    return {
        id(item): frozen[key] if item.run_id is not None else ()
        for item, key in zip(items, keys, strict=True)
    }


def _values(group: Sequence[Item], metric: str) -> list[float]:
    values = (item.metrics.get(metric, math.nan) for item in group)
    return [value for value in values if math.isfinite(value)]


def _bare(difference: float) -> Estimate:
    """A difference about which nothing else is known."""
    return Estimate(difference=difference, low=math.nan, high=math.nan, p_value=math.nan, n=0, method="none")


def _untested(difference: float, reason: str) -> Finding:
    return Finding(reason if difference else f"the same value; {reason}", _bare(difference))
