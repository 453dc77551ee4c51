"""Where two models disagree, by segment of the test rows: counts of groups, never a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.compare.row_scores import PairedScores
from core.privacy import SMALLEST, is_small

_BANDS = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the test rows and who is right in it; the four counts are None where they are hidden.

    Hiding one small cell would not do: with a published sensitivity any three cells give the fourth.
    """

    name: str
    n: int
    both_right: int | None = None
    only_baseline: int | None = None
    only_candidate: int | None = None
    both_wrong: int | None = None

    @property
    def hidden(self) -> bool:
        """Whether some count of 1 to 10 people keeps all four from being shown."""
        return self.both_right is None


def disagreement(scores: PairedScores) -> tuple[Segment, ...]:
    """Segments by label, then by quarter of the baseline's score; the baseline is ``scores``' first model.

    Segments of fewer than 11 rows are left out, together with their siblings, whose sizes would give
    theirs away.
    """
    return tuple(_segment(name, scores, rows) for segments in _partitions(scores) for name, rows in segments)


def _partitions(scores: PairedScores) -> Iterator[list[tuple[str, np.ndarray]]]:
    by_label = [(f"label {value}", scores.label == value) for value in np.unique(scores.label)]
    yield by_label if all(rows.sum() >= SMALLEST for _, rows in by_label) else []
    if scores.first_score is None:
        return
    edges = np.unique(np.quantile(scores.first_score, np.linspace(0, 1, _BANDS + 1)))
    band = np.clip(np.searchsorted(edges, scores.first_score, side="right") - 1, 0, max(len(edges) - 2, 0))
    by_score = [
        (f"baseline score {edges[index]:.2f} to {edges[index + 1]:.2f}", band == index)
        for index in range(len(edges) - 1)
    ]
    yield by_score if all(rows.sum() >= SMALLEST for _, rows in by_score) else []


def _segment(name: str, scores: PairedScores, rows: np.ndarray) -> Segment:
    label = scores.label[rows]
    first, second = scores.first_prediction[rows] == label, scores.second_prediction[rows] == label
    counts = [
        int(np.sum(kind)) for kind in (first & second, first & ~second, ~first & second, ~first & ~second)
    ]
    if any(is_small(count) for count in counts):
        return Segment(name, len(label))
    return Segment(name, len(label), *counts)
