"""A comparison in words and cells: signed deltas, sentences, and tables that any export can write."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.compare.directions import base_name, direction, improves
from core.compare.export import text
from core.compare.types import OWN_COLUMNS, Comparison, Direction, Row, Section, Verdict, Word

_FAVOURITES = ("auroc", "roc_auc", "auc", "accuracy", "f1", "rmse", "log_loss", "loss")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with its delta to the baseline; ``better`` is None where no direction is declared.

    ``difference`` is None for the baseline itself and for what is not a number.
    """

    value: object | None
    difference: float | None = None
    better: bool | None = None
    verdict: Word | None = None

    @property
    def words(self) -> str:
        """ "0.912 ▲ +0.012 better": the value, which way it moved, by how much, and what that means.

        With a verdict only its "better" and "worse" are written; "=" is not distinguishable, "⊘" not comparable.
        """
        shown = "missing" if self.value is None else text(self.value)
        if not self.difference:
            return shown
        arrow = "▲" if self.difference > 0 else "▼"
        by_direction = {True: " better", False: " worse", None: ""}[self.better]
        meaning = {
            None: by_direction, Word.BETTER: " better", Word.WORSE: " worse", Word.SAME: " =",
            Word.NOT_COMPARABLE: " ⊘",
        }[self.verdict]  # fmt: skip
        return f"{shown}  {arrow} {self.difference:+.3g}{meaning}"


def cells_of(
    comparison: Comparison, row: Row, declared: Mapping[str, str], said: Mapping[tuple[str, str], Word]
) -> tuple[Cell, ...]:
    """The row's cells with what :func:`said_of` said of each candidate."""
    found = cells(row, comparison.baseline_index, declared)
    if row.section is not Section.METRICS:
        return found
    return tuple(
        replace(cell, verdict=said.get((item.ref, row.key)))
        for cell, item in zip(found, comparison.items, strict=True)
    )


def said_of(comparison: Comparison) -> dict[tuple[str, str], Word]:
    """The verdict's word by candidate and metric."""
    return {(verdict.candidate, verdict.metric): verdict.word for verdict in comparison.verdicts}


def cells(row: Row, baseline_index: int, declared: Mapping[str, str]) -> tuple[Cell, ...]:
    """The row's values, metrics with their signed delta to the baseline."""
    base = row.values[baseline_index]
    if row.section is not Section.METRICS or not _finite(base):
        return tuple(Cell(value) for value in row.values)
    towards = direction(row.key, declared)
    found = []
    for value in row.values:
        difference = float(value) - float(base) if _finite(value) else None
        found.append(Cell(value, difference, improves(difference, towards) if difference else None))
    return tuple(found)


def sentence(verdict: Verdict, labels: Mapping[str, str], baseline: str) -> str:
    """The verdict as one sentence; ``labels`` names items by their ref."""
    name, metric = labels.get(verdict.candidate, verdict.candidate), verdict.metric
    opening = {
        Word.BETTER: f"{name} is better than {baseline} on {metric}",
        Word.WORSE: f"{name} is worse than {baseline} on {metric}",
        Word.SAME: f"{name} and {baseline} are not distinguishable on {metric}",
        Word.NOT_COMPARABLE: f"{name} and {baseline} are not comparable on {metric}",
    }[verdict.word]
    if verdict.low is None or verdict.high is None:
        return f"{opening}: {verdict.reason}."
    return f"{opening}: {interval(verdict)}, {verdict.reason}."


def tally(verdicts: Sequence[Verdict]) -> str:
    """How many candidates got which word: "2 better, 1 worse and 9 not distinguishable"."""
    counts = [(word, sum(verdict.word is word for verdict in verdicts)) for word in Word]
    said = [f"{count} {word.value}" for word, count in counts if count]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def interval(verdict: Verdict) -> str:
    """The difference with its 95 % interval, or the bare difference, or nothing."""
    if verdict.difference is None:
        return ""
    if verdict.low is None or verdict.high is None:
        return f"{verdict.difference:+.3g}"
    return f"{verdict.difference:+.3g} (95 % interval {verdict.low:+.3g} to {verdict.high:+.3g})"


def difference_table(
    comparison: Comparison, declared: Mapping[str, str], *, identical: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the differences as text, the identical rows after them when asked for."""
    parts = comparison.differences
    rows: Sequence[Row] = (*parts.differing, *parts.identical) if identical else parts.differing
    columns = [*OWN_COLUMNS, *unique_labels(comparison)]
    said = said_of(comparison)
    return columns, [
        [row.section.value, row.key, *(cell.words for cell in cells_of(comparison, row, declared, said))]
        for row in rows
    ]


def main_metric(comparison: Comparison, declared: Mapping[str, str]) -> str | None:
    """The metric to judge by first: a known one, then one with a direction, tested on rows where possible."""
    of_metric: dict[str, list[Verdict]] = {}
    for verdict in comparison.verdicts:
        of_metric.setdefault(verdict.metric, []).append(verdict)

    def rank(metric: str) -> tuple[object, ...]:
        tested = any(verdict.low is not None for verdict in of_metric[metric])
        known = direction(metric, declared) is not Direction.UNKNOWN
        favourite = (
            _FAVOURITES.index(base_name(metric)) if base_name(metric) in _FAVOURITES else len(_FAVOURITES)
        )
        return not tested, not known, favourite, metric.startswith("train"), metric

    return min(of_metric, key=rank, default=None)


def unique_labels(comparison: Comparison) -> list[str]:
    """A short name per item; the baseline says that it is one."""
    named = [item.label for item in comparison.items]
    named[comparison.baseline_index] += " (baseline)"
    return named


def setting_name(setting: Mapping[str, str], keys: Sequence[str]) -> str:
    """A group of runs by the params that tell it from the others."""
    return ", ".join(f"{key}={setting[key]}" for key in keys if key in setting) or "all the same"


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
