"""Gates per subgroup: a bound that the candidate must keep among the patients of each site, sex, age band ...

The groups are a column of the per-row test scores that the run logged. A group with fewer rows than the policy
asks for decides nothing: it makes the gate inconclusive, never a silent pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.privacy import RARE, SMALLEST, identifier_columns

if TYPE_CHECKING:
    import pandas as pd

    from core.registry.policy import SubgroupGate

MOST_GROUPS = 30
PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Group:
    """One subgroup: its outcome, and its value where that may be shown and could be computed."""

    name: str
    outcome: str
    value: float | None


def judge_groups(gate: SubgroupGate, table: pd.DataFrame | None) -> tuple[Group, ...] | str:
    """The groups of the gate's column, the worst outcome first; or why nothing can be said."""
    from core.compare.row_scores import row_metric

    if table is None:
        return "the run logged no per-row test scores"
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
    found = [_judged(gate, statistic, str(name), rows) for name, rows in groups if len(rows) >= SMALLEST]
    if len(found) < groups.ngroups:
        found.append(Group(RARE, INCONCLUSIVE, None))
    order = {FAIL: 0, INCONCLUSIVE: 1, PASS: 2}
    return tuple(sorted(found, key=lambda group: (order[group.outcome], group.name)))


def _judged(gate: SubgroupGate, statistic: str, name: str, rows: pd.DataFrame) -> Group:
    from core.compare.row_values import gives_away, row_value

    label = rows["label"]
    of_class = {"sensitivity": int((label == 1).sum()), "specificity": int((label == 0).sum())}
    enough = len(rows) >= gate.rows and of_class.get(statistic, SMALLEST) >= SMALLEST
    value = row_value(statistic, rows) if enough else None
    if value is None:
        return Group(name, INCONCLUSIVE, None)
    low, high = gate.min is not None and value < gate.min, gate.max is not None and value > gate.max
    return Group(name, FAIL if low or high else PASS, None if gives_away(statistic, rows) else value)
