"""A table against a policy of data quality: missing shares, repeated rows, label balance, rows per subgroup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core import yaml_file
from core.privacy import is_small
from core.quality.repeats import Repeats
from core.quality.schema_file import Share
from core.quality.tables import Table
from core.quality.types import Check, Report, Verdict
from core.quality.validate import Advance

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS = 1_000
RARE = "(levels that fewer than 11 rows have)"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelRules(_Part):
    """The label's column, and the smallest share that each of its levels may have."""

    column: str
    min_share: Share = 0.05


class Subgroup(_Part):
    """Columns whose levels together make groups, and how many rows each group needs."""

    columns: tuple[str, ...] = Field(min_length=1)
    min_rows: int = Field(ge=1)


class QualityPolicy(_Part):
    """What a table must be like to train on. ``max_missing`` holds for each column, ``columns`` for single ones."""

    name: str = "data quality"
    min_rows: int = Field(1, ge=0)
    max_missing: Share | None = None
    columns: dict[str, Share] = Field(default_factory=dict, description="largest missing share per column")
    max_duplicates: Share | None = None
    key: tuple[str, ...] = Field((), description="columns that tell rows apart; default: all")
    label: LabelRules | None = None
    subgroups: tuple[Subgroup, ...] = ()


def read_quality_policy(file: Path) -> QualityPolicy:
    """The policy in ``file``; raises BadSettings naming line and key."""
    return yaml_file.read(file, QualityPolicy, "quality policy")


def check_quality(table: Table, policy: QualityPolicy, advance: Advance = lambda rows: None) -> Report:
    """Every rule of ``policy``; a column that is not there, or a table without rows, is INCONCLUSIVE."""
    with ExitStack() as stack:
        seen = _Seen(table, policy, stack.enter_context(Repeats()))
        for chunk in table.chunks():
            seen.add(chunk)
            advance(len(chunk))
        checks = tuple(_checks(seen))
    return Report(kind="data-quality", name=policy.name, rows=seen.rows, checks=checks)


@dataclass
class _Seen:
    """What has been counted so far."""

    table: Table
    policy: QualityPolicy
    repeats: Repeats
    rows: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    groups: dict[Subgroup, Counter[tuple[str, ...]]] = field(default_factory=dict)

    def add(self, chunk: pd.DataFrame) -> None:
        """Count a chunk in."""
        self.rows += len(chunk)
        self.missing.update(chunk.isna().sum().to_dict())
        policy = self.policy
        if policy.max_duplicates is not None and self.has(*policy.key):
            self.repeats.add((chunk[list(policy.key)] if policy.key else chunk).astype("string").fillna(""))
        if policy.label and self.has(policy.label.column):
            self.labels.update(chunk[policy.label.column].dropna().astype("string").value_counts().to_dict())
        for group in policy.subgroups:
            if self.has(*group.columns):
                levels = chunk[list(group.columns)].astype("string").fillna("(missing)")
                self.groups.setdefault(group, Counter()).update(levels.value_counts().to_dict())

    def has(self, *columns: str) -> bool:
        """Whether the table has all of ``columns``."""
        return set(columns) <= set(self.table.columns)


def _checks(seen: _Seen) -> Iterator[Check]:
    policy, rows = seen.policy, seen.rows
    enough = Verdict.PASS if rows >= policy.min_rows else Verdict.INCONCLUSIVE
    yield Check(column=None, rule=f"at least {policy.min_rows:,} rows", verdict=enough)
    limits = {} if policy.max_missing is None else dict.fromkeys(seen.table.columns, policy.max_missing)
    for name, limit in (limits | policy.columns).items():
        words = f"at most {limit:.4g} missing"
        if not seen.has(name) or not rows:
            yield Check(column=name, rule=words, verdict=Verdict.INCONCLUSIVE)
            continue
        verdict = Verdict.PASS if seen.missing[name] <= limit * rows else Verdict.FAIL
        yield Check(column=name, rule=words, verdict=verdict, count=seen.missing[name], rows=rows)
    if policy.max_duplicates is not None:
        yield _duplicates(seen, policy.max_duplicates)
    if policy.label:
        yield from _balance(seen, policy.label)
    for group in policy.subgroups:
        yield from _subgroup(seen, group)


def _duplicates(seen: _Seen, limit: float) -> Check:
    key = ", ".join(seen.policy.key) or "all columns"
    words = f"at most {limit:.4g} repeated rows (by {key})"
    if not seen.has(*seen.policy.key) or not seen.rows:
        return Check(column=None, rule=words, verdict=Verdict.INCONCLUSIVE)
    count = seen.repeats.count()
    verdict = Verdict.PASS if count <= limit * seen.rows else Verdict.FAIL
    return Check(column=None, rule=words, verdict=verdict, count=count, rows=seen.rows)


def _balance(seen: _Seen, rules: LabelRules) -> Iterator[Check]:
    words = f"each label has at least {rules.min_share:.4g} of the rows"
    known = sum(seen.labels.values())
    if len(seen.labels) < 2 or len(seen.labels) > MOST_GROUPS:
        yield Check(column=rules.column, rule=words, verdict=Verdict.INCONCLUSIVE)
        return
    smallest = min(seen.labels.values())
    verdict = Verdict.PASS if smallest >= rules.min_share * known else Verdict.FAIL
    yield Check(column=rules.column, rule=words, verdict=verdict, count=smallest, rows=known)


def _subgroup(seen: _Seen, group: Subgroup) -> Iterator[Check]:
    """One check a group that is too small, or one for all. Counts are not shown: a small one could be derived."""
    columns, counts = ", ".join(group.columns), seen.groups.get(group, Counter())
    words = f"at least {group.min_rows:,} rows"
    if not counts or len(counts) > MOST_GROUPS:
        yield Check(column=columns, rule=f"each group: {words}", verdict=Verdict.INCONCLUSIVE)
        return
    short = {levels: count for levels, count in counts.items() if count < group.min_rows}
    if not short:
        yield Check(column=columns, rule=f"each group: {words}", verdict=Verdict.PASS)
        return
    if any(is_small(count) for count in short.values()):
        yield Check(column=columns, rule=f"{RARE}: {words}", verdict=Verdict.FAIL)
    for levels, count in sorted(short.items()):
        if not is_small(count):
            yield Check(column=columns, rule=f"{' / '.join(levels)}: {words}", verdict=Verdict.FAIL)
