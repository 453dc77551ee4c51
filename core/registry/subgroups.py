"""Gates per subgroup: a bound that the candidate must keep among the patients of each site, sex, age band ...

The groups are a column of the per-row test scores that the run logged. A group with fewer rows than the policy
asks for decides nothing: it makes the gate inconclusive, never a silent pass. Against the champion each group's
own test rows are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.privacy import RARE, SMALLEST, identifier_columns
from core.registry.intervals import by_interval

if TYPE_CHECKING:
    import pandas as pd

    from core.registry.policy import SubgroupGate

MOST_GROUPS = 30
PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
_NO_ROWS = "the run logged no per-row test scores"


@dataclass(frozen=True, slots=True)
class Group:
    """One subgroup: its outcome, its value where that may be shown and could be computed, and why it did not pass."""

    name: str
    outcome: str
    value: float | None
    detail: str = ""


def judge_groups(gate: SubgroupGate, table: pd.DataFrame | None) -> tuple[Group, ...] | str:
    """The groups of the gate's column, the worst outcome first; or why nothing can be said."""
    if table is None:
        return _NO_ROWS
    return _each(gate, table, lambda statistic, name, rows: _judged(gate, statistic, name, rows))


def judge_groups_against(
    gate: SubgroupGate,
    table: pd.DataFrame | None,
    champion: pd.DataFrame | str | None,
    declared: Mapping[str, str],
) -> tuple[Group, ...] | str:
    """As :func:`judge_groups`, each group paired with the champion's test rows, or why there are none.

    A group's value is its gain: how much better than the champion's, negative where it is worse. ``declared`` are
    the directions of metrics.
    """
    from core.compare.directions import direction
    from core.compare.row_scores import Mismatch, pair
    from core.compare.types import Direction

    if isinstance(champion, str):
        return champion
    if table is None or champion is None:
        return _NO_ROWS if table is None else "the champion logged no per-row test scores"
    towards = direction(gate.metric, declared)
    if towards is Direction.UNKNOWN:
        return f"which way {gate.metric} improves is not known: declare it in metric_directions"
    if isinstance(paired := pair(champion, table), Mismatch):
        return f"not comparable: {paired.reason}"
    sign = 1 if towards is Direction.HIGHER else -1
    return _each(
        gate, table, lambda statistic, name, rows: _paired(gate, statistic, name, (rows, champion), sign)
    )


def _each(
    gate: SubgroupGate, table: pd.DataFrame, judged: Callable[[str, str, pd.DataFrame], Group]
) -> tuple[Group, ...] | str:
    from core.compare.row_scores import row_metric

    if gate.by not in table.columns:
        return f"the test rows have no column '{gate.by}'"
    if identifier_columns([gate.by]):
        return f"'{gate.by}' looks like an identifier, and people are not told apart here"
    statistic = row_metric(gate.metric)
    if statistic is None:
        return f"{gate.metric} cannot be computed from test rows"
    groups = table.groupby(gate.by, observed=True)
    if not 2 <= groups.ngroups <= MOST_GROUPS:
        return f"'{gate.by}' has {groups.ngroups} groups; 2 to {MOST_GROUPS} can be judged"
    found = [judged(statistic, str(name), rows) for name, rows in groups if len(rows) >= SMALLEST]
    if len(found) < groups.ngroups:
        found.append(_too_few(gate, RARE))
    order = {FAIL: 0, INCONCLUSIVE: 1, PASS: 2}
    return tuple(sorted(found, key=lambda group: (order[group.outcome], group.name)))


def _too_few(gate: SubgroupGate, name: str) -> Group:
    return Group(name, INCONCLUSIVE, None, f"too few test rows to judge ({gate.rows} are needed)")


def _enough(gate: SubgroupGate, statistic: str, rows: pd.DataFrame) -> bool:
    label = rows["label"]
    of_class = {"sensitivity": int((label == 1).sum()), "specificity": int((label == 0).sum())}
    return len(rows) >= gate.rows and of_class.get(statistic, SMALLEST) >= SMALLEST


def _judged(gate: SubgroupGate, statistic: str, name: str, rows: pd.DataFrame) -> Group:
    from core.compare.row_values import gives_away, row_value

    value = row_value(statistic, rows) if _enough(gate, statistic, rows) else None
    if value is None:
        return _too_few(gate, name)
    shown = None if gives_away(statistic, rows) else value
    outside = (gate.min is not None and value < gate.min) or (gate.max is not None and value > gate.max)
    said = "outside the bound" if shown is None else f"{shown:.4g} is outside the bound"
    return Group(name, FAIL if outside else PASS, shown, said if outside else "")


def _paired(
    gate: SubgroupGate, statistic: str, name: str, both: tuple[pd.DataFrame, pd.DataFrame], sign: int
) -> Group:
    """A group's rows against the champion's of the same patients: ``both`` are the group's, and all the champion's."""
    from core.compare.paired import estimates
    from core.compare.row_scores import Mismatch, pair
    from core.compare.row_values import gives_away

    rows, champion = both
    if not _enough(gate, statistic, rows):
        return _too_few(gate, name)
    theirs = champion[champion["row_id"].isin(rows["row_id"])]
    paired = pair(theirs, rows)
    if isinstance(paired, Mismatch):
        return Group(name, INCONCLUSIVE, None, f"not comparable: {paired.reason}")
    estimate = next((found for found, _ in estimates(paired, (statistic,)).values()), None)
    if estimate is None or not math.isfinite(estimate.low + estimate.high):
        return Group(name, INCONCLUSIVE, None, "the test rows lack scores or have too few of a class for it")
    outcome, numbers, meaning = by_interval(estimate, sign, gate.margin)
    if gives_away(statistic, rows) or gives_away(statistic, theirs):
        return Group(name, outcome, None, meaning)
    return Group(name, outcome, sign * estimate.difference, f"{numbers}: {meaning}")
