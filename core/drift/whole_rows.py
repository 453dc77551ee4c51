"""Whole rows against the reference: what no single column shows, such as two columns that moved together."""

from __future__ import annotations

from dataclasses import dataclass

from core.drift.sources import Slice
from core.drift.statistics.domain_classifier import THRESHOLD, domain_classifier
from core.drift.statistics.mmd import mmd
from core.drift.types import TestResult, Verdict
from core.drift.watched import Watched
from core.drift.windows import Window


@dataclass(frozen=True, slots=True)
class WholeRows:
    """The classifier's AUC with its 95 % interval, and the kernel distance; None where there are too few rows."""

    auc: tuple[float, float, float] | None
    mmd: TestResult | None

    @property
    def verdict(self) -> Verdict:
        """DRIFT when the whole interval lies above the threshold, OK when all of it lies below."""
        if self.auc is None:
            return Verdict.INCONCLUSIVE
        _, low, high = self.auc
        if THRESHOLD.crossed_by(low):
            return Verdict.DRIFT
        return Verdict.INCONCLUSIVE if THRESHOLD.crossed_by(high) else Verdict.OK


def whole_rows_of(watched: Watched, window: Window) -> WholeRows:
    """Ask a classifier and a kernel about the features of a window; takes about a second."""
    current = Slice(watched.log, window.indices)
    return WholeRows(
        domain_classifier(watched.reference, current, watched.features),
        mmd(watched.reference, current, watched.features),
    )
