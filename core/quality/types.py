"""What a check of a table found: rules with verdicts and counts, never a value of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.privacy import shown_count, shown_share


class Verdict(StrEnum):
    """The outcome of one rule or of a whole check."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule on a column (None: on the table). ``count`` rows of ``rows`` break it; None is not counted.

    ``rule`` is the limit in words; it names what the schema's author wrote, never what the table holds.
    """

    column: str | None
    rule: str
    verdict: Verdict
    count: int | None = None
    rows: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values with counts of 1 to 10 hidden, and the shares they could be worked out from."""
        known = self.count is not None
        return {
            "column": self.column,
            "rule": self.rule,
            "verdict": str(self.verdict),
            "count": shown_count(self.count) if known else None,
            "share": shown_share(self.count, self.rows) if known else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks of one table. ``kind`` is ``data-validation`` or ``data-quality``; ``notes`` are remarks."""

    kind: str
    name: str
    rows: int
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """One FAIL fails; one INCONCLUSIVE leaves it open; a check without rules shows nothing."""
        return worst([check.verdict for check in self.checks])

    def as_dict(self) -> dict[str, Any]:
        """The report as the command line prints it and as a run keeps it."""
        return {
            "verdict": str(self.verdict),
            "kind": self.kind,
            "name": self.name,
            "rows": shown_count(self.rows),
            "checks": [check.as_dict() for check in self.checks],
        }


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """FAIL before INCONCLUSIVE before PASS; nothing at all is INCONCLUSIVE."""
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE
