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
        """Whether some count of 1 to 10 people, here or in a sibling, keeps all four from being shown."""
        return self.both_right is None


def disagreement(scores: PairedScores) -> tuple[Segment, ...]:
    """Segments by label, then by quarter of the baseline's score; the baseline is ``scores``' first model.

    Segments of fewer than 11 rows are left out, together with their siblings, whose sizes would give
    theirs away. Counts are hidden in so many segments of a cut that the other cut's totals give none away.
    """
    return tuple(segment for segments in _partitions(scores) for segment in _segments(segments, scores))


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


def _segments(partition: list[tuple[str, np.ndarray]], scores: PairedScores) -> Iterator[Segment]:
    counts = [_counts(scores, rows) for _, rows in partition]
    shown = _shown(counts)
    for place, ((name, _), cells) in enumerate(zip(partition, counts, strict=True)):
        yield Segment(name, sum(cells), *(cells if place in shown else ()))


def _counts(scores: PairedScores, rows: np.ndarray) -> list[int]:
    """Rows that both, only the first, only the second and neither model has right."""
    label = scores.label[rows]
    first, second = scores.first_prediction[rows] == label, scores.second_prediction[rows] == label
    return [
        int(np.sum(kind)) for kind in (first & second, first & ~second, ~first & second, ~first & ~second)
    ]


def _shown(counts: list[list[int]]) -> set[int]:
    """The segments whose counts may be shown, where a reader knows the totals of all segments.

    What he subtracts from the totals is the sum of the hidden segments: of two or more, and of no small count.
    """
    hidden = {place for place, cells in enumerate(counts) if any(map(is_small, cells))}
    others = sorted(set(range(len(counts))) - hidden, key=lambda place: sum(counts[place]))
    while hidden and others and (len(hidden) < 2 or _small_together(counts, hidden)):
        hidden.add(others.pop(0))
    return set(others)


def _small_together(counts: list[list[int]], places: set[int]) -> bool:
    return any(is_small(sum(counts[place][kind] for place in places)) for kind in range(4))
