"""What a comparison is made of: items, rows that differ, estimates and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """Which way a metric improves; UNKNOWN until someone declares it."""

    HIGHER = "higher"
    LOWER = "lower"
    UNKNOWN = "unknown"


class Word(StrEnum):
    """The only four answers to "is the candidate better?"."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "not distinguishable"
    NOT_COMPARABLE = "not comparable"


OWN_COLUMNS = ("part", "key")
"""What the table of differences calls its first two columns."""


class Section(StrEnum):
    """The parts of an item that are laid side by side."""

    PARAMS = "params"
    METRICS = "metrics"
    TAGS = "tags"
    DATASETS = "datasets"
    CODE = "code"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing compared: a run, a model version or a DVC revision.

    ``datasets`` maps "context: name" to a content digest, ``data_hash`` is the hash of the training data.
    """

    ref: str
    label: str
    kind: str
    run_id: str | None = None
    experiment_id: str | None = None
    model: str | None = None
    version: int | None = None
    data_hash: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def section(self, section: Section) -> Mapping[str, object]:
        """The item's values of one section."""
        return getattr(self, section.value)


@dataclass(frozen=True, slots=True)
class Row:
    """One key across all items, in their order; ``None`` where an item lacks it."""

    section: Section
    key: str
    values: tuple[object | None, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows that differ, rows that do not; ``len(identical)`` is what a page hides."""

    differing: tuple[Row, ...]
    identical: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A difference (candidate minus baseline) with its interval and p-value.

    ``n`` counts what was paired or compared: test rows, or runs of both groups together.
    """

    difference: float
    low: float
    high: float
    p_value: float
    n: int
    method: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one candidate and metric, always with its reason.

    ``difference``, ``low`` and ``high`` are candidate minus baseline; None where nothing can be said.
    ``adjusted_p`` is Holm's over the candidates of the metric.
    """

    candidate: str
    metric: str
    word: Word
    reason: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = "none"
    adjusted_p: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything the page and the command line show; ``items[baseline_index]`` is the baseline."""

    items: tuple[Item, ...]
    baseline_index: int
    baseline_reason: str
    differences: Differences
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]

    @property
    def baseline(self) -> Item:
        """The item all others are measured against."""
        return self.items[self.baseline_index]
