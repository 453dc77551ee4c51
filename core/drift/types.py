"""What a drift check says: kinds, verdicts, statistics, quality facts and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.privacy import is_small


class ColumnKind(StrEnum):
    """How a column is treated; decided by the rules in ``kinds.py``, overridable in a policy."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    IDENTIFIER = "identifier"
    TEXT = "text"
    CONSTANT = "constant"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"


class Verdict(StrEnum):
    """What is said of a column or of the whole data set; a data set is OK, DRIFT or INCONCLUSIVE."""

    OK = "OK"
    DRIFT = "DRIFT"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTED = "NOT TESTED"
    NO_DATA = "NO DATA"
    TYPE_CHANGED = "TYPE CHANGED"
    VANISHED = "VANISHED"
    NEW = "NEW"

    @property
    def is_alarm(self) -> bool:
        """True when this column alone speaks against the data set being the same."""
        return self in _ALARMS

    @property
    def is_tested(self) -> bool:
        """True when the column's distribution was really compared."""
        return self in (Verdict.OK, Verdict.DRIFT)


_ALARMS = frozenset({Verdict.DRIFT, Verdict.NO_DATA, Verdict.TYPE_CHANGED, Verdict.VANISHED})


class Severity(StrEnum):
    """How urgent a finding is; ``notice`` never changes a verdict."""

    NOTICE = "notice"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class TestResult:
    """A statistic with its p-value; ``method`` says how the p-value was found."""

    __test__ = False  # pytest would otherwise take the name for a test class

    statistic: float
    pvalue: float
    method: str


@dataclass(frozen=True, slots=True)
class Told:
    """Test and effect of a column of which some level (or side of the only value) has 1 to 10 rows, as may be told.

    ``chi2`` is None where it compares so few rows of a level; ``total_variation`` is of the levels with the rare ones
    as one (None where nothing else is left); ``effect`` is the real one, so coarse that no count follows from it.
    """

    chi2: TestResult | None
    total_variation: float | None
    effect: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """Every statistic of one column; None where it does not apply to the column's kind.

    ``novelty`` is the p-value that so many levels are new by chance. Where ``told`` is set, the verdict rests on
    chi2 and total_variation (beside a single value on ks) as they are, and a report holds what ``told`` says instead;
    the other distances are of the same joined levels then.
    """

    ks: TestResult | None = None
    chi2: TestResult | None = None
    psi: float | None = None
    psi_noise_floor: float | None = None
    jensen_shannon: float | None = None
    hellinger: float | None = None
    wasserstein_normed: float | None = None
    total_variation: float | None = None
    l_infinity: float | None = None
    novelty: float | None = None
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One category and how many rows hold it."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Facts about one column that a distance between distributions would not tell."""

    missing_reference: int = 0
    missing_current: int = 0
    missing_pvalue: float | None = None
    new_levels: tuple[Level, ...] = ()
    vanished_levels: tuple[Level, ...] = ()
    below_range: int = 0
    above_range: int = 0
    infinite_reference: int = 0
    infinite_current: int = 0
    constant_reference: bool = False
    constant_current: bool = False
    duplicates_current: int | None = None
    new_values: int | None = None
    newest_reference: datetime | None = None
    newest_current: datetime | None = None
    in_future: int = 0
    type_reference: str | None = None
    type_current: str | None = None
    parsed: bool = False
    rounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """One column: what was compared, what was found, and in one sentence why."""

    name: str
    kind: ColumnKind
    verdict: Verdict
    reason: str
    rows_reference: int = 0
    rows_current: int = 0
    statistics: Statistics = field(default_factory=Statistics)
    quality: Quality = field(default_factory=Quality)
    test: str | None = None
    pvalue: float | None = None
    adjusted_pvalue: float | None = None
    effect: float | None = None
    detectable: float | None = None
    importance: float | None = None

    @property
    def few_missing(self) -> bool:
        """Whether so few rows are missing, or not missing, that a figure of them would give their number away."""
        missing = self.quality.missing_reference, self.quality.missing_current
        return any(map(is_small, (*missing, self.rows_reference, self.rows_current)))


@dataclass(frozen=True, slots=True)
class SchemaFinding:
    """A difference between the two files' columns or types, or rows that occur twice."""

    column: str | None
    kind: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """The whole check. ``drifted_share`` counts drifted columns among the tested ones.

    ``engine`` compared the tables where they are; None for this machine.
    """

    verdict: Verdict
    reason: str
    rows_reference: int
    rows_current: int
    columns: tuple[ColumnReport, ...]
    schema: tuple[SchemaFinding, ...] = ()
    policy: str = "default"
    drifted_share: float | None = None
    weighted_share: float | None = None
    classifier_auc: tuple[float, float, float] | None = None
    mmd: TestResult | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    engine: str | None = None

    def column(self, name: str) -> ColumnReport:
        """The report on column ``name``; raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def alarms(self) -> tuple[ColumnReport, ...]:
        """The columns that speak against OK, strongest effect first."""
        found = [column for column in self.columns if column.verdict.is_alarm]
        return tuple(sorted(found, key=lambda column: -(column.effect or 0)))
